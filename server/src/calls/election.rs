//! The `v3electionpb.Election` service.

mod observe;

use keyport_api::error::Error;
use keyport_api::etcdserverpb::request_op::Request as Op;
use keyport_api::etcdserverpb::{DeleteRangeRequest, PutRequest};
use keyport_api::v3electionpb::election_server::Election;
use keyport_api::v3electionpb::*;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::caller::{self, StreamEnd};
use super::queue::{self, Queue};
use crate::node::Node;

/// Elections whose leader holds a lease.
#[derive(Clone, Debug)]
pub struct ElectionService {
    queue: Queue,
}

impl ElectionService {
    pub(crate) fn new(node: Node) -> ElectionService {
        ElectionService { queue: Queue::new(node) }
    }

    async fn proclaim_value(
        &self,
        leader: LeaderKey,
        value: bytes::Bytes,
    ) -> Result<keyport_api::etcdserverpb::TxnResponse, Status> {
        let put = PutRequest { key: leader.key.clone(), value, lease: leader.lease, ..PutRequest::default() };
        let response = self.queue.change(leader.key, leader.rev, Op::RequestPut(put)).await.map_err(queue::status)?;
        if response.succeeded { Ok(response) } else { Err(Error::ElectionNotLeader.into()) }
    }

    async fn win(&self, request: CampaignRequest) -> Result<CampaignResponse, Status> {
        let CampaignRequest { name, lease, value } = request;
        let place = self.queue.enter(&name, lease, value.clone()).await.map_err(queue::status)?;
        let leader = LeaderKey { name: name.clone(), key: place.key.clone(), rev: place.revision, lease: place.lease };
        if place.found.as_ref().is_some_and(|found| found.value != value) {
            self.proclaim_value(leader.clone(), value).await?;
        }
        self.queue.wait_turn(&name, &place).await.map_err(queue::status)?;
        // Of when it entered, not of when it won: so clients of etcd know it.
        Ok(CampaignResponse { header: place.header, leader: Some(leader) })
    }
}

#[tonic::async_trait]
impl Election for ElectionService {
    async fn campaign(&self, request: Request<CampaignRequest>) -> Result<Response<CampaignResponse>, Status> {
        let end = StreamEnd::admit(self.queue.node(), request.metadata().as_ref())?;
        end.unless_ended(self.win(request.into_inner())).await.map(Response::new)
    }

    async fn proclaim(&self, request: Request<ProclaimRequest>) -> Result<Response<ProclaimResponse>, Status> {
        caller::admit(self.queue.node(), request.metadata().as_ref())?;
        let ProclaimRequest { leader, value } = request.into_inner();
        let leader = leader.ok_or(Error::ElectionLeaderMissing)?;
        let response = self.proclaim_value(leader, value).await?;
        Ok(Response::new(ProclaimResponse { header: response.header }))
    }

    async fn leader(&self, request: Request<LeaderRequest>) -> Result<Response<LeaderResponse>, Status> {
        caller::admit(self.queue.node(), request.metadata().as_ref())?;
        let (header, first) = self.queue.first(&request.into_inner().name).await.map_err(queue::status)?;
        let kv = first.ok_or(Error::ElectionNoLeader)?;
        Ok(Response::new(LeaderResponse { header: Some(header), kv: Some(kv) }))
    }

    type ObserveStream = ReceiverStream<Result<LeaderResponse, Status>>;

    async fn observe(&self, request: Request<LeaderRequest>) -> Result<Response<Self::ObserveStream>, Status> {
        let end = StreamEnd::admit(self.queue.node(), request.metadata().as_ref())?;
        Ok(Response::new(observe::start(self.queue.clone(), request.into_inner().name, end)))
    }

    async fn resign(&self, request: Request<ResignRequest>) -> Result<Response<ResignResponse>, Status> {
        caller::admit(self.queue.node(), request.metadata().as_ref())?;
        let leader = request.into_inner().leader.ok_or(Error::ElectionLeaderMissing)?;
        let delete = DeleteRangeRequest { key: leader.key.clone(), ..DeleteRangeRequest::default() };
        let response =
            self.queue.change(leader.key, leader.rev, Op::RequestDeleteRange(delete)).await.map_err(queue::status)?;
        Ok(Response::new(ResignResponse { header: response.header }))
    }
}
