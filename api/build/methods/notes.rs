//! What the descriptors cannot say of a method.

/// How long a call may last, and what it does: the names of `methods::Span` and `methods::Effect`.
pub(crate) struct Note {
    /// Full name of the method.
    pub(crate) method: &'static str,
    pub(crate) span: &'static str,
    pub(crate) effect: &'static str,
}

/// A method that is declared nowhere in `proto/`: its service comes from a library.
pub(crate) struct Foreign {
    /// Name of the variant.
    pub(crate) variant: &'static str,
    pub(crate) service: &'static str,
    pub(crate) method: &'static str,
    pub(crate) request: &'static str,
    pub(crate) response: &'static str,
    pub(crate) client_streaming: bool,
    pub(crate) server_streaming: bool,
    pub(crate) span: &'static str,
}

const fn note(method: &'static str, span: &'static str, effect: &'static str) -> Note {
    Note { method, span, effect }
}

/// Every method of the proto files: the build fails where one is missing, or one is noted that is not there.
///
/// What grows is what the quota refuses when the database is full. Taking a lock and standing for election put keys.
pub(crate) const NOTES: &[Note] = &[
    note("etcdserverpb.KV.Range", "Brief", "Reads"),
    note("etcdserverpb.KV.RangeStream", "Long", "Reads"),
    note("etcdserverpb.KV.Put", "Brief", "Grows"),
    note("etcdserverpb.KV.DeleteRange", "Brief", "Writes"),
    note("etcdserverpb.KV.Txn", "Brief", "Grows"),
    // Physical ones are answered when the old rows are gone.
    note("etcdserverpb.KV.Compact", "Long", "Writes"),
    note("etcdserverpb.Watch.Watch", "Endless", "Reads"),
    note("etcdserverpb.Lease.LeaseGrant", "Brief", "Grows"),
    note("etcdserverpb.Lease.LeaseRevoke", "Brief", "Writes"),
    note("etcdserverpb.Lease.LeaseKeepAlive", "Endless", "Writes"),
    note("etcdserverpb.Lease.LeaseTimeToLive", "Brief", "Reads"),
    note("etcdserverpb.Lease.LeaseLeases", "Brief", "Reads"),
    note("etcdserverpb.Cluster.MemberAdd", "Brief", "Writes"),
    note("etcdserverpb.Cluster.MemberRemove", "Brief", "Writes"),
    note("etcdserverpb.Cluster.MemberUpdate", "Brief", "Writes"),
    note("etcdserverpb.Cluster.MemberList", "Brief", "Reads"),
    note("etcdserverpb.Cluster.MemberPromote", "Brief", "Writes"),
    note("etcdserverpb.Maintenance.Alarm", "Brief", "Writes"),
    note("etcdserverpb.Maintenance.Status", "Brief", "Reads"),
    note("etcdserverpb.Maintenance.Defragment", "Long", "Reads"),
    note("etcdserverpb.Maintenance.Hash", "Long", "Reads"),
    note("etcdserverpb.Maintenance.HashKV", "Long", "Reads"),
    note("etcdserverpb.Maintenance.Snapshot", "Long", "Reads"),
    note("etcdserverpb.Maintenance.MoveLeader", "Brief", "Reads"),
    note("etcdserverpb.Maintenance.Downgrade", "Brief", "Writes"),
    note("etcdserverpb.Auth.AuthEnable", "Brief", "Writes"),
    note("etcdserverpb.Auth.AuthDisable", "Brief", "Writes"),
    note("etcdserverpb.Auth.AuthStatus", "Brief", "Reads"),
    note("etcdserverpb.Auth.Authenticate", "Brief", "Reads"),
    note("etcdserverpb.Auth.UserAdd", "Brief", "Writes"),
    note("etcdserverpb.Auth.UserGet", "Brief", "Reads"),
    note("etcdserverpb.Auth.UserList", "Brief", "Reads"),
    note("etcdserverpb.Auth.UserDelete", "Brief", "Writes"),
    note("etcdserverpb.Auth.UserChangePassword", "Brief", "Writes"),
    note("etcdserverpb.Auth.UserGrantRole", "Brief", "Writes"),
    note("etcdserverpb.Auth.UserRevokeRole", "Brief", "Writes"),
    note("etcdserverpb.Auth.RoleAdd", "Brief", "Writes"),
    note("etcdserverpb.Auth.RoleGet", "Brief", "Reads"),
    note("etcdserverpb.Auth.RoleList", "Brief", "Reads"),
    note("etcdserverpb.Auth.RoleDelete", "Brief", "Writes"),
    note("etcdserverpb.Auth.RoleGrantPermission", "Brief", "Writes"),
    note("etcdserverpb.Auth.RoleRevokePermission", "Brief", "Writes"),
    note("v3lockpb.Lock.Lock", "Endless", "Grows"),
    note("v3lockpb.Lock.Unlock", "Brief", "Writes"),
    note("v3electionpb.Election.Campaign", "Endless", "Grows"),
    note("v3electionpb.Election.Proclaim", "Brief", "Grows"),
    note("v3electionpb.Election.Leader", "Brief", "Reads"),
    note("v3electionpb.Election.Observe", "Endless", "Reads"),
    note("v3electionpb.Election.Resign", "Brief", "Writes"),
];

/// What the server answers besides. All of it only reads, and none of it is on the gateway.
pub(crate) const FOREIGN: &[Foreign] = &[
    Foreign {
        variant: "HealthCheck",
        service: "grpc.health.v1.Health",
        method: "Check",
        request: "grpc.health.v1.HealthCheckRequest",
        response: "grpc.health.v1.HealthCheckResponse",
        client_streaming: false,
        server_streaming: false,
        span: "Brief",
    },
    Foreign {
        variant: "HealthWatch",
        service: "grpc.health.v1.Health",
        method: "Watch",
        request: "grpc.health.v1.HealthCheckRequest",
        response: "grpc.health.v1.HealthCheckResponse",
        client_streaming: false,
        server_streaming: true,
        span: "Endless",
    },
    Foreign {
        variant: "ServerReflectionInfo",
        service: "grpc.reflection.v1.ServerReflection",
        method: "ServerReflectionInfo",
        request: "grpc.reflection.v1.ServerReflectionRequest",
        response: "grpc.reflection.v1.ServerReflectionResponse",
        client_streaming: true,
        server_streaming: true,
        span: "Endless",
    },
];
