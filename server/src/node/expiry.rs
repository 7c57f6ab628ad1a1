//! The leader revokes leases that ran out, and records how long the long ones have left.

use std::time::{Duration, Instant};

use keyport_api::error::Error;
use keyport_api::etcdserverpb::{LeaseCheckpoint, LeaseCheckpointRequest, LeaseRevokeRequest};
use keyport_storage::lease::Due;
use tokio::task::JoinSet;

use super::Node;
use crate::apply::Command;

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
        let due = self.state().lessor.due(Instant::now(), PASS_LIMIT);
        if due == Due::default() {
            return;
        }
        // One that only believes to lead would have its successor revoke what that has prolonged.
        if !self.leads_for_sure(Instant::now()) && self.confirm_leadership().await.is_err() {
            tracing::warn!(expired = due.expired.len(), "revoking no leases: this member cannot confirm that it leads");
            return;
        }
        self.record_checkpoints(due.checkpoints).await;
        for id in due.expired {
            if revocations.len() >= PARALLEL {
                revocations.join_next().await;
            }
            let node = self.clone();
            revocations.spawn(async move {
                match node.propose(Command::LeaseRevoke(LeaseRevokeRequest { id })).await {
                    Ok(_) => node.metrics().lease_expired.inc(),
                    Err(Error::LeaseNotFound) => {}
                    Err(error) => tracing::warn!(lease_id = format!("{id:016x}"), %error, "failed to revoke lease"),
                };
            });
        }
        revocations.join_all().await;
    }

    async fn record_checkpoints(&self, remaining: Vec<(i64, i64)>) {
        if remaining.is_empty() {
            return;
        }
        let checkpoints =
            remaining.into_iter().map(|(id, remaining_ttl)| LeaseCheckpoint { id, remaining_ttl }).collect();
        if let Err(error) = self.propose(Command::LeaseCheckpoint(LeaseCheckpointRequest { checkpoints })).await {
            tracing::warn!(%error, "failed to record lease checkpoints");
        }
    }
}
