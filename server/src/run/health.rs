//! The node, as health checks see it.

use std::time::Duration;

use bytes::Bytes;
use keyport_api::error::backend_failed;
use keyport_api::etcdserverpb::AlarmType;
use keyport_storage::KeyRange;
use keyport_storage::mvcc::RangeOptions;
use tonic::Status;

use crate::faces::ops::{HealthSource, RaftState};
use crate::node::Node;
use crate::version::Versions;

/// Between two looks for a leader at start.
const RETRY: Duration = Duration::from_millis(50);

impl Node {
    /// Returns once the cluster has a leader, this member has caught up with it and is known by its client URLs.
    pub(crate) async fn ready(&self) {
        while self.read_barrier().await.is_err() {
            tokio::time::sleep(RETRY).await;
        }
        // Clients find each other by what is published. It fails only when the node has stopped.
        let _ = self.publish().await;
        self.found_version().await;
    }
}

impl HealthSource for Node {
    fn alarms(&self) -> Vec<AlarmType> {
        self.state().alarms.list(AlarmType::None.into()).iter().map(|alarm| alarm.alarm()).collect()
    }

    fn has_leader(&self) -> bool {
        self.raft().leader() != 0
    }

    fn is_learner(&self) -> bool {
        Node::raft(self).is_learner()
    }

    async fn serializable_read(&self) -> Result<(), Status> {
        let options = RangeOptions { count_only: true, limit: 1, ..RangeOptions::default() };
        match self.store().range(&KeyRange::single(Bytes::from_static(b"health")), options) {
            Ok(_) => Ok(()),
            Err(error) => Err(backend_failed(error)),
        }
    }

    async fn linearizable_read(&self) -> Result<(), Status> {
        self.read_barrier().await?;
        self.serializable_read().await
    }

    fn versions(&self) -> Versions {
        Versions::in_cluster(self.state().membership.version())
    }

    fn raft(&self) -> RaftState {
        let (status, applied) = self.raft_status();
        RaftState { id: status.id, leader: status.leader, term: status.term, commit: status.commit, applied }
    }
}
