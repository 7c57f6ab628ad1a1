//! The last warnings and errors, kept for those who cannot look at the log: as they are written there, and whatever is written there
//! by its level.
//!
//! They are the process's, as the log is.

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use tokio::sync::watch;
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::format;
use super::sampled::Sampled;

/// Lines that are kept.
const MOST: usize = 200;
/// And bytes of them.
const MOST_BYTES: usize = 256 * 1024;
/// Of a longer line nothing is kept but what it is about.
const LONGEST: usize = 16 * 1024;

static OF_PROCESS: LazyLock<Kept> = LazyLock::new(Kept::new);

/// A line, as an object of JSON.
#[derive(Clone, Debug)]
pub(crate) struct Warning {
    /// Of this process, the next one has the next.
    number: u64,
    /// Without the brace before it.
    rest: Arc<str>,
}

#[derive(Debug)]
struct Kept {
    /// Tells this process from the one before it.
    born: u128,
    lines: Mutex<Lines>,
    newest: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Lines {
    lines: VecDeque<Warning>,
    bytes: usize,
    last: u64,
}

impl Kept {
    fn new() -> Kept {
        let born = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis());
        Kept { born, lines: Mutex::default(), newest: watch::Sender::new(0) }
    }

    /// `line` is an object of JSON, with or without a line break behind it.
    fn add(&self, line: &str) {
        let Some(rest) = line.trim_end().strip_prefix('{') else { return };
        let mut lines = self.lines.lock();
        lines.last += 1;
        let number = lines.last;
        lines.bytes += rest.len();
        lines.lines.push_back(Warning { number, rest: rest.into() });
        while lines.lines.len() > MOST || lines.bytes > MOST_BYTES {
            let Some(first) = lines.lines.pop_front() else { break };
            lines.bytes -= first.rest.len();
        }
        drop(lines);
        self.newest.send_replace(number);
    }

    fn since(&self, id: &str) -> Vec<Warning> {
        // Of another process, or of nobody: all.
        let (born, number) = id.split_once('-').unwrap_or_default();
        let is_own = born.parse() == Ok(self.born);
        let seen = number.parse().ok().filter(|_| is_own).unwrap_or(0);
        self.lines.lock().lines.iter().filter(|line| line.number > seen).cloned().collect()
    }
}

impl Warning {
    /// Its name among all of them.
    pub(crate) fn id(&self) -> String {
        format!("{}-{}", OF_PROCESS.born, self.number)
    }

    /// As an object of JSON, in one line.
    pub(crate) fn json(&self) -> String {
        format!("{{\"event_id\":\"{}\",{}", self.id(), self.rest)
    }
}

/// Those behind one of them, by its name; all if there is none of that name.
pub(crate) fn warnings(behind: &str) -> Vec<Warning> {
    OF_PROCESS.since(behind)
}

/// Changes with each of them.
pub(crate) fn newest_warning() -> watch::Receiver<u64> {
    OF_PROCESS.newest.subscribe()
}

/// Keeps what it is given.
pub(super) struct Keeper {
    sampled: Sampled<()>,
}

impl Keeper {
    pub(super) fn new() -> Keeper {
        Keeper { sampled: Sampled::new(()) }
    }
}

impl<S: Subscriber> Layer<S> for Keeper {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if !self.sampled.lets_through(event) {
            return;
        }
        let mut line = String::new();
        // A text takes everything.
        let _ = format::json(&mut line, event, true);
        if line.len() > LONGEST {
            line.clear();
            let _ = format::json(&mut line, event, false);
        }
        // A message of that length says nothing that fits.
        if line.len() <= LONGEST {
            OF_PROCESS.add(&line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_bytes_are_bounded_and_the_newest_stay() {
        let kept = Kept::new();
        (0..1000).for_each(|n| kept.add(&format!("{{\"msg\":\"{n}\"}}\n")));
        let lines = kept.since("");
        assert_eq!((lines.len(), &*lines.last().unwrap().rest), (MOST, "\"msg\":\"999\"}"));
        assert_eq!(*kept.newest.borrow(), 1000);
        (0..100).for_each(|_| kept.add(&format!("{{\"msg\":\"{}\"}}", "x".repeat(LONGEST - 20))));
        let bytes: usize = kept.since("").iter().map(|line| line.rest.len()).sum();
        assert!(bytes <= MOST_BYTES && bytes > MOST_BYTES - LONGEST, "{bytes}");
        assert_eq!(kept.lines.lock().bytes, bytes);
    }

    #[test]
    fn who_has_seen_some_is_told_the_others() {
        let kept = Kept::new();
        (0..3).for_each(|n| kept.add(&format!("{{\"msg\":\"{n}\"}}")));
        let own = kept.born;
        for (id, count) in
            [(format!("{own}-1"), 2), (format!("{own}-3"), 0), (format!("{}-2", own + 1), 3), ("x".into(), 3)]
        {
            assert_eq!(kept.since(&id).len(), count, "{id}");
        }
    }
}
