//! The `etcdserverpb.Cluster` service.

use keyport_api::etcdserverpb::cluster_server::Cluster;
use keyport_api::etcdserverpb::*;
use tonic::{Request, Response, Status};

use super::caller;
use crate::membership;
use crate::node::Node;

/// Lists the members and changes who they are.
#[derive(Clone, Debug)]
pub struct ClusterService {
    node: Node,
}

impl ClusterService {
    pub(crate) fn new(node: Node) -> ClusterService {
        ClusterService { node }
    }

    /// What the health check has to pass, as every call.
    ///
    /// # Errors
    /// `NotSupportedForLearner`, `NoLeader`.
    pub fn admit(&self, metadata: &http::HeaderMap) -> Result<(), Status> {
        Ok(caller::admit(&self.node, metadata)?)
    }

    /// Membership has no revision.
    fn header(&self) -> Option<ResponseHeader> {
        Some(self.node.header(0))
    }
}

#[tonic::async_trait]
impl Cluster for ClusterService {
    async fn member_add(&self, request: Request<MemberAddRequest>) -> Result<Response<MemberAddResponse>, Status> {
        caller::admit(&self.node, request.metadata().as_ref())?;
        let MemberAddRequest { peer_ur_ls, is_learner } = request.into_inner();
        let (member, members) = self.node.add_member(peer_ur_ls, is_learner).await?;
        let member = Some(member_message(member));
        Ok(Response::new(MemberAddResponse { header: self.header(), member, members: messages(members) }))
    }

    async fn member_remove(
        &self,
        request: Request<MemberRemoveRequest>,
    ) -> Result<Response<MemberRemoveResponse>, Status> {
        caller::admit(&self.node, request.metadata().as_ref())?;
        let members = self.node.remove_member(request.get_ref().id).await?;
        Ok(Response::new(MemberRemoveResponse { header: self.header(), members: messages(members) }))
    }

    async fn member_update(
        &self,
        request: Request<MemberUpdateRequest>,
    ) -> Result<Response<MemberUpdateResponse>, Status> {
        caller::admit(&self.node, request.metadata().as_ref())?;
        let MemberUpdateRequest { id, peer_ur_ls } = request.into_inner();
        let members = self.node.update_member(id, peer_ur_ls).await?;
        Ok(Response::new(MemberUpdateResponse { header: self.header(), members: messages(members) }))
    }

    async fn member_list(&self, request: Request<MemberListRequest>) -> Result<Response<MemberListResponse>, Status> {
        caller::admit(&self.node, request.metadata().as_ref())?;
        if request.get_ref().linearizable {
            self.node.read_barrier().await?;
        }
        let members = messages(self.node.state().membership.list());
        Ok(Response::new(MemberListResponse { header: self.header(), members }))
    }

    async fn member_promote(
        &self,
        request: Request<MemberPromoteRequest>,
    ) -> Result<Response<MemberPromoteResponse>, Status> {
        caller::admit(&self.node, request.metadata().as_ref())?;
        let members = self.node.promote_member(request.get_ref().id).await?;
        Ok(Response::new(MemberPromoteResponse { header: self.header(), members: messages(members) }))
    }
}

fn messages(members: Vec<membership::Member>) -> Vec<Member> {
    members.into_iter().map(member_message).collect()
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
