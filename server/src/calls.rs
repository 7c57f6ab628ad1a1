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

use http::Extensions;
use keyport_api::etcdserverpb::{LeaseKeepAliveRequest, LeaseKeepAliveResponse, RangeRequest, WatchRequest};
use keyport_storage::KeyRange;
use keyport_storage::watch::WatchStream;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use crate::faces::json::{Answers, RangeAnswer, ServiceSet, StreamCall, WatchEnd};
use crate::node::Node;

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

impl Services {
    pub(crate) fn new(node: &Node) -> Services {
        Services {
            kv: kv::KvService::new(node.clone()),
            watch: watch::WatchService::new(node.clone()),
            lease: lease::LeaseService::new(node.clone()),
            cluster: cluster::ClusterService::new(node.clone()),
            maintenance: maintenance::MaintenanceService::new(node.clone()),
            auth: auth::AuthService {},
            lock: lock::LockService::new(node.clone()),
            election: election::ElectionService::new(node.clone()),
        }
    }
}

impl ServiceSet for Services {
    type Kv = kv::KvService;
    type RangeAnswer = RangeAnswer;
    type WatchAnswer = watch::WatchReply;
    type Lease = lease::LeaseService;
    type Cluster = cluster::ClusterService;
    type Maintenance = maintenance::MaintenanceService;
    type Auth = auth::AuthService;
    type Lock = lock::LockService;
    type Election = election::ElectionService;

    fn kv(&self) -> &Self::Kv {
        &self.kv
    }

    async fn range(&self, request: Request<RangeRequest>) -> Result<Response<RangeAnswer>, Status> {
        self.kv.admit_range(request.metadata().as_ref())?;
        let (header, reply) = self.kv.range_shared(request.into_inner()).await?;
        Ok(Response::new(RangeAnswer { header, reply }))
    }

    fn lease(&self) -> &Self::Lease {
        &self.lease
    }

    fn cluster(&self) -> &Self::Cluster {
        &self.cluster
    }

    fn maintenance(&self) -> &Self::Maintenance {
        &self.maintenance
    }

    fn auth(&self) -> &Self::Auth {
        &self.auth
    }

    fn lock(&self) -> &Self::Lock {
        &self.lock
    }

    fn election(&self) -> &Self::Election {
        &self.election
    }

    fn watch_stream(&self) -> WatchStream {
        self.watch.stream()
    }

    fn compacted(&self) -> i64 {
        self.watch.compacted()
    }

    fn admit_watch(&self, metadata: &MetadataMap, _: &Extensions, _: &[KeyRange]) -> Result<WatchEnd, Status> {
        let mut end = self.watch.admit(metadata)?;
        Ok(Box::pin(async move { end.leader_lost().await.into() }))
    }

    fn watch(&self, call: StreamCall<WatchRequest>) -> Answers<watch::WatchReply> {
        match self.watch.serve(&call.metadata, call.requests) {
            Ok(session) => Box::pin(session),
            Err(status) => Box::pin(tokio_stream::once(Err(status))),
        }
    }

    fn lease_keep_alive(&self, call: StreamCall<LeaseKeepAliveRequest>) -> Answers<LeaseKeepAliveResponse> {
        match self.lease.keep_alive(&call.metadata, call.requests) {
            Ok(answers) => Box::pin(answers),
            Err(status) => Box::pin(tokio_stream::once(Err(status))),
        }
    }
}
