//! A replicated request, taken out of its envelope.

use keyport_api::etcdserverpb::*;
use keyport_api::membershippb::{ClusterMemberAttrSetRequest, ClusterVersionSetRequest, DowngradeInfoSetRequest};
use prost::Message;

/// The one request that an `InternalRaftRequest` carries, of the kinds that this server proposes.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    Put(PutRequest),
    DeleteRange(DeleteRangeRequest),
    Txn(TxnRequest),
    Compaction(CompactionRequest),
    LeaseGrant(LeaseGrantRequest),
    LeaseRevoke(LeaseRevokeRequest),
    LeaseCheckpoint(LeaseCheckpointRequest),
    Alarm(AlarmRequest),
    ClusterVersionSet(ClusterVersionSetRequest),
    MemberAttrSet(ClusterMemberAttrSetRequest),
    DowngradeInfoSet(DowngradeInfoSetRequest),
    /// A request of another release or of a feature that this one does not apply.
    Unknown,
}

/// A decoded entry: who waits for it and what it asks.
#[derive(Clone, Debug)]
pub(crate) struct Proposal {
    /// 0 when nobody waits.
    pub(crate) id: u64,
    pub(crate) command: Command,
}

impl Proposal {
    /// # Errors
    /// When the entry is not an `InternalRaftRequest`.
    pub(crate) fn decode(entry: bytes::Bytes) -> Result<Proposal, prost::DecodeError> {
        let request = InternalRaftRequest::decode(entry)?;
        let id = request.header.as_ref().map_or(request.id, |header| header.id);
        Ok(Proposal { id, command: Command::from(request) })
    }

    pub(crate) fn encode(self) -> InternalRaftRequest {
        let header = RequestHeader { id: self.id, ..RequestHeader::default() };
        let mut request = InternalRaftRequest { header: Some(header), ..InternalRaftRequest::default() };
        match self.command {
            Command::Put(put) => request.put = Some(put),
            Command::DeleteRange(delete) => request.delete_range = Some(delete),
            Command::Txn(txn) => request.txn = Some(txn),
            Command::Compaction(compaction) => request.compaction = Some(compaction),
            Command::LeaseGrant(grant) => request.lease_grant = Some(grant),
            Command::LeaseRevoke(revoke) => request.lease_revoke = Some(revoke),
            Command::LeaseCheckpoint(checkpoint) => request.lease_checkpoint = Some(checkpoint),
            Command::Alarm(alarm) => request.alarm = Some(alarm),
            Command::ClusterVersionSet(version) => request.cluster_version_set = Some(version),
            Command::MemberAttrSet(attributes) => request.cluster_member_attr_set = Some(attributes),
            Command::DowngradeInfoSet(info) => request.downgrade_info_set = Some(info),
            Command::Unknown => {}
        }
        request
    }
}

impl From<InternalRaftRequest> for Command {
    fn from(request: InternalRaftRequest) -> Command {
        macro_rules! first {
            ($($field:ident => $command:ident),* $(,)?) => {
                $(if let Some(inner) = request.$field { return Command::$command(inner) })*
            };
        }
        first! {
            put => Put,
            txn => Txn,
            delete_range => DeleteRange,
            lease_grant => LeaseGrant,
            lease_revoke => LeaseRevoke,
            compaction => Compaction,
            lease_checkpoint => LeaseCheckpoint,
            alarm => Alarm,
            cluster_version_set => ClusterVersionSet,
            cluster_member_attr_set => MemberAttrSet,
            downgrade_info_set => DowngradeInfoSet,
        }
        Command::Unknown
    }
}

impl Command {
    /// The operation's name in `etcd_server_apply_duration_seconds`.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Command::Put(_) => "Put",
            Command::DeleteRange(_) => "DeleteRange",
            Command::Txn(_) => "Txn",
            Command::Compaction(_) => "Compaction",
            Command::LeaseGrant(_) => "LeaseGrant",
            Command::LeaseRevoke(_) => "LeaseRevoke",
            Command::LeaseCheckpoint(_) => "LeaseCheckpoint",
            Command::Alarm(_) => "Alarm",
            Command::ClusterVersionSet(_) => "ClusterVersionSet",
            Command::MemberAttrSet(_) => "ClusterMemberAttrSet",
            Command::DowngradeInfoSet(_) => "DowngradeInfoSet",
            Command::Unknown => "unknown",
        }
    }

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
