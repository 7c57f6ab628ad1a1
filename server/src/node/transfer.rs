//! Handing over leadership: because somebody asks, or because this member is about to stop.

use std::time::Instant;

use keyport_api::error::Error;
use tokio::time::timeout;

use super::{Node, raft_error};
use crate::gate::Pass;

impl Node {
    /// Makes another voter the leader, and returns when it is. To the leader itself there is nothing to do.
    ///
    /// # Errors
    /// `NotLeader`, `BadLeaderTransferee`, `LeaderTransferTimeout`.
    pub(crate) async fn move_leader(&self, pass: &Pass, to: u64) -> Result<(), Error> {
        let own = self.identity().member_id;
        if !self.is_leader() {
            return Err(Error::NotLeader);
        }
        if self.state().membership.get(to).is_none_or(|member| member.is_learner) {
            return Err(Error::BadLeaderTransferee);
        }
        if to == own {
            return Ok(());
        }
        let mut leaders = self.state().leadership.subscribe();
        tracing::info!(
            caller = %pass.caller(),
            local_member_id = format!("{own:x}"),
            transferee_member_id = format!("{to:x}"),
            "leadership transfer starting"
        );
        self.raft().transfer_leader(to).map_err(raft_error::proposing)?;
        let started = Instant::now();
        match timeout(self.limits().request_timeout, leaders.wait_for(|leader| leader.id == to)).await {
            Ok(Ok(_)) => {
                tracing::info!(
                    new_leader_member_id = format!("{to:x}"),
                    took = ?started.elapsed(),
                    "leadership transfer finished"
                );
                Ok(())
            }
            Ok(Err(_)) => Err(Error::Stopped),
            Err(_) => Err(Error::LeaderTransferTimeout),
        }
    }

    /// Before this member stops: if it leads others, the voter that has been connected for longest takes over, so that
    /// the cluster does not have to find out by waiting. Bounded by two election timeouts.
    pub(crate) async fn hand_over_leadership(&self) {
        if !self.is_leader() || self.state().membership.voters() <= 1 {
            return;
        }
        let Some(to) = self.longest_connected_voter() else {
            tracing::warn!("leadership is not handed over: no other voter is connected");
            return;
        };
        // Raft itself gives up a hand-over after one.
        match timeout(self.limits().election_timeout * 2, self.move_leader(&Pass::internal("stopping"), to)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "leadership could not be handed over"),
            Err(_) => {
                tracing::warn!(transferee_member_id = format!("{to:x}"), "leadership could not be handed over in time")
            }
        }
    }

    /// Before `id` is removed: if it leads, somebody else takes over, so that its removal leaves no cluster that has to
    /// miss its leader first. Worth one election timeout, and nothing is lost without it.
    pub(super) async fn replace_leader(&self, id: u64) {
        let own = self.identity().member_id;
        let mut leaders = self.state().leadership.subscribe();
        if self.raft().leader() != id {
            return;
        }
        let to = if id == own { self.longest_connected_voter() } else { Some(own) };
        let Some(to) = to else { return };
        let replaced = leaders.wait_for(|leader| leader.id != 0 && leader.id != id);
        if self.raft().transfer_leader(to).is_ok() && timeout(self.limits().election_timeout, replaced).await.is_err() {
            tracing::warn!(member_id = format!("{id:x}"), "the leader is removed without having been replaced before");
        }
    }

    fn longest_connected_voter(&self) -> Option<u64> {
        let own = self.identity().member_id;
        let voters = self.state().membership.look(|roster| roster.voters().map(|member| member.id).collect::<Vec<_>>());
        let others = voters.into_iter().filter(|id| *id != own);
        others.filter_map(|id| Some((self.peers().active_since(id)?, id))).min().map(|(_, id)| id)
    }
}
