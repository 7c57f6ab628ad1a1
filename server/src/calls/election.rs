//! `v3electionpb.Election`: elections whose leader holds a lease.

mod observe;

use bytes::Bytes;
use keyport_api::error::{Error, of_own_client};
use keyport_api::etcdserverpb::request_op::Request as Op;
use keyport_api::etcdserverpb::{DeleteRangeRequest, PutRequest};
use keyport_api::methods::Method;
use keyport_api::v3electionpb::*;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::kv::KvAnswer;
use super::line::Line;
use super::queue::Queue;
use crate::gate::{Caller, Pass};
use crate::kv::TxnReply;

/// See the module's text.
#[derive(Clone, Debug)]
pub struct Election {
    queue: Queue,
}

impl Election {
    pub(super) fn new(queue: Queue) -> Election {
        Election { queue }
    }

    /// The lines that they are made of.
    pub fn lines(&self) -> Line {
        Line::of_elections(self.queue.clone())
    }

    fn admit(&self, caller: &Caller, method: Method) -> Result<Pass, Error> {
        self.queue.desk.gate.admit(caller, method)
    }

    /// Waits to be elected. Dropping the future leaves the line.
    ///
    /// # Errors
    /// As the RPC.
    pub async fn campaign(&self, caller: &Caller, request: CampaignRequest) -> Result<CampaignResponse, Status> {
        let pass = self.admit(caller, Method::Campaign)?;
        self.queue.count(&pass, &request.name)?;
        let end = self.queue.desk.gate.end_of(&pass);
        end.unless_ended(async { self.win(&pass, request).await.map_err(of_own_client) }).await
    }

    /// # Errors
    /// As the RPC.
    pub async fn proclaim(&self, caller: &Caller, request: ProclaimRequest) -> Result<ProclaimResponse, Status> {
        let pass = self.admit(caller, Method::Proclaim)?;
        let ProclaimRequest { leader, value } = request;
        let leader = leader.ok_or(Error::ElectionLeaderMissing)?;
        // What is written is the key, whatever the name says.
        self.queue.desk.gate.count_keys(&pass, &PutRequest { key: leader.key.clone(), ..PutRequest::default() })?;
        let response = self.proclaim_value(&pass, leader, value).await.map_err(of_own_client)?;
        Ok(ProclaimResponse { header: Some(response.header) })
    }

    /// # Errors
    /// As the RPC.
    pub async fn leader(&self, caller: &Caller, request: LeaderRequest) -> Result<LeaderResponse, Status> {
        let pass = self.admit(caller, Method::Leader)?;
        self.queue.count(&pass, &request.name)?;
        let (header, first) = self.queue.first(&pass, &request.name).await.map_err(of_own_client)?;
        let kv = first.ok_or(Error::ElectionNoLeader)?;
        Ok(LeaderResponse { header: Some(header), kv: Some(kv) })
    }

    /// # Errors
    /// As the RPC.
    #[expect(clippy::unused_async, reason = "a call like the others")]
    pub async fn observe(
        &self,
        caller: &Caller,
        request: LeaderRequest,
    ) -> Result<ReceiverStream<Result<LeaderResponse, Status>>, Error> {
        let pass = self.admit(caller, Method::Observe)?;
        self.queue.count(&pass, &request.name)?;
        let end = self.queue.desk.gate.end_of(&pass);
        Ok(observe::start(self.queue.clone(), pass, request.name, end))
    }

    /// # Errors
    /// As the RPC.
    pub async fn resign(&self, caller: &Caller, request: ResignRequest) -> Result<ResignResponse, Status> {
        let pass = self.admit(caller, Method::Resign)?;
        let leader = request.leader.ok_or(Error::ElectionLeaderMissing)?;
        self.queue.count_leaving(&pass, &leader.key)?;
        let delete = DeleteRangeRequest { key: leader.key.clone(), ..DeleteRangeRequest::default() };
        let changed = self.queue.change(&pass, leader.key, leader.rev, Op::RequestDeleteRange(delete)).await;
        Ok(ResignResponse { header: Some(changed.map_err(of_own_client)?.header) })
    }

    async fn proclaim_value(&self, pass: &Pass, leader: LeaderKey, value: Bytes) -> Result<KvAnswer<TxnReply>, Error> {
        let put = PutRequest { key: leader.key.clone(), value, lease: leader.lease, ..PutRequest::default() };
        let response = self.queue.change(pass, leader.key, leader.rev, Op::RequestPut(put)).await?;
        if response.reply.succeeded { Ok(response) } else { Err(Error::ElectionNotLeader) }
    }

    async fn win(&self, pass: &Pass, request: CampaignRequest) -> Result<CampaignResponse, Error> {
        let CampaignRequest { name, lease, value } = request;
        let place = self.queue.enter(pass, &name, lease, value.clone()).await?;
        let leader = LeaderKey { name: name.clone(), key: place.key.clone(), rev: place.revision, lease: place.lease };
        if place.found.as_ref().is_some_and(|found| found.value != value) {
            self.proclaim_value(pass, leader.clone(), value).await?;
        }
        // (etcd calls it the leader even if it is gone.)
        if self.queue.wait_turn(pass, &name, &place).await?.is_none() {
            return Err(Error::ElectionSessionExpired);
        }
        // Of when it entered, not of when it won: so clients of etcd know it.
        Ok(CampaignResponse { header: Some(place.header), leader: Some(leader) })
    }
}
