//! Lines that somebody can have written as often as he likes: of those of one kind the first hundred of a second are written,
//! then every hundredth, as etcd's logger has it. Debug lines are for those who want to see everything.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tracing::callsite::Identifier;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

const TICK: Duration = Duration::from_secs(1);
const FIRST: u64 = 100;
const THEN_EVERY: u64 = 100;

/// A shape of lines, of which not all are written.
pub(super) struct Sampled<F> {
    shape: F,
    /// By the place in the program: there are as many as it has lines that log.
    seen: Mutex<HashMap<Identifier, Seen>>,
}

/// Of one kind of lines, in the last second.
struct Seen {
    since: Instant,
    count: u64,
}

impl<F> Sampled<F> {
    pub(super) fn new(shape: F) -> Sampled<F> {
        Sampled { shape, seen: Mutex::default() }
    }

    /// Whether a line is one of those that are written.
    pub(super) fn lets_through(&self, event: &Event<'_>) -> bool {
        let metadata = event.metadata();
        *metadata.level() > Level::INFO || self.is_written(metadata.callsite(), Instant::now())
    }

    fn is_written(&self, kind: Identifier, now: Instant) -> bool {
        let mut seen = self.seen.lock();
        let seen = seen.entry(kind).or_insert(Seen { since: now, count: 0 });
        if now.saturating_duration_since(seen.since) >= TICK {
            *seen = Seen { since: now, count: 0 };
        }
        seen.count += 1;
        seen.count <= FIRST || (seen.count - FIRST).is_multiple_of(THEN_EVERY)
    }
}

impl<S, N, F> FormatEvent<S, N> for Sampled<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'w> FormatFields<'w> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        if self.lets_through(event) { self.shape.format_event(context, out, event) } else { Ok(()) }
    }
}
