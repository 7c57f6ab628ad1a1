//! How far something is that takes long: a line that is written over, for somebody who looks on, and nothing in a pipe.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often the line changes.
const STEP: Duration = Duration::from_millis(200);
/// Takes away what was written.
const ANEW: &str = "\r\x1b[K";

/// See the module's text. Nothing is left of the line in the end.
pub(crate) struct Progress<W: Write = io::Stderr> {
    /// None where nobody looks on.
    out: Option<W>,
    shown: Option<Instant>,
}

impl Progress {
    /// On the terminal, if there is one.
    pub(crate) fn new() -> Progress {
        let err = io::stderr();
        Progress { out: err.is_terminal().then_some(err), shown: None }
    }
}

impl<W: Write> Progress<W> {
    /// So many bytes of so many. Whoever does not listen any more changes nothing.
    pub(crate) fn show(&mut self, what: &str, done: u64, all: u64) {
        self.show_with(what, || (done, all));
    }

    /// The same, of what has to be found out: only where it is shown.
    pub(crate) fn show_with(&mut self, what: &str, find_out: impl FnOnce() -> (u64, u64)) {
        self.line(|out| {
            let (done, all) = find_out();
            let percent = done.saturating_mul(100).checked_div(all).unwrap_or(100);
            write!(out, "{what}: {percent}% of {}", bytes(all))
        });
    }

    /// So many of what there is nobody knows how much of.
    pub(crate) fn count(&mut self, what: &str, done: u64) {
        self.line(|out| write!(out, "{done} {what}"));
    }

    fn line(&mut self, text: impl FnOnce(&mut W) -> io::Result<()>) {
        let Some(out) = &mut self.out else { return };
        if self.shown.is_some_and(|shown| shown.elapsed() < STEP) {
            return;
        }
        self.shown = Some(Instant::now());
        let _ = write!(out, "{ANEW}").and_then(|()| text(out)).and_then(|()| out.flush());
    }
}

impl<W: Write> Drop for Progress<W> {
    fn drop(&mut self) {
        if let (Some(out), Some(_)) = (&mut self.out, self.shown) {
            let _ = write!(out, "{ANEW}").and_then(|()| out.flush());
        }
    }
}

/// In decimal units, with one digit behind the point below ten of them.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let (mut of_unit, mut unit) = (count as f64, 0);
    while of_unit >= 1000.0 && unit + 1 < UNITS.len() {
        of_unit /= 1000.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && of_unit < 10.0);
    format!("{of_unit:.digits$} {}", UNITS.get(unit).unwrap_or(&"B"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_looks_on_sees_a_line_and_nothing_is_left_of_it() {
        let mut seen = Vec::new();
        let mut progress = Progress { out: Some(&mut seen), shown: None };
        progress.show("saving", 1, 4);
        progress.show("saving", 2, 4);
        drop(progress);
        assert_eq!(String::from_utf8(seen).unwrap(), "\r\x1b[Ksaving: 25% of 4 B\r\x1b[K");
        let mut pipe: Progress<Vec<u8>> = Progress { out: None, shown: None };
        pipe.show("saving", 0, 0);
        assert!(pipe.shown.is_none());
        for (count, text) in [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (25_000_000, "25 MB")] {
            assert_eq!(bytes(count), text);
        }
    }
}
