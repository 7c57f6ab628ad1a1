//! What etcd's tokens say.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::auth::signed::Lifetime;
use crate::auth::signed::compact::{USELESS, number};

/// What a token says, signed. Without an end, it is good for as long as users and roles stay.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Claims {
    pub(super) user: Arc<str>,
    /// Of users and roles.
    pub(super) revision: u64,
    pub(super) life: Lifetime,
}

/// The claims of the tokens that are given out, in etcd's order.
#[derive(Debug, Serialize)]
pub(super) struct Outgoing<'a> {
    pub(super) exp: u64,
    pub(super) revision: u64,
    pub(super) username: &'a str,
}

/// The claims that count; there may be others.
#[derive(Deserialize)]
pub(super) struct Incoming {
    username: String,
    revision: f64,
    #[serde(default, deserialize_with = "number")]
    exp: Option<f64>,
    #[serde(default, deserialize_with = "number")]
    nbf: Option<f64>,
}

impl Incoming {
    /// # Errors
    /// When one of them is of no use, or there is no end and `must_end` wants one.
    pub(super) fn check(self, must_end: bool) -> Result<Claims, &'static str> {
        if must_end && self.exp.is_none() {
            return Err("it has no end (exp)");
        }
        Ok(Claims {
            user: self.username.into(),
            revision: revision(self.revision).ok_or(USELESS)?,
            life: Lifetime::of(self.nbf, self.exp).ok_or(USELESS)?,
        })
    }
}

/// Without its fraction. None for what is no revision; and the largest is the cluster's own, which nobody may claim.
fn revision(number: f64) -> Option<u64> {
    const BEYOND: f64 = 9_007_199_254_740_992.0; // from there on not every number can be told from the next
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is looked at first")]
    (0.0..BEYOND).contains(&number).then_some(number as u64)
}
