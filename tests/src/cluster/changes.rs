//! Changes of the membership, which a cluster may refuse for a while.
//!
//! A member calls its cluster unhealthy while one of its connections to the others is younger than five seconds, and a change under
//! load can be made although its answer was lost. So tests that need a change ask until it is answered or the member list shows
//! it, and tests that expect a refusal ask until the refusal is not about the connections.

use keyport_api::etcdserverpb::{
    Member, MemberAddRequest, MemberListRequest, MemberPromoteRequest, MemberRemoveRequest,
};
use tonic::Status;

use super::Cluster;
use crate::grpc::Grpc;
use crate::wait::eventually;

/// Whether a refusal is only about connections that are too young.
pub fn is_unsettled(message: &str) -> bool {
    message.contains("etcdserver: unhealthy cluster")
}

/// The first answer of `ask` that does not complain about young connections.
///
/// # Panics
/// If there is none.
pub async fn settled<T>(mut ask: impl AsyncFnMut() -> Result<T, Status>) -> Result<T, Status> {
    eventually("its connections are old enough", async || match ask().await {
        Err(status) if is_unsettled(status.message()) => None,
        answer => Some(answer),
    })
    .await
}

impl Cluster {
    /// Adds a member through `through` and does not start it.
    ///
    /// # Panics
    /// If that is refused for longer than a new cluster needs to settle.
    pub async fn add(&mut self, through: usize, learner: bool) -> usize {
        let mut member = self.new_member(None);
        let peer_ur_ls = vec![member.peer_url()];
        let members = self
            .change(
                through,
                "a member is added",
                async |c| {
                    let request = MemberAddRequest { peer_ur_ls: peer_ur_ls.clone(), is_learner: learner };
                    Ok(c.cluster.member_add(request).await?.into_inner().members)
                },
                |members| members.iter().any(|m| m.peer_ur_ls == peer_ur_ls),
            )
            .await;
        let added = members.iter().find(|m| m.peer_ur_ls == peer_ur_ls).expect("it is listed");
        member.set_id(added.id);
        self.members.push(member);
        let new = self.members.len() - 1;
        self.join(new, &members);
        new
    }

    /// Promotes a learner, once it is ready.
    ///
    /// # Panics
    /// If it never is.
    pub async fn promote(&self, through: usize, member: usize) -> Vec<Member> {
        let id = self.members[member].id;
        let is_voter = |members: &[Member]| members.iter().any(|m| m.id == id && !m.is_learner);
        let request = MemberPromoteRequest { id };
        let ask = async |c: &mut Grpc| Ok(c.cluster.member_promote(request).await?.into_inner().members);
        self.change(through, "the learner is promoted", ask, is_voter).await
    }

    /// Removes a member.
    ///
    /// # Panics
    /// If that is refused for good.
    pub async fn remove(&self, through: usize, member: usize) -> Vec<Member> {
        let id = self.members[member].id;
        let is_gone = |members: &[Member]| members.iter().all(|m| m.id != id);
        let request = MemberRemoveRequest { id };
        let ask = async |c: &mut Grpc| Ok(c.cluster.member_remove(request).await?.into_inner().members);
        self.change(through, "the member is removed", ask, is_gone).await
    }

    /// All members, as `through` knows them by itself or for sure.
    ///
    /// # Errors
    /// If it does not know.
    pub async fn list(&self, through: usize, linearizable: bool) -> Result<Vec<Member>, Status> {
        let answer = self.grpc(through).cluster.member_list(MemberListRequest { linearizable }).await?;
        Ok(answer.into_inner().members)
    }

    /// What is answered, or what the list shows once a change was made whose answer was lost.
    async fn change(
        &self,
        through: usize,
        what: &str,
        mut ask: impl AsyncFnMut(&mut Grpc) -> Result<Vec<Member>, Status>,
        made: impl Fn(&[Member]) -> bool,
    ) -> Vec<Member> {
        let mut c = self.grpc(through);
        eventually(what, async || {
            match ask(&mut c).await {
                Ok(members) => Some(members),
                // Its own list, since a second voter that has not started leaves no quorum.
                Err(_) => self.list(through, false).await.ok().filter(|members| made(members)),
            }
        })
        .await
    }
}
