//! The `etcdserverpb.Lease` service.

mod keep_alive;

use keyport_api::error::Error;
use keyport_api::etcdserverpb::lease_server::Lease;
use keyport_api::etcdserverpb::*;
use keyport_storage::lease::MAX_TTL_SECONDS;
use tokio_stream::Stream;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

use super::caller::{self, StreamEnd};
use crate::apply::{Command, Reply};
use crate::node::Node;
pub use keep_alive::KeepAlives;

/// Grants, renews and revokes leases.
#[derive(Clone, Debug)]
pub struct LeaseService {
    node: Node,
}

impl LeaseService {
    pub(crate) fn new(node: Node) -> LeaseService {
        LeaseService { node }
    }

    /// Serves one stream of renewals: an answer for each request, in order, until `requests` ends.
    ///
    /// # Errors
    /// `NoLeader`, for a caller that insists on one.
    pub fn keep_alive<S>(&self, metadata: &MetadataMap, requests: S) -> Result<KeepAlives<S>, Status>
    where
        S: Stream<Item = Result<LeaseKeepAliveRequest, Status>> + Send + Unpin + 'static,
    {
        let end = StreamEnd::admit(&self.node, metadata.as_ref())?;
        Ok(KeepAlives::new(self.node.clone(), requests, end))
    }

    /// # Errors
    /// As the RPC.
    pub async fn grant(&self, mut request: LeaseGrantRequest) -> Result<LeaseGrantResponse, Error> {
        if request.ttl > MAX_TTL_SECONDS {
            return Err(Error::LeaseTtlTooLarge);
        }
        if request.id == 0 {
            request.id = self.node.next_lease_id();
        }
        // Here, and not where it is applied: other members may have other settings.
        request.ttl = request.ttl.max(self.node.limits().min_lease_ttl);
        let command = Command::LeaseGrant(request);
        self.node.check_quota(&command)?;
        match self.node.propose(command).await? {
            Reply::LeaseGrant { revision, id, ttl } => {
                Ok(LeaseGrantResponse { header: Some(self.node.header(revision)), id, ttl, error: String::new() })
            }
            _ => Err(Error::Stopped),
        }
    }

    /// # Errors
    /// As the RPC.
    pub async fn revoke(&self, id: i64) -> Result<LeaseRevokeResponse, Error> {
        match self.node.propose(Command::LeaseRevoke(LeaseRevokeRequest { id })).await? {
            Reply::LeaseRevoke { revision } => Ok(LeaseRevokeResponse { header: Some(self.node.header(revision)) }),
            _ => Err(Error::Stopped),
        }
    }
}

#[tonic::async_trait]
impl Lease for LeaseService {
    async fn lease_grant(&self, request: Request<LeaseGrantRequest>) -> Result<Response<LeaseGrantResponse>, Status> {
        caller::admit(&self.node, request.metadata().as_ref())?;
        Ok(Response::new(self.grant(request.into_inner()).await?))
    }

    async fn lease_revoke(
        &self,
        request: Request<LeaseRevokeRequest>,
    ) -> Result<Response<LeaseRevokeResponse>, Status> {
        caller::admit(&self.node, request.metadata().as_ref())?;
        Ok(Response::new(self.revoke(request.into_inner().id).await?))
    }

    type LeaseKeepAliveStream = KeepAlives<Streaming<LeaseKeepAliveRequest>>;

    async fn lease_keep_alive(
        &self,
        request: Request<Streaming<LeaseKeepAliveRequest>>,
    ) -> Result<Response<Self::LeaseKeepAliveStream>, Status> {
        let (metadata, _, requests) = request.into_parts();
        Ok(Response::new(self.keep_alive(&metadata, requests)?))
    }

    async fn lease_time_to_live(
        &self,
        request: Request<LeaseTimeToLiveRequest>,
    ) -> Result<Response<LeaseTimeToLiveResponse>, Status> {
        caller::admit(&self.node, request.metadata().as_ref())?;
        let request = request.into_inner();
        // As of before the leader is asked, which may be far away: what it knows then is at least this new. The revision after
        // its answer could be that of a revocation which the answer knows nothing of.
        let header = Some(self.node.current_header());
        let found = self.node.time_to_live(request).await;
        let response = match found {
            Ok(found) => LeaseTimeToLiveResponse { header, ..found },
            Err(Error::LeaseNotFound) => {
                LeaseTimeToLiveResponse { header, id: request.id, ttl: -1, ..Default::default() }
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Response::new(response))
    }

    async fn lease_leases(
        &self,
        request: Request<LeaseLeasesRequest>,
    ) -> Result<Response<LeaseLeasesResponse>, Status> {
        caller::admit(&self.node, request.metadata().as_ref())?;
        // As of before the look at the leases, which may then be newer but never older than the header says.
        let header = Some(self.node.current_header());
        let leases = self.node.state().lessor.list().into_iter().map(|id| LeaseStatus { id }).collect();
        Ok(Response::new(LeaseLeasesResponse { header, leases }))
    }
}
