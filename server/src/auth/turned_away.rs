//! What is told of those who were not let in: counted, and for whoever runs the server a line now and then.

use std::net::IpAddr;
use std::time::Instant;

use keyport_api::error::Error;
use parking_lot::Mutex;

use super::told::Told;
use super::tries::Refused;
use crate::metrics::{IntCounter, Metrics};

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
