//! The `v3electionpb.Election` service.

use keyport_api::v3electionpb::election_server::Election;
use keyport_api::v3electionpb::*;
use tonic::{Request, Response, Status};

#[derive(Clone, Debug)]
pub struct ElectionService {}

#[tonic::async_trait]
impl Election for ElectionService {
    async fn campaign(&self, _request: Request<CampaignRequest>) -> Result<Response<CampaignResponse>, Status> {
        Err(Status::unimplemented("not built yet"))
    }

    async fn proclaim(&self, _request: Request<ProclaimRequest>) -> Result<Response<ProclaimResponse>, Status> {
        Err(Status::unimplemented("not built yet"))
    }

    async fn leader(&self, _request: Request<LeaderRequest>) -> Result<Response<LeaderResponse>, Status> {
        Err(Status::unimplemented("not built yet"))
    }

    type ObserveStream = tokio_stream::Pending<Result<LeaderResponse, Status>>;
    async fn observe(&self, _request: Request<LeaderRequest>) -> Result<Response<Self::ObserveStream>, Status> {
        Err(Status::unimplemented("not built yet"))
    }

    async fn resign(&self, _request: Request<ResignRequest>) -> Result<Response<ResignResponse>, Status> {
        Err(Status::unimplemented("not built yet"))
    }
}
