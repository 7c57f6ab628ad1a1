//! The leader revokes leases that ran out, and records how long the long ones have left.
//!
//! What is found here holds for the term in which the lessor counts, and only for that: a revocation that reached the log
//! in a later term would end leases that another leader has renewed.

use std::panic::resume_unwind;
use std::time::{Duration, Instant};

use keyport_api::error::Error;
use keyport_api::etcdserverpb::{LeaseCheckpoint, LeaseCheckpointRequest, LeaseRevokeRequest};
use keyport_storage::lease::Due;
use tokio::task::{JoinError, JoinSet};

use super::Node;
use super::propose::Offered;
use crate::gate::Pass;

const CHECK_EVERY: Duration = Duration::from_millis(500);
/// Leases taken up in one pass.
const PASS_LIMIT: usize = 500;
/// Revocations under way at once.
const PARALLEL: usize = 16;

impl Node {
    /// Runs for as long as the node.
    pub(crate) async fn expire_leases(self) {
        let mut every = tokio::time::interval(CHECK_EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            if self.is_leader() {
                self.revoke_expired().await;
            }
        }
    }

    /// One left over by a failed proposal is found again by a later pass.
    async fn revoke_expired(&self) {
        let mut revocations = JoinSet::new();
        let lessor = &self.state().lessor;
        let (Due { term, expired, .. }, recorded) = {
            // What clears a checkpoint is offered behind it.
            let _order = self.0.checkpoints.lock();
            let due = lessor.due(Instant::now(), PASS_LIMIT);
            let recorded = self.offer_checkpoints(due.term, &due.checkpoints);
            (due, recorded)
        };
        if let Some(recorded) = recorded
            && let Err(error) = recorded.outcome().await
        {
            tracing::warn!(%error, "failed to record lease checkpoints");
        }
        for id in expired {
            if revocations.len() >= PARALLEL {
                join_one(&mut revocations).await;
            }
            // Much may have happened since, and ids may be used again.
            if !lessor.is_due(term, id, Instant::now()) {
                continue;
            }
            let node = self.clone();
            revocations.spawn(async move {
                match node.propose_in_term(term, &expiry(), LeaseRevokeRequest { id }).await {
                    Ok(_) => node.metrics().lease_expired.inc(),
                    Err(Error::LeaseNotFound) => {}
                    Err(error) => tracing::warn!(lease_id = format!("{id:016x}"), %error, "failed to revoke lease"),
                };
            });
        }
        revocations.join_all().await;
    }

    fn offer_checkpoints(&self, term: u64, remaining: &[(i64, i64)]) -> Option<Offered<'_, LeaseCheckpointRequest>> {
        let checkpoint = |&(id, remaining_ttl): &(i64, i64)| LeaseCheckpoint { id, remaining_ttl };
        let checkpoints: Vec<_> = remaining.iter().map(checkpoint).collect();
        let request = LeaseCheckpointRequest { checkpoints };
        (!remaining.is_empty()).then(|| self.offer_in_term(term, &expiry(), request))
    }
}

fn expiry() -> Pass {
    Pass::internal("lease expiry")
}

/// Waits for one of the tasks. Its panic goes on here, as in [`JoinSet::join_all`].
async fn join_one(tasks: &mut JoinSet<()>) {
    let ended = tasks.join_next().await.transpose();
    if let Err(Ok(panic)) = ended.map_err(JoinError::try_into_panic) {
        resume_unwind(panic);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_of_one_of_several_tasks_is_not_lost() {
        let mut tasks = JoinSet::new();
        tasks.spawn(std::future::pending());
        tasks.spawn(async {});
        join_one(&mut tasks).await;
        tasks.spawn(async { panic!("a revocation") });
        let ended = tokio::spawn(async move { join_one(&mut tasks).await }).await.unwrap_err();
        assert!(ended.is_panic() && ended.to_string().contains("a revocation"), "{ended}");
    }
}
