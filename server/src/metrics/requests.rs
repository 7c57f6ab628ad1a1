//! How long requests take: `etcd_server_request_duration_seconds`.

use std::time::Instant;

use super::Metrics;

/// A request under way. Dropped without [`RequestTimer::succeeded`] it counts as failed, which is also what becomes of one
/// whose client has left.
#[derive(Debug)]
#[must_use = "dropped at once, it counts a failed request"]
pub struct RequestTimer<'a> {
    metrics: &'a Metrics,
    kind: &'static str,
    start: Instant,
    ok: bool,
}

impl Metrics {
    /// Begins to time a request, named as in etcd's `type` label.
    pub fn time_request(&self, kind: &'static str) -> RequestTimer<'_> {
        RequestTimer { metrics: self, kind, start: Instant::now(), ok: false }
    }
}

impl RequestTimer<'_> {
    /// Counts the request as answered.
    pub fn succeeded(mut self) {
        self.ok = true;
    }
}

impl Drop for RequestTimer<'_> {
    fn drop(&mut self) {
        self.metrics.request_duration.observe(self.kind, self.start.elapsed(), self.ok);
    }
}
