//! Tokens that are signed: how they are read, by which keys they are known, and what is remembered of those that were good.
//! What they say, and whose keys they are, is the business of whoever takes them.

pub(super) mod compact;
pub(super) mod key;
mod unique;
pub(super) mod verified;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A longer text is not looked at. The largest keys make signatures of some 1,400 letters.
pub(super) const MOST_BYTES: usize = 16 * 1024;

/// When a token is good, in whole seconds since 1970. What does not say, does not end it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Lifetime {
    pub(super) not_before: Option<f64>,
    pub(super) ends: Option<f64>,
}

impl Lifetime {
    /// Of `nbf` and `exp`. None for what 64 bits do not count.
    pub(super) fn of(nbf: Option<f64>, exp: Option<f64>) -> Option<Lifetime> {
        Some(Lifetime { not_before: time(nbf)?, ends: time(exp)? })
    }

    /// Whether it is good at this time, in seconds since 1970.
    pub(super) fn holds(&self, now: f64) -> bool {
        self.not_before.is_none_or(|begin| now >= begin) && self.ends.is_none_or(|end| now < end)
    }
}

/// Whole seconds. Zero is the year 1970, though etcd's library takes it for nothing. None for what 64 bits do not count.
fn time(seconds: Option<f64>) -> Option<Option<f64>> {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    match seconds.map(f64::trunc) {
        Some(time) => (-BEYOND..BEYOND).contains(&time).then_some(Some(time)),
        None => Some(None),
    }
}

pub(super) fn unix_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Seconds since 1970, as claims count them.
pub(super) fn now() -> f64 {
    unix_time().as_secs_f64()
}
