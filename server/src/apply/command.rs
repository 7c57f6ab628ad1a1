//! What the log can carry: each request by the name of its operation, its field in etcd's envelope, and what comes of it, in
//! one table.

use keyport_api::etcdserverpb::*;
use keyport_api::membershippb::{ClusterMemberAttrSetRequest, ClusterVersionSetRequest, DowngradeInfoSetRequest};
use keyport_storage::auth::AuthError;
use keyport_storage::mvcc::CompactionHandle;

use crate::auth::{Needs, Rights};
use crate::kv::{DeleteReply, PutReply, TxnReply};
use crate::membership::Member;

/// A request that goes through the log and knows what comes of it.
pub(crate) trait Replicated: Sized {
    /// What comes of it. The header, where there is one, is filled in by whoever asked.
    type Reply: Send + 'static;

    fn into_command(self) -> Command;

    /// None when it is another request's.
    fn reply(reply: Reply) -> Option<Self::Reply>;
}

macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident($Request:ty) in $field:ident, gives $Reply:ty;)*) => {
        /// The one request that an entry carries, of the kinds that this server applies.
        #[derive(Clone, Debug)]
        pub(crate) enum Command {
            $($(#[$doc])* $name($Request),)*
            /// Understood, and without any effect on the state; by its name.
            Nothing(&'static str),
        }

        /// What came of a command.
        #[derive(Debug)]
        pub(crate) enum Reply {
            $($name($Reply),)*
            Nothing,
            /// After a change of the membership; ascending by id.
            Members(Vec<Member>),
        }

        $(impl Replicated for $Request {
            type Reply = $Reply;

            fn into_command(self) -> Command {
                Command::$name(self)
            }

            fn reply(reply: Reply) -> Option<$Reply> {
                if let Reply::$name(reply) = reply { Some(reply) } else { None }
            }
        })*

        impl Command {
            /// All names but those of commands without an effect.
            #[cfg(test)]
            const NAMES: &[&str] = &[$(stringify!($name)),*];

            /// What it needs its author to be allowed.
            ///
            /// # Errors
            /// Why it is refused.
            pub(crate) fn check(&self, rights: &Rights<'_>) -> Result<(), AuthError> {
                match self {
                    $(Command::$name(request) => request.check(rights),)*
                    Command::Nothing(_) => Ok(()),
                }
            }

            /// The operation's name in `etcd_server_apply_duration_seconds`.
            pub(crate) fn name(&self) -> &'static str {
                match self {
                    $(Command::$name(_) => stringify!($name),)*
                    Command::Nothing(name) => name,
                }
            }

            /// Puts it into its field.
            pub(crate) fn put_into(self, envelope: &mut InternalRaftRequest) {
                match self {
                    $(Command::$name(request) => envelope.$field = Some(request),)*
                    Command::Nothing(_) => envelope.downgrade_version_test = Some(DowngradeVersionTestRequest::default()),
                }
            }

            /// The first that is there, in the order in which etcd looks.
            pub(super) fn take_from(envelope: &mut InternalRaftRequest) -> Option<Command> {
                $(if let Some(request) = envelope.$field.take() {
                    return Some(Command::$name(request));
                })*
                None
            }
        }
    };
}

commands! {
    Put(PutRequest) in put, gives PutReply;
    Txn(TxnRequest) in txn, gives TxnReply;
    DeleteRange(DeleteRangeRequest) in delete_range, gives DeleteReply;
    LeaseGrant(LeaseGrantRequest) in lease_grant, gives LeaseGrantResponse;
    LeaseRevoke(LeaseRevokeRequest) in lease_revoke, gives LeaseRevokeResponse;
    /// Its rows are removed after it was applied.
    Compaction(CompactionRequest) in compaction, gives CompactionHandle;
    LeaseCheckpoint(LeaseCheckpointRequest) in lease_checkpoint, gives ();
    Alarm(AlarmRequest) in alarm, gives AlarmResponse;
    ClusterVersionSet(ClusterVersionSetRequest) in cluster_version_set, gives ();
    ClusterMemberAttrSet(ClusterMemberAttrSetRequest) in cluster_member_attr_set, gives ();
    DowngradeInfoSet(DowngradeInfoSetRequest) in downgrade_info_set, gives ();
    AuthEnable(AuthEnableRequest) in auth_enable, gives ();
    AuthDisable(AuthDisableRequest) in auth_disable, gives ();
    AuthStatus(AuthStatusRequest) in auth_status, gives AuthStatusResponse;
    /// Of a user whose password is known to be right.
    Authenticate(InternalAuthenticateRequest) in authenticate, gives Entrance;
    AuthUserAdd(AuthUserAddRequest) in auth_user_add, gives ();
    AuthUserDelete(AuthUserDeleteRequest) in auth_user_delete, gives ();
    AuthUserGet(AuthUserGetRequest) in auth_user_get, gives AuthUserGetResponse;
    AuthUserChangePassword(AuthUserChangePasswordRequest) in auth_user_change_password, gives ();
    AuthUserGrantRole(AuthUserGrantRoleRequest) in auth_user_grant_role, gives ();
    AuthUserRevokeRole(AuthUserRevokeRoleRequest) in auth_user_revoke_role, gives ();
    AuthUserList(AuthUserListRequest) in auth_user_list, gives AuthUserListResponse;
    AuthRoleList(AuthRoleListRequest) in auth_role_list, gives AuthRoleListResponse;
    AuthRoleAdd(AuthRoleAddRequest) in auth_role_add, gives ();
    AuthRoleDelete(AuthRoleDeleteRequest) in auth_role_delete, gives ();
    AuthRoleGet(AuthRoleGetRequest) in auth_role_get, gives AuthRoleGetResponse;
    AuthRoleGrantPermission(AuthRoleGrantPermissionRequest) in auth_role_grant_permission, gives ();
    AuthRoleRevokePermission(AuthRoleRevokePermissionRequest) in auth_role_revoke_permission, gives ();
}

/// What a user who has said his password gets his token of.
#[derive(Clone, Debug)]
pub(crate) struct Entrance {
    /// The revision of users and roles then.
    pub(crate) auth_revision: u64,
    /// The place in the log.
    pub(crate) index: u64,
}

impl Command {
    /// Whether it would put a key in either branch: what a node that is out of space refuses.
    pub(crate) fn may_put(&self) -> bool {
        match self {
            Command::Put(_) => true,
            Command::Txn(txn) => txn_puts(txn),
            _ => false,
        }
    }
}

fn txn_puts(txn: &TxnRequest) -> bool {
    txn.success.iter().chain(&txn.failure).any(|op| match &op.request {
        Some(request_op::Request::RequestPut(_)) => true,
        Some(request_op::Request::RequestTxn(nested)) => txn_puts(nested),
        Some(request_op::Request::RequestRange(_) | request_op::Request::RequestDeleteRange(_)) | None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;
    use std::time::Duration;

    #[test]
    fn each_is_counted_under_its_name() {
        let metrics = Metrics::new(false);
        for name in Command::NAMES {
            metrics.observe_apply(name, Duration::ZERO, true);
        }
        let text = metrics.render().unwrap();
        // etcd has no name for this one, and counts it as unknown.
        for name in Command::NAMES.iter().filter(|name| **name != "AuthStatus") {
            let series = format!("etcd_server_apply_duration_seconds_count{{op=\"{name}\",");
            assert!(text.contains(&series), "{name} is not among the operations that are counted");
        }
    }
}
