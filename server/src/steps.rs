//! What a call spends its time on: noted by who does the work, on the thread that does it, for who has to tell of the call.
//!
//! A call is a future that an event loop polls; what it notes meanwhile is kept with it ([`Steps::within`]). Where nobody
//! asks, as in the duties of the node, a note goes nowhere. Nor does one of what was done so quickly that it explains nothing:
//! nearly every call is of such steps alone, and keeps none.

use std::cell::Cell;
use std::time::{Duration, Instant};
use std::{fmt, mem};

/// Further ones are left out: a transaction may read often.
const MOST: usize = 32;

thread_local! {
    /// Of the call that is being polled on this thread.
    static CURRENT: Cell<Option<Steps>> = const { Cell::new(None) };
}

/// A part of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) start: Instant,
    pub(crate) end: Instant,
}

impl Step {
    pub(crate) fn took(&self) -> Duration {
        self.end.saturating_duration_since(self.start)
    }
}

/// Those of one call, in the order in which they ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Steps {
    kept: Vec<Step>,
    /// What takes less is not kept.
    least: Duration,
}

impl Steps {
    /// All of them.
    pub(crate) fn all() -> Steps {
        Steps::default()
    }

    /// Those that have to do with it when a call takes longer than `slow`.
    pub(crate) fn of_slow(slow: Duration) -> Steps {
        Steps { kept: Vec::new(), least: slow / 50 }
    }

    /// Does a piece of the call's work, and keeps what is noted of it.
    pub(crate) fn within<R>(&mut self, work: impl FnOnce() -> R) -> R {
        let outer = CURRENT.replace(Some(mem::take(self)));
        let _kept = Kept { steps: self, outer };
        work()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Step> {
        self.kept.iter()
    }
}

impl fmt::Display for Steps {
    /// One after the other, with how long each took.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.kept.iter().enumerate() {
            write!(f, "{}{} {:?}", if i > 0 { ", " } else { "" }, step.name, step.took())?;
        }
        Ok(())
    }
}

/// Puts things back, after a panic, too.
struct Kept<'a> {
    steps: &'a mut Steps,
    outer: Option<Steps>,
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        *self.steps = CURRENT.replace(self.outer.take()).unwrap_or_default();
    }
}

/// Notes a step of the call that is being worked on here.
pub(crate) fn note(name: &'static str, start: Instant, end: Instant) {
    let mut current = CURRENT.take();
    if let Some(Steps { kept, least }) = &mut current
        && kept.len() < MOST
        && end.saturating_duration_since(start) >= *least
    {
        kept.push(Step { name, start, end });
    }
    CURRENT.set(current);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_stays_with_the_call_that_is_polled() {
        let (start, mut one, mut other) = (Instant::now(), Steps::all(), Steps::of_slow(Duration::from_millis(100)));
        let note = |name, ms| note(name, start, start + Duration::from_millis(ms));
        note("nobody's", 1);
        one.within(|| {
            note("a", 1);
            other.within(|| (1..=2).for_each(|ms| note("b", ms)));
            note("c", 3);
        });
        one.within(|| note("d", 4));
        assert_eq!((one.to_string(), other.to_string()), ("a 1ms, c 3ms, d 4ms".into(), "b 2ms".into()));
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| other.within(|| panic!("on purpose"))));
        assert!(panicked.is_err());
        note("nobody's", 1);
        assert_eq!(other.to_string(), "b 2ms");
        one.within(|| (0..100).for_each(|_| note("e", 5)));
        assert_eq!(one.iter().count(), MOST);
    }
}
