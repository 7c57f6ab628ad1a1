//! Logins: whether somebody says the password of a user, by whichever way he comes.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use keyport_api::error::Error;
use keyport_storage::auth::{AuthStore, Policy};

use super::passwords::Passwords;
use super::remembered::Remembered;
use super::tries::{Refused, Tries};
use super::turned_away::TurnedAway;
use super::turns::Line;
use super::{Login, Proof, Secret};
use crate::metrics::Metrics;

/// A name of more bytes is not kept, unless there is such a user.
const LONG_NAME: usize = 1024;
/// bcrypt looks at no more of a password.
const LONG_PASSWORD: usize = 72;

/// See the module's text. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Logins {
    auth: Arc<AuthStore>,
    passwords: Passwords,
    tries: Arc<Tries>,
    remembered: Arc<Remembered>,
    turned_away: Arc<TurnedAway>,
}

/// What a login is compared with.
struct Stored {
    auth_revision: u64,
    /// The hash of the user's password, if he has one; and nothing if there is no such user.
    account: Option<Option<Vec<u8>>>,
}

impl Logins {
    /// `cost` is that of hashing a password, 4 to 31.
    ///
    /// # Errors
    /// When the threads cannot be had.
    pub(crate) fn new(auth: Arc<AuthStore>, cost: u32, metrics: &Metrics) -> io::Result<Logins> {
        let passwords = Passwords::new(cost, metrics.bulk_work.clone())?;
        let turned_away = Arc::new(TurnedAway::new(metrics));
        Ok(Logins { auth, passwords, tries: Arc::default(), remembered: Arc::default(), turned_away })
    }

    /// For passwords to be.
    pub(crate) fn passwords(&self) -> &Passwords {
        &self.passwords
    }

    /// In which line somebody waits who wants a password hashed; with his name, if it is known to be his.
    pub(crate) fn line(&self, from: Option<IpAddr>, user: Option<&str>) -> Line {
        self.tries.line(from, user)
    }

    /// Counts those who are not let in.
    pub(crate) fn turned_away(&self) -> &TurnedAway {
        &self.turned_away
    }

    /// A login, of which no more is kept while it waits than may be looked at.
    pub(crate) fn login(&self, name: String, password: &str) -> Login {
        let is_kept = name.len() <= LONG_NAME || self.auth.with(|policy| policy.user(&name).is_some());
        // No user has no name.
        let user = if is_kept { name } else { String::new() };
        let looked_at = password.get(..password.ceil_char_boundary(LONG_PASSWORD)).unwrap_or(password);
        Login { user: user.into(), password: Secret::new(looked_at) }
    }

    /// Whether a login is right.
    ///
    /// # Errors
    /// `AuthNotEnabled`, `NoPasswordUser`, `AuthFailed`; `TooManyLogins`, `RequestTooManyRequests`, `Stopped`.
    pub(crate) async fn check(&self, login: &Login, from: Option<IpAddr>) -> Result<Proof, Error> {
        let Stored { auth_revision, account } = self.stored(&login.user)?;
        let admitted = self.tries.admit(from, &login.user).await.map_err(|why| self.turned_away.count(why, from))?;
        // What is no bcrypt text is no user's password.
        let hashed = account.as_ref().and_then(Option::as_deref);
        let text = hashed.map(|hashed| String::from_utf8_lossy(hashed).into_owned());
        match self.passwords.is(admitted.line(), login.password.as_str().to_owned(), text).await {
            Ok(true) => admitted.was_right(Instant::now()),
            Ok(false) => {
                self.turned_away.count_password();
                // Who has no password is told so only now: it is counted, and takes as long.
                return Err(if account == Some(None) { Error::NoPasswordUser } else { Error::AuthFailed });
            }
            Err(error) => {
                // Nothing was found out.
                admitted.give_back();
                if error == Error::RequestTooManyRequests {
                    self.turned_away.count(Refused::Waiting, from);
                }
                return Err(error);
            }
        }
        Ok(Proof::new(&login.user, hashed.unwrap_or_default(), auth_revision))
    }

    fn stored(&self, user: &str) -> Result<Stored, Error> {
        self.auth.with(|policy| {
            if !policy.is_enabled() {
                return Err(Error::AuthNotEnabled);
            }
            let account = policy.user(user).map(|account| account.password_hash().map(<[u8]>::to_vec));
            Ok(Stored { auth_revision: policy.revision(), account })
        })
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
