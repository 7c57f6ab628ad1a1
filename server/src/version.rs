//! The versions that the server names itself with.

/// The etcd release whose API is served. Clients parse it: digits and dots only.
pub const ETCD_SERVER: &str = "3.7.1";
/// The cluster version of that release.
pub const ETCD_CLUSTER: &str = "3.7.0";
/// Our own release.
pub const KEYPORT: &str = env!("CARGO_PKG_VERSION");
/// The oldest release whose members a cluster may have; what etcd sends, too.
pub const MIN_CLUSTER: &str = "3.0.0";
