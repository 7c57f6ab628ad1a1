//! What is told of now and then, however often it happens.

use std::time::{Duration, Instant};

/// No more than one line in this time.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Told {
    at: Option<Instant>,
    /// How many more there were since.
    others: u64,
}

impl Told {
    /// How many others to tell of, if it is time to.
    pub(super) fn is_time(&mut self, now: Instant) -> Option<u64> {
        if self.at.is_some_and(|at| now.saturating_duration_since(at) < TELL_EVERY) {
            self.others += 1;
            return None;
        }
        self.at = Some(now);
        Some(std::mem::take(&mut self.others))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_of_those_who_had_none() {
        let (mut told, now) = (Told::default(), Instant::now());
        assert_eq!(told.is_time(now), Some(0));
        assert!((0..5).all(|_| told.is_time(now + TELL_EVERY / 2).is_none()));
        assert_eq!(told.is_time(now + TELL_EVERY), Some(5));
        assert_eq!(told.is_time(now + TELL_EVERY * 2), Some(0));
    }
}
