//! The versions that the server names itself with.

use serde::Serialize;

/// The etcd release whose API is served. Clients parse it: digits and dots only.
pub(crate) const ETCD_SERVER: &str = "3.7.1";
/// The cluster version of that release.
pub(crate) const ETCD_CLUSTER: &str = "3.7.0";
/// What a copy of the database says of its rows, which are the same ever since: every etcd from 3.5 on starts from it.
pub(crate) const ETCD_COPY: &str = "3.6.0";
/// Our own release.
pub(crate) const KEYPORT: &str = env!("CARGO_PKG_VERSION");
/// The oldest release whose members a cluster may have; what etcd sends, too.
pub(crate) const MIN_CLUSTER: &str = "3.0.0";

/// What is running, and which version the cluster has agreed on: the answer of `/version`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Versions {
    etcdserver: &'static str,
    etcdcluster: String,
    storage: String,
    keyport: &'static str,
}

impl Versions {
    /// In a cluster of this version, if it has decided on one.
    pub(crate) fn in_cluster(cluster: Option<String>) -> Versions {
        Versions {
            etcdserver: ETCD_SERVER,
            storage: cluster.clone().unwrap_or_else(|| "unknown".to_owned()),
            etcdcluster: cluster.unwrap_or_else(|| "not_decided".to_owned()),
            keyport: KEYPORT,
        }
    }
}

/// What stands where etcd names the Go release that it was built with.
pub(crate) fn toolchain() -> String {
    format!("none (keyport {KEYPORT}, in Rust)")
}
