//! What the Raft thread does, as metrics.

use std::sync::Arc;
use std::time::Duration;

use keyport_raft::Observer;

use crate::metrics::Metrics;

/// Counts for the registry.
#[derive(Debug)]
pub(super) struct RaftMetrics(pub(super) Arc<Metrics>);

impl Observer for RaftMetrics {
    fn wal_written(&mut self, bytes: u64, took: Duration) {
        self.0.wal_write.observe(took.as_secs_f64());
        self.0.wal_write_bytes.add(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    fn wal_synced(&mut self, took: Duration) {
        self.0.wal_fsync.observe(took.as_secs_f64());
    }

    fn proposals_dropped(&mut self, count: usize) {
        self.0.proposals_failed.inc_by(count as u64);
    }

    fn entries_refused(&mut self, from: u64) {
        self.0.peer_received_failures.with_label_values(&[&format!("{from:x}")]).inc();
    }

    fn read_index_retried(&mut self) {
        self.0.slow_read_indexes.inc();
    }

    fn heartbeats_late(&mut self, by: Duration) {
        self.0.heartbeat_send_failures.inc();
        tracing::warn!(
            late_by = ?by,
            "leader failed to send out heartbeat on time; took too long, leader is overloaded likely from slow disk"
        );
    }
}
