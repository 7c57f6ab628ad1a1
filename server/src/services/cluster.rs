//! The `etcdserverpb.Cluster` service.

use keyport_api::etcdserverpb::cluster_server::Cluster;
use keyport_api::etcdserverpb::*;
use tonic::{Request, Response, Status};

use super::caller;
use crate::membership;
use crate::node::Node;

/// Lists the members.
#[derive(Clone, Debug)]
pub struct ClusterService {
    node: Node,
}

impl ClusterService {
    pub(crate) fn new(node: Node) -> ClusterService {
        ClusterService { node }
    }
}

const NO_RECONFIGURATION: &str = "membership changes are not supported by this release";

#[tonic::async_trait]
impl Cluster for ClusterService {
    async fn member_add(&self, _: Request<MemberAddRequest>) -> Result<Response<MemberAddResponse>, Status> {
        Err(Status::unimplemented(NO_RECONFIGURATION))
    }

    async fn member_remove(&self, _: Request<MemberRemoveRequest>) -> Result<Response<MemberRemoveResponse>, Status> {
        Err(Status::unimplemented(NO_RECONFIGURATION))
    }

    async fn member_update(&self, _: Request<MemberUpdateRequest>) -> Result<Response<MemberUpdateResponse>, Status> {
        Err(Status::unimplemented(NO_RECONFIGURATION))
    }

    async fn member_list(&self, request: Request<MemberListRequest>) -> Result<Response<MemberListResponse>, Status> {
        caller::admit(&self.node, request.metadata().as_ref())?;
        if request.get_ref().linearizable {
            self.node.read_barrier().await?;
        }
        let members = self.node.state().membership.list().into_iter().map(member_message).collect();
        Ok(Response::new(MemberListResponse { header: Some(self.node.header(0)), members }))
    }

    async fn member_promote(
        &self,
        _: Request<MemberPromoteRequest>,
    ) -> Result<Response<MemberPromoteResponse>, Status> {
        Err(Status::unimplemented(NO_RECONFIGURATION))
    }
}

fn member_message(member: membership::Member) -> Member {
    Member {
        id: member.id,
        name: member.name,
        peer_ur_ls: member.peer_urls,
        client_ur_ls: member.client_urls,
        is_learner: member.is_learner,
    }
}
