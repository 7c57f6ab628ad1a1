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
    /// When, and whether well.
    ended: Option<(Instant, bool)>,
}

impl Metrics {
    /// Begins to time a request, named as in etcd's `type` label.
    pub fn time_request(&self, kind: &'static str) -> RequestTimer<'_> {
        RequestTimer { metrics: self, kind, start: Instant::now(), ended: None }
    }
}

impl RequestTimer<'_> {
    /// When the request began.
    pub(crate) fn start(&self) -> Instant {
        self.start
    }

    /// Counts the request as answered at `end`.
    pub fn succeeded_at(self, end: Instant) {
        self.end(end, true);
    }

    /// Counts the request as answered.
    pub fn succeeded(self) {
        self.succeeded_at(Instant::now());
    }

    /// Counts a range that began at `start`, and the request that was for it: both end with one look at the clock.
    ///
    /// Returns when that was.
    pub fn ranged(self, start: Instant, ok: bool) -> Instant {
        let now = Instant::now();
        self.metrics.observe_range(now.saturating_duration_since(start), ok);
        self.end(now, ok);
        now
    }

    fn end(mut self, now: Instant, ok: bool) {
        self.ended = Some((now, ok));
    }
}

impl Drop for RequestTimer<'_> {
    fn drop(&mut self) {
        let (end, ok) = self.ended.unwrap_or_else(|| (Instant::now(), false));
        self.metrics.request_duration.observe(self.kind, end.saturating_duration_since(self.start), ok);
    }
}
