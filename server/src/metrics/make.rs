//! Makes the series of the table, and has the registry know them.
//!
//! Each of these is called some dozen times in one function, which would have a megabyte if they were part of it.

use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, Result,
    exponential_buckets,
};

/// First bound, factor, number of bounds.
type Buckets = (f64, f64, usize);

#[inline(never)]
pub(super) fn counter(registry: &Registry, name: &str, help: &str) -> Result<IntCounter> {
    register(registry, IntCounter::new(name, help)?)
}

#[inline(never)]
pub(super) fn gauge(registry: &Registry, name: &str, help: &str) -> Result<IntGauge> {
    register(registry, IntGauge::new(name, help)?)
}

#[inline(never)]
pub(super) fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec> {
    register(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
}

#[inline(never)]
pub(super) fn gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec> {
    register(registry, IntGaugeVec::new(Opts::new(name, help), labels)?)
}

#[inline(never)]
pub(super) fn histogram(registry: &Registry, name: &str, help: &str, buckets: Buckets) -> Result<Histogram> {
    register(registry, Histogram::with_opts(options(name, help, buckets)?)?)
}

#[inline(never)]
pub(super) fn histograms(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
    buckets: Buckets,
) -> Result<HistogramVec> {
    register(registry, HistogramVec::new(options(name, help, buckets)?, labels)?)
}

fn options(name: &str, help: &str, buckets: Buckets) -> Result<HistogramOpts> {
    Ok(HistogramOpts::new(name, help).buckets(exp(buckets)?))
}

pub(super) fn exp((start, factor, count): Buckets) -> Result<Vec<f64>> {
    exponential_buckets(start, factor, count)
}

pub(super) fn register<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}
