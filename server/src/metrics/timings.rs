//! Histograms by operation and success, found without hashing labels.

use std::sync::OnceLock;
use std::time::Duration;

use prometheus::{Histogram, HistogramVec};

/// A family with the labels `.., name, success`. A series appears with its first sample.
#[derive(Debug)]
pub(crate) struct Timings {
    family: HistogramVec,
    fixed: &'static [&'static str],
    names: &'static [&'static str],
    /// Failed and successful, by the index of the name.
    cells: Box<[[OnceLock<Histogram>; 2]]>,
}

impl Timings {
    pub(super) fn new(family: HistogramVec, fixed: &'static [&'static str], names: &'static [&'static str]) -> Timings {
        Timings { family, fixed, names, cells: names.iter().map(|_| Default::default()).collect() }
    }

    /// Names outside the list are counted as the last one.
    pub(crate) fn observe(&self, name: &str, took: Duration, ok: bool) {
        let at = self.names.iter().position(|n| *n == name).unwrap_or(self.names.len() - 1);
        let Some(cell) = self.cells.get(at).and_then(|cells| cells.get(usize::from(ok))) else { return };
        let histogram = cell.get_or_init(|| {
            let mut labels = self.fixed.to_vec();
            labels.extend([self.names.get(at).copied().unwrap_or(name), if ok { "true" } else { "false" }]);
            self.family.with_label_values(&labels)
        });
        histogram.observe(took.as_secs_f64());
    }
}
