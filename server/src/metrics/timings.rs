//! Histograms of how long things took, by name and success, for what happens with every request: found without hashing
//! labels, and counted in [`Slots`].

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Bucket, Histogram, Metric, MetricFamily, MetricType};

use super::grpc;
use super::slots::Slots;

/// The most bounds that a family may have.
const MAX_BOUNDS: usize = 20;

/// A family with the labels `.., name, success`. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Timings(Arc<Family>);

#[derive(Debug)]
struct Family {
    desc: Desc,
    /// The values of the first labels.
    fixed: &'static [&'static str],
    names: &'static [&'static str],
    /// Seconds, and the same as a time.
    bounds: Vec<(f64, Duration)>,
    /// Failed and successful, by the index of the name. One appears with its first sample.
    series: Box<[[Series; 2]]>,
}

type Series = OnceLock<Box<Slots<Counts>>>;

#[derive(Debug, Default)]
struct Counts {
    /// By the first bound that was kept; the last is of those that kept none.
    samples: [AtomicU64; MAX_BOUNDS + 1],
    nanoseconds: AtomicU64,
}

impl Timings {
    /// `fixed` are the values of the first labels, `bounds` are in seconds. A family without `names` has no label for them.
    ///
    /// # Errors
    /// When there are too many bounds.
    pub(super) fn new(
        desc: Desc,
        fixed: &'static [&'static str],
        names: &'static [&'static str],
        bounds: &[f64],
    ) -> prometheus::Result<Timings> {
        if bounds.len() > MAX_BOUNDS {
            return Err(prometheus::Error::Msg(format!("{} has more than {MAX_BOUNDS} bounds", desc.fq_name)));
        }
        let bounds = bounds.iter().map(|&bound| (bound, Duration::from_secs_f64(bound))).collect();
        let series = (0..names.len().max(1)).map(|_| Default::default()).collect();
        Ok(Timings(Arc::new(Family { desc, fixed, names, bounds, series })))
    }

    /// Has all series appear now, not with their first samples.
    pub(super) fn show(&self) {
        for series in self.0.series.iter().flatten() {
            series.get_or_init(Box::default);
        }
    }

    /// How often each name was counted, well or not.
    pub(super) fn totals(&self) -> Vec<(&'static str, u64)> {
        let Family { names, series, .. } = &*self.0;
        let of = |series: &Series| series.get().map_or(0, |counts| counts.sum(Counts::total));
        names.iter().zip(series).map(|(name, both)| (*name, both.iter().map(of).sum())).collect()
    }

    /// How often a name was counted well, by bucket; the last has no bound. Nothing if it never was.
    pub(super) fn succeeded(&self, name: &str) -> Vec<u64> {
        let Family { names, series, bounds, .. } = &*self.0;
        let at = names.iter().position(|n| *n == name).unwrap_or(0);
        let counts = series.get(at).and_then(|[_, ok]| ok.get());
        let in_bucket = |counts: &Slots<Counts>, bucket: usize| {
            counts.sum(|counts| counts.samples.get(bucket).map_or(0, |samples| samples.load(Relaxed)))
        };
        counts.map_or_else(Vec::new, |counts| (0..=bounds.len()).map(|bucket| in_bucket(counts, bucket)).collect())
    }

    /// Names outside the list are counted as the last one.
    pub(crate) fn observe(&self, name: &str, took: Duration, ok: bool) {
        let Family { names, series, bounds, .. } = &*self.0;
        let at = names.iter().position(|n| *n == name).unwrap_or(names.len().saturating_sub(1));
        let Some(series) = series.get(at).and_then(|series| series.get(usize::from(ok))) else { return };
        let counts = series.get_or_init(Box::default).own();
        let bucket = bounds.iter().position(|(_, bound)| took <= *bound).unwrap_or(bounds.len());
        if let Some(samples) = counts.samples.get(bucket) {
            samples.fetch_add(1, Relaxed);
        }
        if !took.is_zero() {
            counts.nanoseconds.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Relaxed);
        }
    }
}

