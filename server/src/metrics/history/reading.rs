//! What the metrics say at one moment.

use prometheus::core::Metric as _;
use prometheus::{Histogram, IntGauge};

use crate::metrics::{Metrics, process};

/// See the module's text.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    pub(super) counts: Counts,
    pub(super) state: State,
}

/// What only grows, as long as the process lives; or how much it did.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) reads: u64,
    pub(super) writes: u64,
    pub(super) streams: u64,
    pub(super) events: u64,
    pub(super) leader_changes: u64,
    /// Milliseconds of a core.
    pub(super) cpu: u64,
    pub(super) puts: Times,
    pub(super) ranges: Times,
    pub(super) syncs: Times,
}

/// How often something took how long, by the buckets of its histogram, of which the last has no bound. Empty if it never happened.
#[derive(Clone, Debug, Default)]
pub(super) struct Times(pub(super) Vec<u64>);

/// What is so and so much, and may be less.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct State {
    pub(super) connections: i64,
    pub(super) watch_streams: i64,
    pub(super) watchers: i64,
    pub(super) leases: i64,
    pub(super) keys: i64,
    pub(super) db_size: i64,
    pub(super) db_size_in_use: i64,
    pub(super) revision: i64,
    pub(super) raft_term: i64,
    /// Bytes.
    pub(super) memory: u64,
}

impl Reading {
    /// Gauges say what they were set to.
    pub(super) fn of(metrics: &Metrics) -> Reading {
        let usage = process::Usage::now();
        let asked = metrics.request_duration.totals();
        let total = |read: bool| asked.iter().filter(|(name, _)| is_read(name) == read).map(|(_, count)| count).sum();
        let of = |gauge: &IntGauge| gauge.get();
        Reading {
            counts: Counts {
                reads: total(true),
                writes: total(false),
                streams: metrics.grpc.streams_begun(),
                events: metrics.events.get(),
                leader_changes: metrics.leader_changes.get(),
                cpu: usage.cpu_millis,
                puts: Times(metrics.request_duration.succeeded("Put")),
                ranges: Times(metrics.range_duration.succeeded("")),
                syncs: Times(buckets(&metrics.wal_fsync)),
            },
            state: State {
                connections: of(&metrics.connections),
                watch_streams: of(&metrics.watch_streams),
                watchers: of(&metrics.watchers),
                leases: of(&metrics.leases),
                keys: of(&metrics.keys),
                db_size: of(&metrics.db_size),
                db_size_in_use: of(&metrics.db_size_in_use),
                revision: of(&metrics.current_revision),
                raft_term: of(&metrics.raft_term),
                memory: usage.resident_bytes,
            },
        }
    }
}

impl Counts {
    pub(super) fn since(&self, before: &Counts) -> Counts {
        Counts {
            reads: self.reads.saturating_sub(before.reads),
            writes: self.writes.saturating_sub(before.writes),
            streams: self.streams.saturating_sub(before.streams),
            events: self.events.saturating_sub(before.events),
            leader_changes: self.leader_changes.saturating_sub(before.leader_changes),
            cpu: self.cpu.saturating_sub(before.cpu),
            puts: self.puts.since(&before.puts),
            ranges: self.ranges.since(&before.ranges),
            syncs: self.syncs.since(&before.syncs),
        }
    }

    pub(super) fn and(&self, more: &Counts) -> Counts {
        Counts {
            reads: self.reads + more.reads,
            writes: self.writes + more.writes,
            streams: self.streams + more.streams,
            events: self.events + more.events,
            leader_changes: self.leader_changes + more.leader_changes,
            cpu: self.cpu + more.cpu,
            puts: self.puts.and(&more.puts),
            ranges: self.ranges.and(&more.ranges),
            syncs: self.syncs.and(&more.syncs),
        }
    }
}

impl Times {
    fn since(&self, before: &Times) -> Times {
        let before = before.0.iter().copied().chain(std::iter::repeat(0));
        let rest: Vec<u64> = self.0.iter().zip(before).map(|(now, before)| now.saturating_sub(before)).collect();
        if rest.iter().all(|&count| count == 0) { Times::default() } else { Times(rest) }
    }

    fn and(&self, more: &Times) -> Times {
        let (long, short) = if self.0.len() >= more.0.len() { (self, more) } else { (more, self) };
        let other = short.0.iter().copied().chain(std::iter::repeat(0));
        Times(long.0.iter().zip(other).map(|(one, other)| one + other).collect())
    }
}

/// Of requests by their types: whether it is answered without anything going to the log.
fn is_read(name: &str) -> bool {
    matches!(
        name,
        "Range" | "ReadonlyTxn" | "AuthStatus" | "AuthUserGet" | "AuthUserList" | "AuthRoleGet" | "AuthRoleList"
    )
}

/// The counts of a histogram, which has them added up.
fn buckets(histogram: &Histogram) -> Vec<u64> {
    let metric = histogram.metric();
    let read = metric.get_histogram();
    let mut below = 0;
    let up_to = read.get_bucket().iter().map(|bucket| bucket.cumulative_count()).chain([read.get_sample_count()]);
    up_to
        .map(|count| {
            let own = count.saturating_sub(below);
            below = count;
            own
        })
        .collect()
}
