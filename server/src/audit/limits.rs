//! How many lines there are of those who have proved nothing and changed nothing: so many of a kind a second, and so many
//! bytes of all of them. The others are counted, and the log says how many they were.

use std::collections::HashMap;
use std::mem;
use std::time::{Duration, Instant};

use keyport_api::methods::Method;
use tonic::Code;

/// Lines of a kind in a [`WINDOW`].
pub(super) const MOST_LINES: u32 = 10;
/// Bytes of all kinds in a [`WINDOW`]; the line that goes beyond it is the last.
const MOST_BYTES: usize = 64 * 1024;
pub(super) const WINDOW: Duration = Duration::from_secs(1);

/// What lines are counted by. There are not many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    /// None for all that is beside the RPCs.
    method: Option<Method>,
    code: i32,
}

impl Kind {
    pub(super) fn new(method: Option<Method>, code: Code) -> Kind {
        Kind { method, code: code.into() }
    }

    pub(super) fn call(self) -> &'static str {
        self.method.map_or("other", Method::path)
    }

    pub(super) fn code(self) -> Code {
        self.code.into()
    }
}

/// How many lines of a kind were not written.
#[derive(Debug)]
pub(super) struct Withheld {
    pub(super) kind: Kind,
    pub(super) count: u64,
}

#[derive(Debug, Default)]
struct Count {
    lines: u32,
    withheld: u64,
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Limits {
    since: Instant,
    bytes: usize,
    kinds: HashMap<Kind, Count>,
    /// Whether some are withheld that nobody was told of.
    holds: bool,
}

impl Limits {
    pub(super) fn new(now: Instant) -> Limits {
        Limits { since: now, bytes: 0, kinds: HashMap::new(), holds: false }
    }

    /// Whether a line of this kind is written; and if not, whether it is the first of all that are withheld by now.
    pub(super) fn goes(&mut self, kind: Kind, now: Instant) -> (bool, bool) {
        self.begin_anew(now);
        let count = self.kinds.entry(kind).or_default();
        if count.lines < MOST_LINES && self.bytes < MOST_BYTES {
            count.lines += 1;
            return (true, false);
        }
        count.withheld += 1;
        (false, !mem::replace(&mut self.holds, true))
    }

    pub(super) fn written(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    /// Whether somebody has to look at [`Limits::withheld`] when a window is over.
    pub(super) fn holds(&self) -> bool {
        self.holds
    }

    /// What was withheld in windows that are over, or in any; not to be said again.
    pub(super) fn withheld(&mut self, now: Instant, all: bool) -> Vec<Withheld> {
        if !self.begin_anew(now) && !all {
            return Vec::new();
        }
        self.holds = false;
        let some = self.kinds.iter_mut().filter(|(_, count)| count.withheld > 0);
        some.map(|(kind, count)| Withheld { kind: *kind, count: mem::take(&mut count.withheld) }).collect()
    }

    /// Whether the window that there was is over.
    fn begin_anew(&mut self, now: Instant) -> bool {
        let is_over = now.duration_since(self.since) >= WINDOW;
        if is_over {
            self.since = now;
            self.bytes = 0;
            self.kinds.retain(|_, count| {
                count.lines = 0;
                count.withheld > 0
            });
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_written_is_counted_and_said_once() {
        let start = Instant::now();
        let mut limits = Limits::new(start);
        let (watch, range) = (Some(Method::Watch), Some(Method::Range));
        let denied = |method| Kind::new(method, Code::PermissionDenied);
        let mut firsts = 0;
        for n in 0..MOST_LINES + 5 {
            let (goes, is_first) = limits.goes(denied(watch), start);
            assert_eq!(goes, n < MOST_LINES);
            firsts += u32::from(is_first);
        }
        assert_eq!((firsts, limits.holds()), (1, true));
        assert_eq!(limits.goes(denied(range), start), (true, false), "others have their own");
        assert!(limits.withheld(start, false).is_empty(), "more may come");
        let later = start + WINDOW;
        let told = limits.withheld(later, false);
        assert_eq!(told.iter().map(|told| (told.kind, told.count)).collect::<Vec<_>>(), [(denied(watch), 5)]);
        assert!(!limits.holds() && limits.withheld(later + WINDOW, false).is_empty());
        assert_eq!(limits.goes(denied(watch), later + WINDOW), (true, false));
        assert_eq!(limits.kinds.len(), 1);
    }

    #[test]
    fn long_lines_are_fewer() {
        let start = Instant::now();
        let mut limits = Limits::new(start);
        let kind = Kind::new(None, Code::Unauthenticated);
        for goes in [true, true, false] {
            assert_eq!(limits.goes(kind, start).0, goes);
            limits.written(MOST_BYTES / 2);
        }
        assert_eq!(limits.withheld(start, true).len(), 1);
        assert!(limits.goes(kind, start + WINDOW).0);
    }
}
