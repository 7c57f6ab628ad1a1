//! What the descriptors cannot say of a method.

/// How long a call may last, what it does, and whose it may be: the names of `methods::Span`, `methods::Effect` and
/// `methods::Need`.
pub(crate) struct Note {
    /// Full name of the method.
    pub(crate) method: &'static str,
    pub(crate) span: &'static str,
    pub(crate) effect: &'static str,
    pub(crate) need: &'static str,
}

/// A method of a service that is not in our proto files.
pub(crate) struct Foreign {
    /// Name of the variant.
    pub(crate) variant: &'static str,
    pub(crate) service: &'static str,
    pub(crate) method: &'static str,
    pub(crate) request: &'static str,
    pub(crate) response: &'static str,
    pub(crate) client_streaming: bool,
    pub(crate) server_streaming: bool,
    pub(crate) note: Note,
}

const fn note(method: &'static str, span: &'static str, effect: &'static str, need: &'static str) -> Note {
    Note { method, span, effect, need }
}

/// Every method of the proto files: the build fails where one is missing, or one is noted that is not there.
///
/// What grows is what the quota refuses when the database is full. Taking a lock and standing for election put keys.
pub(crate) const NOTES: &[Note] = &[
    note("etcdserverpb.KV.Range", "Brief", "Reads", "Keys"),
    note("etcdserverpb.KV.RangeStream", "Long", "Reads", "Keys"),
    note("etcdserverpb.KV.Put", "Brief", "Grows", "Keys"),
    note("etcdserverpb.KV.DeleteRange", "Brief", "Writes", "Keys"),
    note("etcdserverpb.KV.Txn", "Brief", "Grows", "Keys"),
    // Physical ones are answered when the old rows are gone.
    note("etcdserverpb.KV.Compact", "Long", "Writes", "Root"),
    note("etcdserverpb.Watch.Watch", "Endless", "Reads", "Keys"),
    note("etcdserverpb.Lease.LeaseGrant", "Brief", "Grows", "Identity"),
    note("etcdserverpb.Lease.LeaseRevoke", "Brief", "Writes", "Identity"),
    note("etcdserverpb.Lease.LeaseKeepAlive", "Endless", "Writes", "Keys"),
    note("etcdserverpb.Lease.LeaseTimeToLive", "Brief", "Reads", "Identity"),
    note("etcdserverpb.Lease.LeaseLeases", "Brief", "Reads", "Identity"),
    note("etcdserverpb.Cluster.MemberAdd", "Brief", "Writes", "Root"),
    note("etcdserverpb.Cluster.MemberRemove", "Brief", "Writes", "Root"),
    note("etcdserverpb.Cluster.MemberUpdate", "Brief", "Writes", "Root"),
    note("etcdserverpb.Cluster.MemberList", "Brief", "Reads", "Identity"),
    note("etcdserverpb.Cluster.MemberPromote", "Brief", "Writes", "Root"),
    note("etcdserverpb.Maintenance.Alarm", "Brief", "Writes", "Identity"),
    note("etcdserverpb.Maintenance.Status", "Brief", "Reads", "Identity"),
    note("etcdserverpb.Maintenance.Defragment", "Long", "Reads", "Root"),
    note("etcdserverpb.Maintenance.Hash", "Long", "Reads", "Root"),
    note("etcdserverpb.Maintenance.HashKV", "Long", "Reads", "Root"),
    note("etcdserverpb.Maintenance.Snapshot", "Long", "Reads", "Root"),
    note("etcdserverpb.Maintenance.MoveLeader", "Brief", "Reads", "Root"),
    note("etcdserverpb.Maintenance.Downgrade", "Brief", "Writes", "Root"),
    note("etcdserverpb.Auth.AuthEnable", "Brief", "Writes", "Root"),
    note("etcdserverpb.Auth.AuthDisable", "Brief", "Writes", "Root"),
    note("etcdserverpb.Auth.AuthStatus", "Brief", "Reads", "SoundToken"),
    note("etcdserverpb.Auth.Authenticate", "Brief", "Reads", "Nothing"),
    note("etcdserverpb.Auth.UserAdd", "Brief", "Writes", "Root"),
    note("etcdserverpb.Auth.UserGet", "Brief", "Reads", "Identity"),
    note("etcdserverpb.Auth.UserList", "Brief", "Reads", "Root"),
    note("etcdserverpb.Auth.UserDelete", "Brief", "Writes", "Root"),
    note("etcdserverpb.Auth.UserChangePassword", "Brief", "Writes", "Root"),
    note("etcdserverpb.Auth.UserGrantRole", "Brief", "Writes", "Root"),
    note("etcdserverpb.Auth.UserRevokeRole", "Brief", "Writes", "Root"),
    note("etcdserverpb.Auth.RoleAdd", "Brief", "Writes", "Root"),
    note("etcdserverpb.Auth.RoleGet", "Brief", "Reads", "Identity"),
    note("etcdserverpb.Auth.RoleList", "Brief", "Reads", "Root"),
    note("etcdserverpb.Auth.RoleDelete", "Brief", "Writes", "Root"),
    note("etcdserverpb.Auth.RoleGrantPermission", "Brief", "Writes", "Root"),
    note("etcdserverpb.Auth.RoleRevokePermission", "Brief", "Writes", "Root"),
    note("v3lockpb.Lock.Lock", "Endless", "Grows", "Keys"),
    note("v3lockpb.Lock.Unlock", "Brief", "Writes", "Keys"),
    note("v3electionpb.Election.Campaign", "Endless", "Grows", "Keys"),
    note("v3electionpb.Election.Proclaim", "Brief", "Grows", "Keys"),
    note("v3electionpb.Election.Leader", "Brief", "Reads", "Keys"),
    note("v3electionpb.Election.Observe", "Endless", "Reads", "Keys"),
    note("v3electionpb.Election.Resign", "Brief", "Writes", "Keys"),
    note("grpc.health.v1.Health.Check", "Brief", "Reads", "Nothing"),
    note("grpc.health.v1.Health.List", "Brief", "Reads", "Nothing"),
    note("grpc.health.v1.Health.Watch", "Endless", "Reads", "Nothing"),
];

/// Services whose requests have passwords in them: what stands in the wrong place there may be one, too.
pub(crate) const CONFIDENTIAL: &[&str] = &["etcdserverpb.Auth"];

/// What a library answers, by its own proto file.
pub(crate) const REFLECTION: Foreign = Foreign {
    variant: "ServerReflectionInfo",
    service: "grpc.reflection.v1.ServerReflection",
    method: "ServerReflectionInfo",
    request: "grpc.reflection.v1.ServerReflectionRequest",
    response: "grpc.reflection.v1.ServerReflectionResponse",
    client_streaming: true,
    server_streaming: true,
    note: note("grpc.reflection.v1.ServerReflection.ServerReflectionInfo", "Endless", "Reads", "Nothing"),
};
