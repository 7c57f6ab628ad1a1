//! How often a client may ask whether the server is still there, by gRPC's rule: with calls under way as often as
//! `--grpc-keepalive-min-time` lets it, without any once in two hours. Two pings more are overlooked, and all that come
//! before something was said to the client. Then the connection ends.

use std::time::{Duration, Instant};

/// Between pings while nothing is asked.
const WITHOUT_CALLS: Duration = Duration::from_secs(2 * 60 * 60);
/// Pings that come too soon and are overlooked.
const OVERLOOKED: u32 = 2;

/// The pings of one connection.
#[derive(Debug)]
pub(super) struct Pings {
    /// Between them while there are calls.
    with_calls: Duration,
    last: Option<Instant>,
    too_soon: u32,
}

impl Pings {
    pub(super) fn new(with_calls: Duration) -> Pings {
        Pings { with_calls, last: None, too_soon: 0 }
    }

    /// Another one has come; whether it is one too many. `spoken` says whether an answer, or a part of one, has gone out since the last.
    pub(super) fn count(&mut self, now: Instant, has_calls: bool, spoken: bool) -> bool {
        let since = self.last.replace(now).map(|last| now.saturating_duration_since(last));
        let least = if has_calls { self.with_calls } else { WITHOUT_CALLS };
        if spoken {
            self.too_soon = 0;
        } else if since.is_some_and(|since| since < least) {
            self.too_soon += 1;
        }
        self.too_soon > OVERLOOKED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// How many of many pings come before the one too many, one every so often.
    fn borne(every: Duration, has_calls: bool, spoken: impl Fn(u32) -> bool) -> u32 {
        let (mut pings, mut now) = (Pings::new(5 * SECOND), Instant::now());
        let is_too_many = |n: &u32| {
            now += every;
            pings.count(now, has_calls, spoken(*n))
        };
        (0..100).find(is_too_many).unwrap_or(100)
    }

    #[test]
    fn three_too_soon_are_too_many() {
        let never = |_| false;
        assert_eq!(borne(SECOND, true, never), 3);
        assert_eq!(borne(5 * SECOND, true, never), 100);
        assert_eq!(borne(3600 * SECOND, false, never), 3);
        assert_eq!(borne(7200 * SECOND, false, never), 100);
    }

    #[test]
    fn who_is_spoken_to_may_ask() {
        assert_eq!(borne(SECOND, true, |_| true), 100);
        assert_eq!(borne(SECOND, false, |n| n % 3 == 2), 100);
        assert_eq!(borne(SECOND, false, |n| n == 2), 5);
    }
}
