//! What commits and compactions of the database do.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use keyport_storage::backend::CommitObserver;
use keyport_storage::mvcc::{CompactionObserver, CompactionStep};

use super::Metrics;

/// Counts commits. All of one is writing here: there is no tree to be rebalanced before.
pub(crate) fn commits(metrics: &Metrics) -> CommitObserver {
    let (commit, write) = (metrics.backend_commit.clone(), metrics.commit_write.clone());
    CommitObserver(Arc::new(move |took: Duration| {
        commit.observe(took.as_secs_f64());
        write.observe(took.as_secs_f64());
    }))
}

/// Counts compactions.
pub(crate) fn compactions(metrics: &Arc<Metrics>) -> CompactionObserver {
    let metrics = Arc::clone(metrics);
    CompactionObserver(Arc::new(move |step| {
        let millis = |took: Duration| took.as_secs_f64() * 1000.0;
        match step {
            CompactionStep::Index { took } => metrics.index_compaction_pause.observe(millis(took)),
            CompactionStep::Rows { removed, took } => {
                metrics.compaction_keys.inc_by(removed as u64);
                metrics.compaction_pause.observe(millis(took));
            }
            CompactionStep::Finished { took } => {
                metrics.compaction_total.observe(millis(took));
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                metrics.compaction_last.set(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
            }
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compaction_leaves_its_traces() {
        let metrics = Arc::new(Metrics::new(false));
        let told = compactions(&metrics).0;
        told(CompactionStep::Index { took: Duration::from_millis(2) });
        told(CompactionStep::Rows { removed: 3, took: Duration::from_millis(2) });
        told(CompactionStep::Rows { removed: 4, took: Duration::from_millis(2) });
        told(CompactionStep::Finished { took: Duration::from_millis(200) });
        assert_eq!(metrics.compaction_keys.get(), 7);
        assert_eq!(metrics.compaction_pause.get_sample_count(), 2);
        assert!((metrics.compaction_total.get_sample_sum() - 200.0).abs() < 1e-6);
        assert_eq!(metrics.index_compaction_pause.get_sample_count(), 1);
        assert!(metrics.compaction_last.get() > 0);
        (commits(&metrics).0)(Duration::from_millis(1));
        assert_eq!((metrics.backend_commit.get_sample_count(), metrics.commit_write.get_sample_count()), (1, 1));
    }
}
