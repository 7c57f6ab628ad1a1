//! Automatic compaction, by age or by number of revisions; the leader's duty.

use std::collections::VecDeque;
use std::time::Duration;

use keyport_api::error::Error;
use keyport_api::etcdserverpb::CompactionRequest;

use super::Node;
use crate::config::AutoCompaction;
use crate::gate::Pass;

/// How often a number of revisions is checked.
const REVISION_CHECK: Duration = Duration::from_secs(300);
/// A period is sampled this many times an hour or a period, whichever is shorter.
const SAMPLES: u32 = 10;
/// However short the period.
const SHORTEST_SAMPLE: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

impl Node {
    /// Runs for as long as the node.
    pub(crate) async fn compact_automatically(self, mode: AutoCompaction) {
        match mode {
            AutoCompaction::Periodic(period) => self.compact_by_age(period).await,
            AutoCompaction::Revision(keep) => self.compact_by_count(keep).await,
        }
    }

    /// Keeps a window of sampled revisions; its oldest is what the store had a period ago.
    async fn compact_by_age(&self, period: Duration) {
        let step = period.min(HOUR);
        let interval = (step / SAMPLES).max(SHORTEST_SAMPLE);
        let window = (period.as_nanos() / interval.as_nanos()) as usize;
        let mut samples = VecDeque::with_capacity(window + 1);
        let mut last = 0;
        let mut until_next = window;
        let mut ticks = tokio::time::interval(interval);
        loop {
            ticks.tick().await;
            samples.push_back(self.store().revision());
            if samples.len() > window + 1 {
                samples.pop_front();
            }
            if until_next > 0 {
                until_next -= 1;
                continue;
            }
            let Some(&revision) = samples.front() else { continue };
            let Some(term) = self.office().filter(|_| revision != last && revision > 0) else { continue };
            if self.compact_to(term, revision).await {
                last = revision;
                until_next = SAMPLES as usize - 1;
            }
        }
    }

    async fn compact_by_count(&self, keep: i64) {
        let mut last = 0;
        let mut ticks = tokio::time::interval(REVISION_CHECK);
        loop {
            ticks.tick().await;
            let revision = self.store().revision() - keep;
            let Some(term) = self.office().filter(|_| revision != last && revision > 0) else { continue };
            if self.compact_to(term, revision).await {
                last = revision;
            }
        }
    }

    /// As the leader of `term`. Whether the store is compacted up to `revision` now.
    async fn compact_to(&self, term: u64, revision: i64) -> bool {
        let request = CompactionRequest { revision, physical: false };
        match self.propose_in_term(term, &Pass::internal("automatic compaction"), request).await {
            Ok(_) => {
                tracing::info!(revision, "completed auto compaction");
                true
            }
            Err(Error::Compacted) => true,
            Err(error) => {
                tracing::warn!(revision, %error, "failed auto compaction");
                false
            }
        }
    }
}
