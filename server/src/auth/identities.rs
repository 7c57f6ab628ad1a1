//! Identities from outside: tokens that somebody else has signed, an OpenID Connect provider mostly, and that name users of
//! this cluster.
//!
//! A token says who somebody is, and what he may is up to the user of that name, as the log has him at each
//! call. Who is no user here may nothing: a provider may know thousands who are none. Where a claim lists roles, he has those of
//! them that the log has, and the users count for nothing: his author says so in each entry, for all members. Unlike etcd's own tokens, these are
//! good for a while and not for a revision of users and roles, so changes of those leave them good; the user's rights, and
//! whether there is such a user, are those of the moment.
//!
//! The keys may change. Whoever looks after them ([`Identities::take`]) is woken by a token that names an unknown one.

mod claims;
mod error;
mod jwk;
mod key_set;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyport_storage::auth::Policy;
use parking_lot::{Mutex, RwLock};
use serde_json::Value;
use tokio::sync::Notify;

use super::signed::verified::{Fingerprint, Verified};
use super::signed::{MOST_BYTES, compact, now};
use super::told::Told;
use super::{Author, Roles};
use crate::config::{IdentityConfig, KeySource};
use claims::Claims;
pub(crate) use error::KeySetError;
use key_set::KeySet;

/// A longer text is no set of keys.
pub(crate) const MOST_KEY_SET_BYTES: usize = 1 << 20;

/// Nobody waits for longer: a century.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Identities {
    config: IdentityConfig,
    known: RwLock<Arc<Known>>,
    /// When the keys were last seen where they come from.
    seen: Mutex<Option<Instant>>,
    /// A token names a key that is not known.
    unknown_key: Notify,
    /// When the log was last told why one was refused.
    told: Mutex<Told>,
}

/// What is known by one set of keys. Another one begins anew, so that nothing is remembered of keys that are gone.
#[derive(Debug, Default)]
struct Known {
    /// What the set was read from.
    text: Vec<u8>,
    keys: KeySet,
    verified: Verified<Claims>,
}

/// Whom a token names.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outsider {
    pub(crate) author: Author,
    /// For how long the token is good.
    pub(crate) left: Duration,
}

impl Identities {
    /// Without keys, unless they are in a file.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub(crate) fn open(config: &IdentityConfig) -> Result<Identities, KeySetError> {
        let identities = Identities {
            config: config.clone(),
            known: RwLock::default(),
            seen: Mutex::default(),
            unknown_key: Notify::new(),
            told: Mutex::default(),
        };
        if let KeySource::File(path) = &config.keys {
            identities.take(&key_set::read(path)?)?;
        }
        Ok(identities)
    }

    pub(crate) fn config(&self) -> &IdentityConfig {
        &self.config
    }

    /// Whom `token` names under the rules of this moment, be he a user or not; none if it is not good, or was never looked at.
    pub(crate) fn remembered(&self, token: &str, policy: &Policy) -> Option<Outsider> {
        // What is none of these is not worth a hash.
        let claims = if token.len() <= MOST_BYTES && is_signed(token) {
            self.known.read().verified.get(&Fingerprint::of(token))
        } else {
            None
        };
        outsider(claims?, policy)
    }

    /// The same of a token that is looked at for the first time.
    pub(crate) fn named(&self, token: &str, policy: &Policy) -> Option<Outsider> {
        if !is_signed(token) {
            return None;
        }
        if token.len() > MOST_BYTES {
            self.tell(&format_args!("it has more than {MOST_BYTES} bytes"));
            return None;
        }
        let known = Arc::clone(&self.known.read());
        let claims = self.read(token, &known.keys).inspect_err(|flaw| self.tell(flaw)).ok()?;
        let found = outsider(claims.clone(), policy);
        // What has ended, or not begun, has no place among what is in use.
        if found.is_some() {
            let now = now();
            known.verified.keep(Fingerprint::of(token), &claims, |kept| kept.life.holds(now));
        } else {
            self.tell(&"it has ended, or not begun");
        }
        found
    }

    /// Says now and then why a token was refused. Of what stands in it, nothing: it may be good for somebody else.
    fn tell(&self, why: &dyn fmt::Display) {
        match self.told.lock().is_time(Instant::now()) {
            Some(others) => tracing::warn!(others, "refused a token from outside: {why}"),
            None => tracing::debug!("refused a token from outside: {why}"),
        }
    }

    fn read(&self, token: &str, keys: &KeySet) -> Result<Claims, compact::Flaw> {
        let key = |header: &compact::Header| {
            if keys.lacks_key_of(header) {
                self.unknown_key.notify_one();
            }
            keys.find(header)
        };
        compact::read(token, key, |said: Value| Claims::of(&said, &self.config))
    }

    /// Takes the text of a set of keys in the place of the one before; whether that was another one.
    ///
    /// # Errors
    /// When there is no key in it that could be used. Then the one before stays.
    pub(crate) fn take(&self, text: &[u8]) -> Result<bool, KeySetError> {
        let is_new = self.known.read().text != text;
        if is_new {
            let keys = KeySet::parse(text)?;
            *self.known.write() = Arc::new(Known { text: text.to_vec(), keys, verified: Verified::default() });
        }
        *self.seen.lock() = Some(Instant::now());
        Ok(is_new)
    }

    /// As [`Identities::take`], of what a file holds now. Waits for the disk.
    ///
    /// # Errors
    /// The same, and when it cannot be read.
    pub(crate) fn take_file(&self, path: &Path) -> Result<bool, KeySetError> {
        self.take(&key_set::read(path)?)
    }

    /// How many keys can be used.
    pub(crate) fn key_count(&self) -> usize {
        self.known.read().keys.len()
    }

    /// For how long the keys have not been seen where they come from; `None` if they never were.
    pub(crate) fn age(&self) -> Option<Duration> {
        self.seen.lock().map(|seen| seen.elapsed())
    }

    /// Returns once a token names a key that is not known, since the last time or from now on.
    pub(crate) async fn unknown_key(&self) {
        self.unknown_key.notified().await;
    }
}

/// Whether a text has the form of a signed token.
fn is_signed(token: &str) -> bool {
    token.bytes().filter(|byte| *byte == b'.').count() == 2
}

/// None for what has ended, or not begun.
fn outsider(Claims { user, roles, life }: Claims, policy: &Policy) -> Option<Outsider> {
    let now = now();
    let left = Duration::try_from_secs_f64(life.ends.unwrap_or(now) - now).unwrap_or_default().min(FOR_EVER);
    let author = Author { user, auth_revision: policy.revision(), roles: roles.map(|roles| known(roles, policy)) };
    life.holds(now).then_some(Outsider { author, left })
}

/// Those roles that there are: a provider may list hundreds, and they travel with each change.
fn known(roles: Roles, policy: &Policy) -> Roles {
    if roles.iter().all(|role| policy.has_role(role)) {
        return roles;
    }
    Arc::new(roles.iter().filter(|role| policy.has_role(role)).cloned().collect())
}
