//! Logins: whether somebody says the password of a user, by whichever way he comes.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use keyport_api::error::Error;
use keyport_storage::auth::{AuthStore, Policy};

use super::passwords::Passwords;
use super::remembered::Remembered;
use super::tries::Tries;
use super::{Login, Proof};
use crate::metrics::IntCounter;

/// See the module's text. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Logins {
    auth: Arc<AuthStore>,
    passwords: Passwords,
    tries: Arc<Tries>,
    remembered: Arc<Remembered>,
}

impl Logins {
    /// `cost` is that of hashing a password, 4 to 31; `done` counts what was hashed.
    ///
    /// # Errors
    /// When the threads cannot be had.
    pub(crate) fn new(auth: Arc<AuthStore>, cost: u32, done: IntCounter) -> io::Result<Logins> {
        let passwords = Passwords::new(cost, done)?;
        Ok(Logins { auth, passwords, tries: Arc::default(), remembered: Arc::default() })
    }

    /// For passwords to be.
    pub(crate) fn passwords(&self) -> &Passwords {
        &self.passwords
    }

    /// Whether a login is right.
    ///
    /// # Errors
    /// `AuthNotEnabled`, `NoPasswordUser`, `AuthFailed`; `TooManyLogins`, `RequestTooManyRequests`, `Stopped`.
    pub(crate) async fn check(&self, login: &Login, from: Option<IpAddr>) -> Result<Proof, Error> {
        let (auth_revision, hashed) = self.auth.with(|policy| {
            if !policy.is_enabled() {
                return Err(Error::AuthNotEnabled);
            }
            let hashed = match policy.user(&login.user) {
                Some(account) => Some(account.password_hash().ok_or(Error::NoPasswordUser)?.to_vec()),
                None => None,
            };
            Ok((policy.revision(), hashed))
        })?;
        let admitted = self.tries.admit(from, &login.user).await?;
        // What is no bcrypt text is no user's password.
        let text = hashed.as_deref().map(|hashed| String::from_utf8_lossy(hashed).into_owned());
        let looked_at = self.passwords.is(login.password.as_str().to_owned(), text).await;
        if looked_at != Ok(false) {
            // Nothing was found out in vain.
            admitted.give_back();
        }
        let is_right = looked_at?;
        let Some(hashed) = hashed.filter(|_| is_right) else { return Err(Error::AuthFailed) };
        Ok(Proof::new(&login.user, &hashed, auth_revision))
    }

    /// A login that was found right a moment ago, and nothing of users and roles has changed since.
    pub(crate) fn remembered(&self, login: &Login, policy: &Policy) -> Option<Arc<Proof>> {
        self.remembered.find(login, policy.revision(), Instant::now())
    }

    /// As [`Logins::check`], and remembers who was right.
    ///
    /// # Errors
    /// The same.
    pub(crate) async fn check_and_remember(&self, login: &Login, from: Option<IpAddr>) -> Result<Arc<Proof>, Error> {
        let proof = Arc::new(self.check(login, from).await?);
        self.remembered.add(login, Arc::clone(&proof), Instant::now());
        Ok(proof)
    }
}
