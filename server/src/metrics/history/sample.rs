//! What happened between two readings, and how it is told.

use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use time::macros::format_description;

use super::reading::{Counts, Reading, State, Times};

/// The first bound of the histograms, in seconds; each further one is twice the one before.
const FROM_ONE_MILLISECOND: f64 = 0.001;
const FROM_A_TENTH: f64 = 0.0001;

/// See the module's text.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// Unix time in milliseconds.
    pub(crate) end: i64,
    /// Milliseconds.
    pub(super) span: i64,
    counts: Counts,
    /// At the end.
    state: State,
}

/// One as it is told. What did not happen took no time.
#[derive(Serialize)]
struct Told {
    time: String,
    seconds: f64,
    reads: u64,
    writes: u64,
    streams: u64,
    events: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    put_p50: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    put_p99: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    range_p50: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    range_p99: Option<f64>,
    fsyncs: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    fsync_p50: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fsync_p99: Option<f64>,
    connections: i64,
    watch_streams: i64,
    watchers: i64,
    leases: i64,
    keys: i64,
    db_size: i64,
    db_size_in_use: i64,
    revision: String,
    raft_term: String,
    leader_changes: u64,
    resident_bytes: u64,
    cpu_seconds: f64,
}

impl Sample {
    pub(super) fn between((begin, before): (i64, &Reading), (end, after): (i64, Reading)) -> Sample {
        let counts = after.counts.since(&before.counts);
        Sample { end, span: end - begin, counts, state: after.state }
    }

    /// One of both, the other one being the next.
    pub(super) fn and(&self, next: &Sample) -> Sample {
        Sample { end: next.end, span: self.span + next.span, counts: self.counts.and(&next.counts), state: next.state }
    }

    /// Takes no more memory than it needs.
    pub(super) fn shrink(&mut self) {
        for times in [&mut self.counts.puts, &mut self.counts.ranges, &mut self.counts.syncs] {
            times.0.shrink_to_fit();
        }
    }

    /// When it was made: RFC 3339, in milliseconds.
    pub(crate) fn time(&self) -> String {
        let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
        let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.end) * 1_000_000);
        // A clock says what there is a form for.
        time.ok().and_then(|time| time.format(form).ok()).unwrap_or_default()
    }
}

impl Serialize for Sample {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Sample { span, counts, state, .. } = self;
        let of = |times: &Times, share, first| times.quantile(share, first).map(rounded);
        Told {
            time: self.time(),
            seconds: seconds(span.unsigned_abs()),
            reads: counts.reads,
            writes: counts.writes,
            streams: counts.streams,
            events: counts.events,
            put_p50: of(&counts.puts, 0.5, FROM_ONE_MILLISECOND),
            put_p99: of(&counts.puts, 0.99, FROM_ONE_MILLISECOND),
            range_p50: of(&counts.ranges, 0.5, FROM_A_TENTH),
            range_p99: of(&counts.ranges, 0.99, FROM_A_TENTH),
            fsyncs: counts.syncs.0.iter().sum(),
            fsync_p50: of(&counts.syncs, 0.5, FROM_ONE_MILLISECOND),
            fsync_p99: of(&counts.syncs, 0.99, FROM_ONE_MILLISECOND),
            connections: state.connections,
            watch_streams: state.watch_streams,
            watchers: state.watchers,
            leases: state.leases,
            keys: state.keys,
            db_size: state.db_size,
            db_size_in_use: state.db_size_in_use,
            revision: state.revision.to_string(),
            raft_term: state.raft_term.to_string(),
            leader_changes: counts.leader_changes,
            resident_bytes: state.memory,
            cpu_seconds: seconds(counts.cpu),
        }
        .serialize(serializer)
    }
}

impl Times {
    /// The time, in seconds, that a share of it did not take longer than: somewhere between the bounds of a bucket, as if what is
    /// in it lay evenly. What has no bound took as long as the last one.
    fn quantile(&self, share: f64, first: f64) -> Option<f64> {
        let all: u64 = self.0.iter().sum();
        if all == 0 {
            return None;
        }
        let wanted = share * float(all);
        let (mut below, mut lower, mut upper) = (0.0, 0.0, first);
        let bounded = self.0.len() - 1;
        for &count in self.0.iter().take(bounded) {
            let count = float(count);
            if below + count >= wanted && count > 0.0 {
                return Some(lower + (upper - lower) * (wanted - below) / count);
            }
            below += count;
            lower = upper;
            upper *= 2.0;
        }
        Some(lower)
    }
}

/// Samples put together by steps of so many milliseconds, the one that is under way left out: the next sample, `interval` later,
/// would be in it.
pub(super) fn in_steps<'a>(samples: impl Iterator<Item = &'a Sample>, step: i64, interval: i64) -> Vec<Sample> {
    if step <= interval {
        return samples.cloned().collect();
    }
    // A step has its last moment, and not its first.
    let number = |end: i64| (end - 1).div_euclid(step);
    let mut steps: Vec<Sample> = Vec::new();
    for sample in samples {
        match steps.last_mut() {
            Some(last) if number(last.end) == number(sample.end) => *last = last.and(sample),
            _ => steps.push(sample.clone()),
        }
    }
    steps.pop_if(|last| number(last.end) == number(last.end + interval));
    steps
}

fn seconds(millis: u64) -> f64 {
    float(millis) / 1000.0
}

/// To microseconds.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_in_their_bucket() {
        let times = |counts: &[u64]| Times(counts.to_vec());
        assert_eq!(times(&[]).quantile(0.5, 1.0), None);
        assert_eq!(times(&[0, 0]).quantile(0.5, 1.0), None);
        assert_eq!(times(&[10, 0, 0]).quantile(0.5, 1.0), Some(0.5));
        assert_eq!(times(&[50, 50, 0, 0]).quantile(0.99, 1.0).map(rounded), Some(1.98));
        assert_eq!(times(&[1, 0, 1, 0]).quantile(0.5, 1.0), Some(1.0));
        // The last bucket has no end.
        assert_eq!(times(&[0, 0, 5]).quantile(0.5, 1.0), Some(2.0));
    }
}
