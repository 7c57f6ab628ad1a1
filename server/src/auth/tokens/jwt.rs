//! JSON Web Tokens, as etcd makes and reads them: signed, so no member has to remember them, and good on every member that
//! has the key, before and after a restart.
//!
//! A token says who somebody is and at which revision of users and roles that was found. It cannot be taken back: what
//! ends it is its time, or the next change of users and roles, after which it is told to be of an old revision.

mod compact;
mod keys;
mod verified;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use keyport_api::error::Error;
use keyport_storage::auth::Policy;

use super::Meaning;
use crate::auth::Author;
use crate::config::JwtConfig;
use compact::{Claims, Outgoing};
pub(crate) use keys::KeyError;
use keys::Keys;
use verified::{Fingerprint, Verified};

/// A longer text is not looked at. The largest keys make signatures of some 1,400 letters.
const MOST_BYTES: usize = 16 * 1024;

/// See the module's text.
#[derive(Debug)]
pub(crate) struct JwtTokens {
    keys: Keys,
    config: JwtConfig,
    verified: Verified,
}

impl JwtTokens {
    /// # Errors
    /// When the keys cannot be read, or are not for this method.
    pub(super) fn open(config: &JwtConfig) -> Result<JwtTokens, KeyError> {
        Ok(JwtTokens { keys: Keys::read(config)?, config: config.clone(), verified: Verified::default() })
    }

    pub(super) fn meaning(&self, token: &str, policy: &Policy) -> Meaning {
        if token.len() > MOST_BYTES {
            return Meaning::Invalid;
        }
        let now = now();
        let fingerprint = Fingerprint::of(token);
        let claims = self.verified.get(&fingerprint).or_else(|| {
            let claims = self.read(token)?;
            // What has ended, or not begun, has no place among what is in use.
            if claims.hold(now) {
                self.verified.keep(fingerprint, &claims, |kept| kept.hold(now) && kept.revision >= policy.revision());
            }
            Some(claims)
        });
        match claims.filter(|claims| claims.hold(now)) {
            Some(Claims { user, revision, .. }) => Meaning::Author(Author { user, auth_revision: revision }),
            None => Meaning::Invalid,
        }
    }

    fn read(&self, token: &str) -> Option<Claims> {
        let method = self.config.method.name();
        let read = compact::read(token, |header| (header.alg == method).then_some(self.keys.verifying()));
        read.inspect_err(|flaw| tracing::debug!(%flaw, "refused a token")).ok()
    }

    /// The token of a user who was found to be himself at this revision of users and roles.
    ///
    /// # Errors
    /// `VerifyOnlyKey`; `TokenNotSigned`.
    pub(super) fn issue(&self, user: &str, revision: u64) -> Result<String, Error> {
        let key = self.keys.signing().ok_or(Error::VerifyOnlyKey)?;
        let ends = unix_time().saturating_add(self.config.lifetime).as_secs();
        let claims = Outgoing { exp: ends, revision, username: user };
        compact::write(self.config.method.name(), &claims, |text| key.sign(text)).ok_or_else(|| {
            tracing::error!(method = self.config.method.name(), "cannot sign a token");
            Error::TokenNotSigned
        })
    }

    pub(super) fn forget_all(&self) {
        self.verified.clear();
    }
}

fn unix_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Seconds since 1970, as claims count them.
fn now() -> f64 {
    unix_time().as_secs_f64()
}

#[cfg(test)]
mod tests;
