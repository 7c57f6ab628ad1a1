//! Automatic compaction, by age or by number of revisions; the leader's duty.

mod schedule;

use std::time::Duration;

use keyport_api::error::Error;
use keyport_api::etcdserverpb::CompactionRequest;
use tokio::time::{Instant, interval, interval_at};

use self::schedule::{ByAge, ByCount};
use super::Node;
use crate::config::AutoCompaction;
use crate::gate::Pass;

/// How often a number of revisions is checked.
const REVISION_CHECK: Duration = Duration::from_secs(300);

impl Node {
    /// Runs for as long as the node.
    pub(crate) async fn compact_automatically(self, mode: AutoCompaction) {
        let revision = || self.store().revision();
        let compact = |revision| {
            let node = self.clone();
            async move { node.compact_to(revision).await }
        };
        match mode {
            AutoCompaction::Periodic(period) => by_age(period, revision, compact).await,
            AutoCompaction::Revision(keep) => by_count(keep, revision, compact).await,
        }
    }

    /// Whether this member leads, and the store is compacted up to `revision` now.
    async fn compact_to(&self, revision: i64) -> bool {
        let Some(term) = self.office() else { return false };
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

async fn by_age<F: Future<Output = bool>>(period: Duration, revision: impl Fn() -> i64, compact: impl Fn(i64) -> F) {
    let mut schedule = ByAge::new(period);
    let mut ticks = interval(schedule.interval);
    loop {
        ticks.tick().await;
        if let Some(revision) = schedule.sample(revision())
            && compact(revision).await
        {
            schedule.compacted(revision);
        }
    }
}

async fn by_count<F: Future<Output = bool>>(keep: i64, revision: impl Fn() -> i64, compact: impl Fn(i64) -> F) {
    let mut schedule = ByCount::new(keep);
    let mut ticks = interval_at(Instant::now() + REVISION_CHECK, REVISION_CHECK);
    loop {
        ticks.tick().await;
        if let Some(revision) = schedule.due(revision())
            && compact(revision).await
        {
            schedule.compacted(revision);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::future::ready;
    use std::pin::pin;
    use std::rc::Rc;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// What is compacted within some minutes, and when, on a member that leads as `leads` says, by the minute; there is a revision a
    /// second.
    async fn within<'a, F: Future<Output = ()> + 'a>(
        minutes: u32,
        leads: impl Fn(u64) -> bool,
        run: impl FnOnce(Box<dyn Fn() -> i64 + 'a>, Box<dyn Fn(i64) -> bool + 'a>) -> F,
        done: &'a RefCell<Vec<(u64, i64)>>,
    ) {
        let begun = Instant::now();
        let seconds = move || begun.elapsed().as_secs();
        let leading = Rc::new(Cell::new(true));
        let told = Rc::clone(&leading);
        let compact = move |revision| {
            if told.get() {
                done.borrow_mut().push((seconds() / 60, revision));
            }
            told.get()
        };
        let mut run = pin!(run(Box::new(move || seconds() as i64), Box::new(compact)));
        for minute in 0..u64::from(minutes) {
            leading.set(leads(minute));
            // A little later than what happens on the minute.
            let until = begun + MINUTE * u32::try_from(minute + 1).unwrap_or(u32::MAX) - MINUTE / 60;
            let _ = tokio::time::timeout_at(until, &mut run).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn revisions_are_counted_each_five_minutes() {
        let done = RefCell::new(Vec::new());
        let run = |revision, compact: Box<dyn Fn(i64) -> bool>| by_count(100, revision, move |at| ready(compact(at)));
        within(21, |_| true, run, &done).await;
        assert_eq!(*done.borrow(), [(5, 200), (10, 500), (15, 800), (20, 1100)]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_lead_rests_and_takes_it_up_when_he_does() {
        let done = RefCell::new(Vec::new());
        let run =
            |revision, compact: Box<dyn Fn(i64) -> bool>| by_age(10 * MINUTE, revision, move |at| ready(compact(at)));
        // Due at minute 10, for which there is no revision yet, again each ten minutes; for the minutes from 25 to 42 somebody else leads.
        within(55, |minute| !(25..=42).contains(&minute), run, &done).await;
        let done = done.borrow();
        let minutes: Vec<_> = done.iter().map(|(minute, _)| *minute).collect();
        assert_eq!(minutes, [11, 21, 43, 53]);
        assert!(done.iter().all(|(minute, revision)| (*minute as i64 - 10) * 60 == *revision), "{done:?}");
    }
}
