//! The names of operations and requests in etcd's labels.

/// Both lists, each with the frequent names first and the one for all others last.
macro_rules! names {
    (frequent: $($frequent:ident)*; only asked for: $($asked:ident)*; rare: $($rare:ident)*;) => {
        /// The names of applied operations.
        pub(super) const APPLIED: &[&str] = &[$(stringify!($frequent),)* $(stringify!($rare),)* UNKNOWN];

        /// The names of requests: those of applied operations, and of what is answered without applying anything.
        pub(super) const ASKED: &[&str] =
            &[$(stringify!($frequent),)* $(stringify!($asked),)* $(stringify!($rare),)* UNKNOWN];
    };
}

const UNKNOWN: &str = "unknown";

names! {
    frequent: Put Range Txn;
    only asked for: ReadonlyTxn AuthStatus;
    rare:
        DeleteRange
        Compaction
        LeaseGrant
        LeaseRevoke
        LeaseCheckpoint
        Alarm
        Authenticate
        AuthEnable
        AuthDisable
        AuthUserAdd
        AuthUserDelete
        AuthUserChangePassword
        AuthUserGrantRole
        AuthUserGet
        AuthUserRevokeRole
        AuthRoleAdd
        AuthRoleGrantPermission
        AuthRoleGet
        AuthRoleRevokePermission
        AuthRoleDelete
        AuthUserList
        AuthRoleList
        ClusterVersionSet
        ClusterMemberAttrSet
        DowngradeInfoSet
        DowngradeVersionTest;
}
