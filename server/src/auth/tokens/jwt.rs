//! JSON Web Tokens, as etcd makes and reads them: signed, so no member has to remember them, and good on every member that
//! has the key, before and after a restart.
//!
//! A token says who somebody is and at which revision of users and roles that was found. It cannot be taken back: what
//! ends it is its time, or the next change of users and roles, after which it is told to be of an old revision.

mod claims;
mod keys;

use keyport_api::error::Error;
use keyport_storage::auth::Policy;

use super::Meaning;
use crate::auth::Author;
use crate::auth::signed::verified::{Fingerprint, Verified};
use crate::auth::signed::{MOST_BYTES, compact, now, unix_time};
use crate::config::JwtConfig;
use claims::{Claims, Incoming, Outgoing};
pub(crate) use keys::KeyError;
use keys::Keys;

/// See the module's text.
#[derive(Debug)]
pub(crate) struct JwtTokens {
    keys: Keys,
    config: JwtConfig,
    verified: Verified<Claims>,
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
            if claims.life.holds(now) {
                self.verified
                    .keep(fingerprint, &claims, |kept| kept.life.holds(now) && kept.revision >= policy.revision());
            }
            Some(claims)
        });
        match claims.filter(|claims| claims.life.holds(now)) {
            Some(Claims { user, revision, .. }) => Meaning::Author(Author::of(user, revision)),
            None => Meaning::Invalid,
        }
    }

    fn read(&self, token: &str) -> Option<Claims> {
        let method = self.config.method.name();
        let read = compact::read(
            token,
            |header| (header.alg == method).then_some(self.keys.verifying()),
            |claims: Incoming| claims.check(self.config.must_end),
        );
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

#[cfg(test)]
mod tests;
