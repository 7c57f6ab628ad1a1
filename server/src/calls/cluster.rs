//! `etcdserverpb.Cluster`: lists the members and changes who they are.

use keyport_api::error::Error;
use keyport_api::etcdserverpb::*;
use keyport_api::methods::Method;
use tonic::Status;

use super::{Desk, note_subject};
use crate::gate::Caller;
use crate::membership;

/// See the module's text.
#[derive(Clone, Debug)]
pub struct Cluster {
    desk: Desk,
}

impl Cluster {
    pub(super) fn new(desk: Desk) -> Cluster {
        Cluster { desk }
    }

    /// Membership has no revision.
    fn header(&self) -> Option<ResponseHeader> {
        Some(self.desk.node.header(0))
    }

    /// # Errors
    /// As the RPC.
    pub async fn member_add(&self, caller: &Caller, request: MemberAddRequest) -> Result<MemberAddResponse, Error> {
        note_subject(caller, &request);
        let pass = self.desk.gate.admit(caller, Method::MemberAdd)?;
        let MemberAddRequest { peer_ur_ls, is_learner } = request;
        let (member, members) = self.desk.node.add_member(&pass, peer_ur_ls, is_learner).await?;
        if let Some(trail) = caller.trail() {
            trail.adds_member(member.id);
        }
        let member = Some(message(member));
        Ok(MemberAddResponse { header: self.header(), member, members: messages(members) })
    }

    /// # Errors
    /// As the RPC.
    pub async fn member_remove(
        &self,
        caller: &Caller,
        request: MemberRemoveRequest,
    ) -> Result<MemberRemoveResponse, Error> {
        note_subject(caller, &request);
        let pass = self.desk.gate.admit(caller, Method::MemberRemove)?;
        let members = self.desk.node.remove_member(&pass, request.id).await?;
        Ok(MemberRemoveResponse { header: self.header(), members: messages(members) })
    }

    /// # Errors
    /// As the RPC.
    pub async fn member_update(
        &self,
        caller: &Caller,
        request: MemberUpdateRequest,
    ) -> Result<MemberUpdateResponse, Error> {
        note_subject(caller, &request);
        let pass = self.desk.gate.admit(caller, Method::MemberUpdate)?;
        let MemberUpdateRequest { id, peer_ur_ls } = request;
        let members = self.desk.node.update_member(&pass, id, peer_ur_ls).await?;
        Ok(MemberUpdateResponse { header: self.header(), members: messages(members) })
    }

    /// # Errors
    /// As the RPC.
    pub async fn member_list(&self, caller: &Caller, request: MemberListRequest) -> Result<MemberListResponse, Error> {
        self.desk.gate.admit(caller, Method::MemberList)?;
        if request.linearizable {
            self.desk.node.read_barrier().await?;
        }
        let members = messages(self.desk.node.state().membership.list());
        Ok(MemberListResponse { header: self.header(), members })
    }

    /// # Errors
    /// As the RPC; its text may be the leader's own.
    pub async fn member_promote(
        &self,
        caller: &Caller,
        request: MemberPromoteRequest,
    ) -> Result<MemberPromoteResponse, Status> {
        note_subject(caller, &request);
        let pass = self.desk.gate.admit(caller, Method::MemberPromote)?;
        let members = self.desk.node.promote_member(&pass, request.id).await?;
        Ok(MemberPromoteResponse { header: self.header(), members: messages(members) })
    }
}

fn messages(members: Vec<membership::Member>) -> Vec<Member> {
    members.into_iter().map(message).collect()
}

pub(super) fn message(member: membership::Member) -> Member {
    Member {
        id: member.id,
        name: member.name,
        peer_ur_ls: member.peer_urls,
        client_ur_ls: member.client_urls,
        is_learner: member.is_learner,
    }
}