impl Counts {
    fn total(&self) -> u64 {
        self.samples.iter().map(|samples| samples.load(Relaxed)).sum()
    }
}

impl Family {
    fn metric(&self, at: usize, ok: bool, counts: &Slots<Counts>) -> Metric {
        let values = self.fixed.iter().chain(self.names.get(at)).chain([if ok { &"true" } else { &"false" }]);
        let mut labels: Vec<_> =
            self.desc.variable_labels.iter().zip(values).map(|(label, value)| grpc::pair(label, value)).collect();
        labels.sort();
        let mut metric = Metric::default();
        metric.set_label(labels);
        metric.set_histogram(self.histogram(counts));
        metric
    }

    fn histogram(&self, counts: &Slots<Counts>) -> Histogram {
        let mut total = 0;
        let mut up_to = |bucket: usize| {
            total += counts.sum(|counts| counts.samples.get(bucket).map_or(0, |samples| samples.load(Relaxed)));
            total
        };
        let buckets = self.bounds.iter().enumerate().map(|(at, (bound, _))| {
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(*bound);
            bucket.set_cumulative_count(up_to(at));
            bucket
        });
        let buckets = buckets.collect();
        let mut histogram = Histogram::default();
        histogram.set_bucket(buckets);
        histogram.set_sample_count(up_to(self.bounds.len()));
        let nanoseconds = counts.sum(|counts| counts.nanoseconds.load(Relaxed));
        histogram.set_sample_sum(Duration::from_nanos(nanoseconds).as_secs_f64());
        histogram
    }
}

impl Collector for Timings {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.0.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let series =
            self.0.series.iter().enumerate().flat_map(|(at, [failed, ok])| [(at, false, failed), (at, true, ok)]);
        let metrics = series.filter_map(|(at, ok, counts)| Some(self.0.metric(at, ok, counts.get()?))).collect();
        let mut family = MetricFamily::default();
        family.set_name(self.0.desc.fq_name.clone());
        family.set_help(self.0.desc.help.clone());
        family.set_field_type(MetricType::HISTOGRAM);
        family.set_metric(metrics);
        vec![family]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::{Registry, TextEncoder};
    use std::collections::HashMap;

    #[test]
    fn samples_of_all_threads_are_one_histogram() {
        let labels = ["version", "op", "success"].map(str::to_owned).to_vec();
        let desc = Desc::new("took".to_owned(), "Time.".to_owned(), labels, HashMap::new()).unwrap();
        let timings = Timings::new(desc, &["v3"], &["Put", "other"], &[0.5, 1.0]).unwrap();
        let registry = Registry::new();
        registry.register(Box::new(timings.clone())).unwrap();
        let text = || TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        assert_eq!(text(), "", "a series appears when it is used");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    // A bound belongs to its bucket.
                    for millis in [500, 501, 1001] {
                        timings.observe("Put", Duration::from_millis(millis), true);
                    }
                });
            }
        });
        timings.observe("unheard of", Duration::ZERO, false);
        let lines = text();
        for line in [
            "took_bucket{op=\"Put\",success=\"true\",version=\"v3\",le=\"0.5\"} 8",
            "took_bucket{op=\"Put\",success=\"true\",version=\"v3\",le=\"1\"} 16",
            "took_bucket{op=\"Put\",success=\"true\",version=\"v3\",le=\"+Inf\"} 24",
            "took_sum{op=\"Put\",success=\"true\",version=\"v3\"} 16.016",
            "took_count{op=\"Put\",success=\"true\",version=\"v3\"} 24",
            "took_count{op=\"other\",success=\"false\",version=\"v3\"} 1",
        ] {
            assert!(lines.lines().any(|l| l == line), "{line}\n{lines}");
        }
    }
}
