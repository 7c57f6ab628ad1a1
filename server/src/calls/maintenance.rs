//! The `etcdserverpb.Maintenance` service.

mod snapshot;

use keyport_api::error::Error;
use keyport_api::etcdserverpb::alarm_request::AlarmAction;
use keyport_api::etcdserverpb::downgrade_request::DowngradeAction;
use keyport_api::etcdserverpb::maintenance_server::Maintenance;
use keyport_api::etcdserverpb::*;
use keyport_storage::backend::BackendError;
use tonic::{Request, Response, Status};

use super::caller;
use crate::apply::{Command, Reply};
use crate::kv::KvError;
use crate::membership::Downgrade;
use crate::node::Node;
use crate::version;
pub use snapshot::SnapshotBlobs;

/// Looks after the node itself.
#[derive(Clone, Debug)]
pub struct MaintenanceService {
    node: Node,
}

impl MaintenanceService {
    pub(crate) fn new(node: Node) -> MaintenanceService {
        MaintenanceService { node }
    }

    fn status_errors(&self) -> Vec<String> {
        let mut errors = Vec::new();
        if self.node.raft().leader() == 0 {
            errors.push(Error::NoLeader.to_string());
        }
        for alarm in self.node.state().alarms.list(AlarmType::None.into()) {
            errors.push(format!("memberID:{} alarm:{}", alarm.member_id, alarm.alarm().as_str_name()));
        }
        errors
    }

    /// Runs work on the backend that may take long on a thread that may.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Node) -> Result<T, BackendError> + Send + 'static,
    ) -> Result<T, Status> {
        let node = self.node.clone();
        match tokio::task::spawn_blocking(move || work(&node)).await {
            Ok(outcome) => outcome.map_err(|error| backend_status(&error)),
            Err(_) => Err(Error::Stopped.into()),
        }
    }
}

fn backend_status(error: &BackendError) -> Status {
    tracing::error!(%error, "backend failed");
    Status::internal(error.to_string())
}

#[tonic::async_trait]
impl Maintenance for MaintenanceService {
    async fn alarm(&self, request: Request<AlarmRequest>) -> Result<Response<AlarmResponse>, Status> {
        caller::admit(&self.node, request.metadata().as_ref())?;
        let request = request.into_inner();
        if AlarmAction::try_from(request.action).is_err() {
            return Err(Error::UnknownMethod.into());
        }
        match self.node.propose(Command::Alarm(request)).await? {
            Reply::Alarm { revision, alarms } => {
                Ok(Response::new(AlarmResponse { header: Some(self.node.header(revision)), alarms }))
            }
            _ => Err(Error::Stopped.into()),
        }
    }

    async fn status(&self, request: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        caller::admit_to_any_member(&self.node, request.metadata().as_ref())?;
        let header = Some(self.node.current_header());
        let (raft, backend) = (self.node.raft().status(), &self.node.state().backend);
        let membership = &self.node.state().membership;
        let Downgrade { target_version, enabled } = membership.downgrade();
        let downgrade_info = DowngradeInfo { enabled, target_version };
        Ok(Response::new(StatusResponse {
            header,
            version: version::ETCD_SERVER.to_owned(),
            db_size: size(backend.size()),
            leader: raft.leader,
            raft_index: raft.commit,
            raft_term: raft.term,
            raft_applied_index: self.node.state().applied.index(),
            errors: self.status_errors(),
            db_size_in_use: size(backend.size_in_use()),
            is_learner: raft.is_learner,
            storage_version: membership.version().unwrap_or_else(|| version::ETCD_CLUSTER.to_owned()),
            db_size_quota: self.node.limits().quota_bytes.map_or(0, size),
            downgrade_info: Some(downgrade_info),
        }))
    }

    async fn defragment(&self, request: Request<DefragmentRequest>) -> Result<Response<DefragmentResponse>, Status> {
        caller::admit(&self.node, request.metadata().as_ref())?;
        tracing::info!("starting defragment");
        let inflight = &self.node.metrics().defrag_inflight;
        inflight.inc();
        let timed = self.node.metrics().backend_defrag.start_timer();
        let outcome = self.blocking(|node| node.state().backend.defragment()).await;
        timed.observe_duration();
        inflight.dec();
        outcome?;
        tracing::info!("finished defragment");
        Ok(Response::new(DefragmentResponse { header: None }))
    }

    async fn hash(&self, request: Request<HashRequest>) -> Result<Response<HashResponse>, Status> {
        caller::admit(&self.node, request.metadata().as_ref())?;
        let timed = self.node.metrics().hash_duration.start_timer();
        // Hashing takes long. All of the revision is in the hash, and perhaps what was written while it was made.
        let header = Some(self.node.current_header());
        let hash = self.blocking(|node| node.state().backend.hash()).await?;
        timed.observe_duration();
        Ok(Response::new(HashResponse { header, hash }))
    }

    async fn hash_kv(&self, request: Request<HashKvRequest>) -> Result<Response<HashKvResponse>, Status> {
        caller::admit(&self.node, request.metadata().as_ref())?;
        let revision = request.get_ref().revision;
        let found = self.node.hash_kv(revision).await.map_err(|error| Error::from(KvError::from(error)))?;
        Ok(Response::new(HashKvResponse {
            header: Some(self.node.header(found.current_revision)),
            hash: found.hash,
            compact_revision: found.compact_revision,
            hash_revision: found.hash_revision,
        }))
    }

    type SnapshotStream = SnapshotBlobs;

    async fn snapshot(&self, request: Request<SnapshotRequest>) -> Result<Response<SnapshotBlobs>, Status> {
        caller::admit_to_any_member(&self.node, request.metadata().as_ref())?;
        let reader = self.blocking(|node| node.state().backend.snapshot()).await?;
        Ok(Response::new(snapshot::start(reader, self.node.metrics().backend_snapshot.clone())))
    }

    async fn move_leader(&self, request: Request<MoveLeaderRequest>) -> Result<Response<MoveLeaderResponse>, Status> {
        caller::admit(&self.node, request.metadata().as_ref())?;
        self.node.move_leader(request.get_ref().target_id).await?;
        Ok(Response::new(MoveLeaderResponse { header: None }))
    }

    async fn downgrade(&self, request: Request<DowngradeRequest>) -> Result<Response<DowngradeResponse>, Status> {
        caller::admit(&self.node, request.metadata().as_ref())?;
        let request = request.into_inner();
        // Downgrades have no revision of their own; one from before is not newer than what is answered.
        let header = Some(self.node.current_header());
        let cluster = match DowngradeAction::try_from(request.action) {
            Ok(DowngradeAction::Validate) => self.node.validate_downgrade(&request.version).await?,
            Ok(DowngradeAction::Enable) => self.node.enable_downgrade(&request.version).await?,
            Ok(DowngradeAction::Cancel) => self.node.cancel_downgrade().await?,
            Err(_) => return Err(Error::UnknownMethod.into()),
        };
        Ok(Response::new(DowngradeResponse { header, version: cluster.minor_text() }))
    }
}

fn size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
