//! The pace of a long calculation: full speed where a core is to spare, and short turns with rests between them where others
//! want every core.
//!
//! A low priority alone does not do that. Linux (since 6.6) lets a thread that has had more than its share wait once it wakes up, until
//! those of lower priority have caught up, and where these have next to no weight that is as long as a tick: each `fdatasync` that
//! ends while a calculation is under way would be noticed milliseconds late. A calculation that rests by itself is in nobody's way for
//! longer than a turn. That others want its core it sees by its turns, which take longer than they use.

use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// How long somebody may have to wait for the calculation to rest.
const TURN: Duration = Duration::from_micros(250);
/// A fifth of a core is used at most, with the turn.
const REST: Duration = Duration::from_millis(1);
/// A turn that takes longer by so much has been interrupted by more than the system's own duties.
const NOTICED: Duration = Duration::from_micros(50);
/// Who wanted the core so long ago may want it again.
const REMEMBERED: Duration = Duration::from_millis(100);

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Pace {
    began: Instant,
    /// The thread's time on a core, at the beginning of this turn.
    used: Duration,
    wanted_until: Option<Instant>,
}

impl Pace {
    /// Of a calculation that begins now, on this thread.
    pub(crate) fn begin() -> Pace {
        Pace { began: Instant::now(), used: used(), wanted_until: None }
    }

    /// To be called after every few microseconds of work: rests when it is time to.
    pub(crate) fn step(&mut self) {
        let now = Instant::now();
        let turn = now - self.began;
        if turn < TURN {
            return;
        }
        let all_used = used();
        if self.must_rest(now, turn, all_used - self.used) {
            thread::sleep(REST);
        }
        (self.began, self.used) = (Instant::now(), all_used);
    }

    /// After a turn of so long that has used so much of a core.
    fn must_rest(&mut self, now: Instant, turn: Duration, used: Duration) -> bool {
        if turn.saturating_sub(used) > NOTICED {
            self.wanted_until = Some(now + REMEMBERED);
        }
        self.wanted_until.is_some_and(|until| now < until)
    }
}

/// How long this thread has had a core.
fn used() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_follow_while_others_want_the_core_and_for_a_while_after() {
        let mut pace = Pace::begin();
        let begin = pace.began;
        let micros = Duration::from_micros;
        for (at, turn, used, expected) in [
            (0, 250, 250, false),
            (250, 250, 200, false),
            (500, 250, 199, true),
            (1_750, 250, 250, true),
            (100_499, 250, 250, true),
            (100_500, 250, 250, false),
            (101_000, 9_000, 250, true),
            // A clock that is ahead of the other one is nobody's wish.
            (300_000, 250, 251, false),
        ] {
            assert_eq!(pace.must_rest(begin + micros(at), micros(turn), micros(used)), expected, "{at}");
        }
    }

    #[test]
    fn a_turn_ends_when_its_time_is_over() {
        let mut pace = Pace::begin();
        let first = pace.began;
        pace.step();
        while pace.began == first {
            assert!(first.elapsed() < Duration::from_mins(1), "no turn ends");
            pace.step();
        }
        assert!(pace.began - first >= TURN && pace.used > Duration::ZERO);
    }
}
