//! `etcdserverpb.Maintenance`: looks after the node itself.

mod copies;
mod pieces;
mod saved;
mod snapshot;

use std::sync::Arc;

use keyport_api::error::{Error, backend_failed};
use keyport_api::etcdserverpb::alarm_request::AlarmAction;
use keyport_api::etcdserverpb::downgrade_request::DowngradeAction;
use keyport_api::etcdserverpb::*;
use keyport_api::methods::Method;
use keyport_storage::backend::BackendError;
use tonic::Status;

use super::{Desk, JudgedAnew, note, note_subject};
use crate::apply::waiters::Answer;
use crate::auth::Root;
use crate::gate::Caller;
use crate::kv::KvError;
use crate::metrics::History;
use crate::node::{DefragmentError, Node};
use crate::{membership, version};
use copies::Copies;
pub(crate) use saved::SavedCopy;
pub(crate) use snapshot::SnapshotBlobs;

/// See the module's text.
#[derive(Clone, Debug)]
pub struct Maintenance {
    desk: Desk,
    copies: Arc<Copies>,
}

impl Maintenance {
    pub(super) fn new(desk: Desk) -> Maintenance {
        let copies = Arc::new(Copies::new(Arc::clone(&desk.node.state().backend)));
        Maintenance { desk, copies }
    }

    /// # Errors
    /// As the RPC.
    pub async fn alarm(&self, caller: &Caller, request: AlarmRequest) -> Result<AlarmResponse, Error> {
        let Desk { node, gate, .. } = &self.desk;
        note(caller, &request);
        let pass = gate.admit(caller, Method::Alarm)?;
        if AlarmAction::try_from(request.action).is_err() {
            return Err(Error::UnknownMethod);
        }
        if request.action() != AlarmAction::Get {
            self.desk.allow(&pass, &Root).await?;
        }
        let Answer { revision, reply } = self.desk.propose(&pass, request).await?;
        Ok(AlarmResponse { header: Some(node.header(revision)), ..reply })
    }

    /// Whether a caller may see what is for those alone who run the member.
    ///
    /// # Errors
    /// `UserEmpty`, `InvalidAuthToken`, `PermissionDenied` and the like.
    pub fn look_inside(&self, caller: &Caller) -> Result<(), Error> {
        self.desk.gate.admit_root(caller)
    }

    /// Whether a caller still may, who could when he began to look.
    ///
    /// # Errors
    /// As [`Maintenance::look_inside`].
    pub(crate) fn look_on(&self, caller: &Caller) -> Result<(), Error> {
        self.desk.gate.is_still_root(caller)
    }

    /// Hears from now on when who looks on has to be judged anew.
    ///
    /// # Errors
    /// As `Maintenance.Status`.
    pub(crate) fn judged_anew(&self, caller: &Caller) -> Result<JudgedAnew, Error> {
        Ok(self.desk.judged_anew(&self.desk.gate.admit_part(caller, Method::Status, true)?))
    }

    /// What this member did of late.
    ///
    /// # Errors
    /// As [`Maintenance::look_inside`].
    pub(crate) fn history(&self, caller: &Caller) -> Result<&History, Error> {
        self.look_inside(caller)?;
        Ok(self.desk.node.metrics().history())
    }

    /// The same, for who has looked at it before.
    ///
    /// # Errors
    /// As [`Maintenance::look_inside`].
    pub(crate) fn history_on(&self, caller: &Caller) -> Result<&History, Error> {
        self.look_on(caller)?;
        Ok(self.desk.node.metrics().history())
    }

    /// The id of this member.
    pub(crate) fn member_id(&self) -> u64 {
        self.desk.node.identity().member_id
    }

    /// # Errors
    /// As the RPC.
    #[expect(clippy::unused_async, reason = "a call like the others")]
    pub async fn status(&self, caller: &Caller, _: StatusRequest) -> Result<StatusResponse, Error> {
        let Desk { node, gate, .. } = &self.desk;
        gate.admit(caller, Method::Status)?;
        let ((raft, applied), backend) = (node.raft_status(), &node.state().backend);
        let header = Some(ResponseHeader { raft_term: raft.term, ..node.current_header() });
        let membership = &node.state().membership;
        let membership::Downgrade { target_version, enabled } = membership.downgrade();
        let downgrade_info = DowngradeInfo { enabled, target_version };
        Ok(StatusResponse {
            header,
            version: version::ETCD_SERVER.to_owned(),
            db_size: size(backend.size()),
            leader: raft.leader,
            raft_index: raft.commit,
            raft_term: raft.term,
            raft_applied_index: applied,
            errors: status_errors(node),
            db_size_in_use: size(backend.size_in_use()),
            is_learner: raft.is_learner,
            storage_version: membership.version().unwrap_or_else(|| version::ETCD_CLUSTER.to_owned()),
            db_size_quota: node.limits().quota_bytes.map_or(0, size),
            downgrade_info: Some(downgrade_info),
        })
    }

    /// # Errors
    /// As the RPC.
    pub async fn defragment(&self, caller: &Caller, _: DefragmentRequest) -> Result<DefragmentResponse, Status> {
        let Desk { node, gate, .. } = &self.desk;
        gate.admit(caller, Method::Defragment)?;
        node.defragment().await.map_err(|error| match error {
            DefragmentError::Backend(error) => backend_status(&error),
            error @ (DefragmentError::Thread(_) | DefragmentError::Panicked) => {
                tracing::error!(%error, "failed to defragment");
                Error::Stopped.into()
            }
        })?;
        Ok(DefragmentResponse { header: None })
    }

