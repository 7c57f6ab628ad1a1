//! `keyport_event_loop_turn_seconds`: for how long tasks hold their event loop.
//!
//! Each loop counts for itself, on a cache line of its own; a scrape adds them up.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Bucket, Histogram, Metric, MetricFamily, MetricType};

const NAME: &str = "keyport_event_loop_turn_seconds";
const HELP: &str = "For how long a task held its event loop, by a clock that ticks every few milliseconds.";
/// Upper bounds of the buckets, in milliseconds.
const BOUNDS: [u64; 10] = [1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500];

/// What is counted of one loop.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct Turns {
    /// One for each bound, and one for what is beyond.
    counts: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

impl Turns {
    /// Counts a turn that took so long.
    pub fn observe(&self, took: Duration) {
        let millis = took.as_micros().div_ceil(1000);
        let at = BOUNDS.iter().position(|bound| millis <= u128::from(*bound)).unwrap_or(BOUNDS.len());
        // There are as many as positions.
        self.counts[at].fetch_add(1, Relaxed);
        if !took.is_zero() {
            self.micros.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Relaxed);
        }
    }
}

/// All loops.
#[derive(Clone, Debug)]
pub(super) struct TurnsCollector {
    loops: Arc<Mutex<Vec<Arc<Turns>>>>,
    desc: Desc,
}

impl TurnsCollector {
    pub(super) fn new() -> prometheus::Result<TurnsCollector> {
        let desc = Desc::new(NAME.to_owned(), HELP.to_owned(), Vec::new(), HashMap::new())?;
        Ok(TurnsCollector { loops: Arc::default(), desc })
    }

    pub(super) fn add(&self, turns: Arc<Turns>) {
        self.loops.lock().push(turns);
    }
}

impl Collector for TurnsCollector {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    #[expect(clippy::cast_precision_loss, reason = "the text format has only floats")]
    fn collect(&self) -> Vec<MetricFamily> {
        let loops = self.loops.lock();
        let sum = |of: &dyn Fn(&Turns) -> &AtomicU64| loops.iter().map(|turns| of(turns).load(Relaxed)).sum::<u64>();
        let mut histogram = Histogram::default();
        let mut total = 0;
        let mut buckets = Vec::with_capacity(BOUNDS.len());
        for (at, bound) in BOUNDS.iter().enumerate() {
            total += sum(&|turns| &turns.counts[at]);
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(*bound as f64 / 1e3);
            bucket.set_cumulative_count(total);
            buckets.push(bucket);
        }
        total += sum(&|turns| &turns.counts[BOUNDS.len()]);
        histogram.set_bucket(buckets);
        histogram.set_sample_count(total);
        histogram.set_sample_sum(sum(&|turns| &turns.micros) as f64 / 1e6);
        let mut metric = Metric::default();
        metric.set_histogram(histogram);
        let mut family = MetricFamily::default();
        family.set_name(NAME.to_owned());
        family.set_help(HELP.to_owned());
        family.set_field_type(MetricType::HISTOGRAM);
        family.set_metric(vec![metric]);
        vec![family]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::{Registry, TextEncoder};

    #[test]
    fn turns_of_all_loops_are_added_up() {
        let collector = TurnsCollector::new().unwrap();
        for millis in [0, 1, 4, 5000] {
            let turns = Arc::new(Turns::default());
            turns.observe(Duration::from_millis(millis));
            collector.add(turns);
        }
        let registry = Registry::new();
        registry.register(Box::new(collector)).unwrap();
        let text = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        for line in [
            "keyport_event_loop_turn_seconds_bucket{le=\"0.001\"} 2",
            "keyport_event_loop_turn_seconds_bucket{le=\"0.005\"} 3",
            "keyport_event_loop_turn_seconds_bucket{le=\"2.5\"} 3",
            "keyport_event_loop_turn_seconds_bucket{le=\"+Inf\"} 4",
            "keyport_event_loop_turn_seconds_sum 5.005",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
