//! The service traits of the wire, implemented over the node: one module a service.
//!
//! gRPC, the JSON gateway and server-sent events are thin faces of these; each calls them in process.

pub mod auth;
pub(crate) mod caller;
pub mod cluster;
pub mod election;
pub mod kv;
pub mod lease;
pub mod lock;
pub mod maintenance;
mod queue;
mod validate;
pub mod watch;

/// Every service of the node. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Services {
    pub kv: kv::KvService,
    pub watch: watch::WatchService,
    pub lease: lease::LeaseService,
    pub cluster: cluster::ClusterService,
    pub maintenance: maintenance::MaintenanceService,
    pub auth: auth::AuthService,
    pub lock: lock::LockService,
    pub election: election::ElectionService,
}