    /// # Errors
    /// As the RPC.
    pub async fn hash(&self, caller: &Caller, _: HashRequest) -> Result<HashResponse, Status> {
        let Desk { node, gate, bulk } = &self.desk;
        gate.admit(caller, Method::Hash)?;
        let timed = node.metrics().hash_duration.start_timer();
        // Hashing takes long. All of the revision is in the hash, and perhaps what was written while it was made.
        let header = Some(node.current_header());
        let state = node.shared_state();
        let hash = bulk.aside(caller.lane()).run(move |_| state.backend.hash()).await?;
        timed.observe_duration();
        let hash = hash.map_err(|error| backend_status(&error))?;
        Ok(HashResponse { header, hash })
    }

    /// # Errors
    /// As the RPC.
    pub async fn hash_kv(&self, caller: &Caller, request: HashKvRequest) -> Result<HashKvResponse, Error> {
        let Desk { node, gate, bulk } = &self.desk;
        gate.admit(caller, Method::HashKv)?;
        let state = node.shared_state();
        let timed = node.metrics().hash_rev_duration.start_timer();
        let found = bulk.aside(caller.lane()).run(move |_| state.store.hash_kv(request.revision)).await?;
        timed.observe_duration();
        let found = found.map_err(KvError::from)?;
        Ok(HashKvResponse {
            header: Some(node.header(found.current_revision)),
            hash: found.hash,
            compact_revision: found.compact_revision,
            hash_revision: found.hash_revision,
        })
    }

    /// # Errors
    /// As the RPC.
    pub async fn snapshot(&self, caller: &Caller, _: SnapshotRequest) -> Result<SnapshotBlobs, Status> {
        let Desk { node, gate, .. } = &self.desk;
        gate.admit(caller, Method::Snapshot)?;
        let copy = self.copies.get().await?;
        Ok(snapshot::start(copy, &node.metrics().backend_snapshot))
    }

    /// The same as a file: one that was made before, if it is `wanted` by its tag and still there, and otherwise none if it has
    /// to be that (`or_new`).
    ///
    /// # Errors
    /// As [`Maintenance::snapshot`].
    pub(crate) async fn saved_copy(
        &self,
        caller: &Caller,
        wanted: &[String],
        or_new: bool,
    ) -> Result<Option<SavedCopy>, Status> {
        let Desk { node, gate, .. } = &self.desk;
        gate.admit(caller, Method::Snapshot)?;
        let timed = &node.metrics().backend_snapshot;
        if let Some(kept) = self.copies.find(|digests| wanted.contains(&saved::tag(digests))) {
            return SavedCopy::of(kept, timed).await.map(Some);
        }
        if !or_new {
            return Ok(None);
        }
        let copy = self.copies.get().await?;
        let saved = SavedCopy::of(Arc::clone(&copy), timed).await?;
        self.copies.keep(&copy);
        Ok(Some(saved))
    }

    /// # Errors
    /// As the RPC.
    pub async fn move_leader(&self, caller: &Caller, request: MoveLeaderRequest) -> Result<MoveLeaderResponse, Error> {
        let Desk { node, gate, .. } = &self.desk;
        note_subject(caller, &request);
        let pass = gate.admit(caller, Method::MoveLeader)?;
        node.move_leader(&pass, request.target_id).await?;
        Ok(MoveLeaderResponse { header: None })
    }

    /// # Errors
    /// As the RPC.
    pub async fn downgrade(&self, caller: &Caller, request: DowngradeRequest) -> Result<DowngradeResponse, Error> {
        let Desk { node, gate, .. } = &self.desk;
        note_subject(caller, &request);
        let pass = gate.admit(caller, Method::Downgrade)?;
        // Downgrades have no revision of their own; one from before is not newer than what is answered.
        let header = Some(node.current_header());
        let cluster = match DowngradeAction::try_from(request.action) {
            Ok(DowngradeAction::Validate) => node.validate_downgrade(&request.version).await?,
            Ok(DowngradeAction::Enable) => node.enable_downgrade(&pass, &request.version).await?,
            Ok(DowngradeAction::Cancel) => node.cancel_downgrade(&pass).await?,
            Err(_) => return Err(Error::UnknownMethod),
        };
        Ok(DowngradeResponse { header, version: cluster.minor_text() })
    }
}

fn status_errors(node: &Node) -> Vec<String> {
    let mut errors = Vec::new();
    if node.raft().leader() == 0 {
        errors.push(Error::NoLeader.to_string());
    }
    for alarm in node.state().alarms.list(AlarmType::None.into()) {
        errors.push(match alarm.member_id {
            // Of nobody in particular.
            0 => format!("alarm:{}", alarm.alarm().as_str_name()),
            member => format!("memberID:{member} alarm:{}", alarm.alarm().as_str_name()),
        });
    }
    errors
}

fn backend_status(error: &BackendError) -> Status {
    if let BackendError::NoRoom { .. } | BackendError::NoSpace(_) = error {
        tracing::warn!(%error, "too little disk space to copy the database");
        return Error::NoRoomForCopy.into();
    }
    tracing::error!(%error, "backend failed");
    backend_failed(error)
}

fn size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
