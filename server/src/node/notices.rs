//! What the applied log asks of the node: raise an alarm, take up or lay down the leader's duties.

use std::time::Duration;

use keyport_api::etcdserverpb::alarm_request::AlarmAction;
use keyport_api::etcdserverpb::{AlarmRequest, AlarmType};
use keyport_raft::LeaderState;
use tokio::sync::mpsc;

use super::Node;
use crate::apply::{Ended, Notice};
use crate::gate::Pass;

/// How often proposals are checked for having waited too long, and the database and its threads for having failed.
const SWEEP: Duration = Duration::from_millis(250);

impl Node {
    /// Follows the notices until the Raft thread has ended, or an entry could not be applied, or the database has failed;
    /// how that came.
    pub(crate) async fn follow(self, mut notices: mpsc::Receiver<Notice>) -> Ended {
        let mut sweep = tokio::time::interval(SWEEP);
        sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                notice = notices.recv() => match notice {
                    Some(Notice::OutOfSpace) => self.raise_out_of_space(),
                    Some(Notice::Leader(leader)) => {
                        self.observe_leader(&leader);
                        // As things are by now.
                        self.settle_duties();
                    }
                    Some(Notice::Stopped(ended)) => return ended,
                    Some(Notice::Broken) => return Ended::Failed,
                    None => return Ended::AsAsked,
                },
                _ = sweep.tick() => {
                    if let Some(error) = self.state().failure() {
                        tracing::error!(%error, "the database cannot be used any more");
                        return Ended::Failed;
                    }
                    self.sweep_waiters();
                    // Should a notice have been lost.
                    self.settle_duties();
                }
            }
        }
    }

    /// Leases are counted down by the leader alone, which takes that up when it has applied what opens its term. Should
    /// it be demoted at that very moment for an earlier loss, it takes it up here.
    fn settle_duties(&self) {
        let (state, office) = (self.state(), self.office());
        match (state.lessor.primary_in(), office) {
            (Some(term), office) if office != Some(term) => state.lessor.demote_from(term),
            (None, Some(term)) if state.applied.term() == term => state.term_opened(term),
            _ => {}
        }
    }

    fn observe_leader(&self, leader: &LeaderState) {
        let metrics = self.metrics();
        metrics.has_leader.set(i64::from(leader.leader != 0));
        metrics.is_leader.set(i64::from(leader.is_leader));
        if leader.leader == 0 {
            tracing::info!(term = leader.term, "there is no leader");
        } else {
            tracing::info!(leader = format!("{:x}", leader.leader), term = leader.term, "leader changed");
        }
    }

    /// Tells the cluster that this member's database is full, without waiting for it: whoever sweeps must not wait.
    pub(crate) fn raise_out_of_space(&self) {
        let own = self.identity().member_id;
        if self.state().alarms.list(AlarmType::Nospace.into()).iter().any(|alarm| alarm.member_id == own) {
            return;
        }
        tracing::warn!("message exceeds the backend quota; raising alarm NOSPACE");
        let request =
            AlarmRequest { action: AlarmAction::Activate.into(), member_id: own, alarm: AlarmType::Nospace.into() };
        let node = self.clone();
        tokio::spawn(async move {
            if let Err(error) = node.propose_own(node.office(), &Pass::internal("out of space"), request).await {
                tracing::warn!(%error, "failed to raise alarm");
            }
        });
    }
}
