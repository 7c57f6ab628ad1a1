//! Makes the series of the table, and has the registry know them.
//!
//! They end the program where the table is wrong. A way back from each of a hundred rows, on which those before it are dropped, would be half a
//! megabyte of code that nothing ever runs; as part of one function, these would be a whole one.

use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, Result,
    exponential_buckets,
};

/// First bound, factor, number of bounds.
type Buckets = (f64, f64, usize);

#[inline(never)]
pub(super) fn counter(registry: &Registry, name: &str, help: &str) -> IntCounter {
    known(registry, name, IntCounter::new(name, help))
}

#[inline(never)]
pub(super) fn gauge(registry: &Registry, name: &str, help: &str) -> IntGauge {
    known(registry, name, IntGauge::new(name, help))
}

#[inline(never)]
pub(super) fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    known(registry, name, IntCounterVec::new(Opts::new(name, help), labels))
}

#[inline(never)]
pub(super) fn gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    known(registry, name, IntGaugeVec::new(Opts::new(name, help), labels))
}

#[inline(never)]
pub(super) fn histogram(registry: &Registry, name: &str, help: &str, buckets: Buckets) -> Histogram {
    known(registry, name, options(name, help, buckets).and_then(Histogram::with_opts))
}

#[inline(never)]
pub(super) fn histograms(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
    buckets: Buckets,
) -> HistogramVec {
    known(registry, name, options(name, help, buckets).and_then(|options| HistogramVec::new(options, labels)))
}

fn options(name: &str, help: &str, buckets: Buckets) -> Result<HistogramOpts> {
    Ok(HistogramOpts::new(name, help).buckets(exp(buckets)?))
}

/// A series of the table, once the registry has it, too.
///
/// # Panics
/// If the row is wrong, or its name is there already.
fn known<C: Collector + Clone + 'static>(registry: &Registry, name: &str, series: Result<C>) -> C {
    let known = series.and_then(|series| register(registry, series));
    known.unwrap_or_else(|error| panic!("the table of metrics is wrong at {name}: {error}"))
}

pub(super) fn exp((start, factor, count): Buckets) -> Result<Vec<f64>> {
    exponential_buckets(start, factor, count)
}

pub(super) fn register<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}
