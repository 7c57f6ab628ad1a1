//! How all members are, as far as this one can find out: it asks each of them, all at once, and waits for nobody long.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::Node;
use crate::asking::standing::{self, Standing, StandingError};
use crate::membership::Member;
use crate::version;

/// How long one member may take to say how it is: whoever watches hears within a second that it does not.
const ASK: Duration = Duration::from_millis(700);

/// A member, and what it says of itself.
#[derive(Debug)]
pub(crate) struct Looked {
    pub(crate) member: Member,
    /// With how long it took.
    pub(crate) standing: Result<(Standing, Duration), StandingError>,
}

impl Node {
    /// How this member is.
    pub(crate) fn own_standing(&self) -> Standing {
        let ((raft, applied), backend) = (self.raft_status(), &self.state().backend);
        Standing {
            version: version::ETCD_SERVER.to_owned(),
            keyport: version::KEYPORT.to_owned(),
            revision: self.store().revision(),
            leader: raft.leader,
            raft_term: raft.term,
            raft_index: raft.commit,
            raft_applied_index: applied,
            db_size: backend.size(),
            db_size_in_use: backend.size_in_use(),
            db_quota: self.limits().quota_bytes,
        }
    }

    /// How all are, in the order of their ids.
    pub(crate) async fn look_around(&self) -> Vec<Looked> {
        let mut members = self.state().membership.list();
        members.sort_by_key(|member| member.id);
        join_all(members.into_iter().map(|member| self.look_at(member))).await
    }

    async fn look_at(&self, member: Member) -> Looked {
        let begin = Instant::now();
        let asked = match member.id == self.identity().member_id {
            true => Ok(self.own_standing()),
            false => {
                let asked = standing::ask(self.peer_client(), &member.peer_urls, ASK);
                // However many URLs it has.
                let patience = |_| StandingError::Silent(ASK);
                tokio::time::timeout(ASK, asked).await.map_err(patience).flatten()
            }
        };
        Looked { member, standing: asked.map(|standing| (standing, begin.elapsed())) }
    }
}
