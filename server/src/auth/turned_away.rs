//! What is told of those who were not let in: counted, and for whoever runs the server a line now and then.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use keyport_api::error::Error;
use parking_lot::Mutex;

use super::tries::Refused;
use crate::metrics::{IntCounter, Metrics};

/// No more than one line in this time.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// See the module's text.
#[derive(Debug)]
pub(crate) struct TurnedAway {
    passwords: IntCounter,
    tokens: IntCounter,
    user: IntCounter,
    address: IntCounter,
    waiting: IntCounter,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    at: Option<Instant>,
    /// How many more there were since.
    others: u64,
}

impl Told {
    /// How many others to tell of, if it is time to.
    fn is_time(&mut self, now: Instant) -> Option<u64> {
        if self.at.is_some_and(|at| now.saturating_duration_since(at) < TELL_EVERY) {
            self.others += 1;
            return None;
        }
        self.at = Some(now);
        Some(std::mem::take(&mut self.others))
    }
}

impl TurnedAway {
    pub(super) fn new(metrics: &Metrics) -> TurnedAway {
        let by = |by| metrics.logins_refused.with_label_values(&[by]);
        TurnedAway {
            passwords: by("password"),
            tokens: metrics.tokens_refused.clone(),
            user: by("user"),
            address: by("address"),
            waiting: by("waiting"),
            told: Mutex::default(),
        }
    }

    /// For a token that nobody has.
    pub(crate) fn count_token(&self) {
        self.tokens.inc();
    }

    /// For a password that is not the user's.
    pub(super) fn count_password(&self) {
        self.passwords.inc();
    }

    /// For one that was not looked at.
    pub(super) fn count(&self, why: Refused, from: Option<IpAddr>) -> Error {
        let (counter, reason, error) = match why {
            Refused::User => (&self.user, "the user has failed too often from there", Error::TooManyLogins),
            Refused::Address => (&self.address, "too many have failed from there", Error::TooManyLogins),
            Refused::Waiting => (&self.waiting, "too many wait", Error::RequestTooManyRequests),
        };
        counter.inc();
        if let Some(others) = self.told.lock().is_time(Instant::now()) {
            // Whom he says to be is not told: many a password was said in the place of a name.
            tracing::warn!(from = from.map(tracing::field::display), others, "refused a login: {reason}");
        }
        error
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
