//! A replicated request, and how it is put into its envelope.

use keyport_api::etcdserverpb::*;
use keyport_api::membershippb::{ClusterMemberAttrSetRequest, ClusterVersionSetRequest, DowngradeInfoSetRequest};

use super::Proposal;

/// The one request that an `InternalRaftRequest` carries, of the kinds that this server applies.
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
    /// Understood, and without any effect on the state; by its name.
    Nothing(&'static str),
}

impl Proposal {
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
            Command::Nothing(_) => request.downgrade_version_test = Some(DowngradeVersionTestRequest::default()),
        }
        request
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
            Command::Nothing(name) => name,
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
