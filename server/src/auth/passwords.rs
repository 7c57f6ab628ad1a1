//! Passwords: bcrypt, aside, on threads of its own.
//!
//! To hash a password takes a tenth of a second of a core, or whatever the cost asks for. So it happens after the caller
//! was found to be allowed what he asks for, never on an event loop, a few at a time, behind everybody else who wants a core, and
//! what waits is bounded.

use std::io;
use std::sync::{Arc, OnceLock};

use base64_simd::STANDARD;
use bytes::Bytes;
use keyport_api::error::Error;
use keyport_storage::auth::AuthError;
use tokio::sync::Semaphore;

use crate::bulk::Bulk;
use crate::metrics::IntCounter;

/// A longer one is refused, as bcrypt would not look at the rest.
const MOST_BYTES: usize = 72;
/// Who has to wait behind so many others is told to come back.
const MOST_WAITING: usize = 256;
/// What costs more than this (a minute) is not tried: whoever writes a row by hand could stop all others.
const MOST_COST: u32 = 20;
/// etcd's, at the time of the releases that wrote passwords into the log.
const COST_OF_OLD_ENTRIES: u32 = 10;

/// See the module's text. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Passwords {
    threads: Bulk,
    waiting: Arc<Semaphore>,
    cost: u32,
    /// What the password of a user who is not there is compared with, so that it takes as long.
    nobody: Arc<OnceLock<String>>,
}

impl Passwords {
    /// Of this cost, 4 to 31; `done` counts.
    ///
    /// # Errors
    /// When the threads cannot be had.
    pub(crate) fn new(cost: u32, done: IntCounter) -> io::Result<Passwords> {
        let waiting = Arc::new(Semaphore::new(MOST_WAITING));
        Ok(Passwords { threads: Bulk::start_patient(done)?, waiting, cost, nobody: Arc::default() })
    }

    /// The hash of a password, as the log carries it.
    ///
    /// # Errors
    /// `PasswordTooLong`, `RequestTooManyRequests`, `Stopped`.
    pub(crate) async fn hash(&self, password: String) -> Result<String, Error> {
        let cost = self.cost;
        self.aside(move || hash(&password, cost)).await?.map(|hash| STANDARD.encode_to_string(hash))
    }

    /// Whether a password is the one behind `hashed`; none if there is no such user.
    ///
    /// # Errors
    /// `RequestTooManyRequests`, `Stopped`.
    pub(crate) async fn is(&self, password: String, hashed: Option<String>) -> Result<bool, Error> {
        let (nobody, cost) = (Arc::clone(&self.nobody), self.cost);
        self.aside(move || match hashed {
            Some(hashed) => verify(&password, &hashed),
            None => {
                verify(&password, nobody.get_or_init(|| hash("nobody", cost).unwrap_or_default()));
                false
            }
        })
        .await
    }

    /// Other work that comes with a login, on the same threads.
    ///
    /// # Errors
    /// `RequestTooManyRequests`, `Stopped`.
    pub(crate) async fn aside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let _waiting = self.waiting.try_acquire().map_err(|_| Error::RequestTooManyRequests)?;
        self.threads.aside(None).run(|_| work()).await
    }
}

/// In the form that Go writes.
fn hash(password: &str, cost: u32) -> Result<String, Error> {
    if password.len() > MOST_BYTES {
        return Err(Error::PasswordTooLong);
    }
    let parts = bcrypt::hash_with_result(password, cost).map_err(|error| {
        tracing::error!(%error, cost, "cannot hash a password");
        Error::StorageFailed
    })?;
    Ok(parts.format_for_version(bcrypt::Version::TwoA))
}

fn verify(password: &str, hashed: &str) -> bool {
    let cost = hashed.parse::<bcrypt::HashParts>().map(|parts| parts.get_cost());
    cost.is_ok_and(|cost| cost <= MOST_COST) && bcrypt::verify(password, hashed).unwrap_or(false)
}

/// What the log says of a password: its hash, or what an old release wrote, the password itself.
///
/// # Errors
/// `NoPasswordUser`, when neither can be read.
pub(crate) fn of_entry(password: &str, hashed: &str) -> Result<Bytes, AuthError> {
    if hashed.is_empty() && !password.is_empty() {
        return hash(password, COST_OF_OLD_ENTRIES).map(Bytes::from).map_err(|_| AuthError::NoPasswordUser);
    }
    STANDARD.decode_to_vec(hashed).map(Bytes::from).map_err(|_| AuthError::NoPasswordUser)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_by_its_hash() {
        let passwords = Passwords::new(4, IntCounter::new("done", "done").unwrap()).unwrap();
        for password in ["", "secret", &"x".repeat(MOST_BYTES)] {
            let entry = passwords.hash(password.to_owned()).await.unwrap();
            let hashed = String::from_utf8(of_entry("", &entry).unwrap().to_vec()).unwrap();
            assert!(hashed.starts_with("$2a$04$") && hashed.len() == 60, "{hashed}");
            assert_eq!(passwords.is(password.to_owned(), Some(hashed.clone())).await, Ok(true));
            assert_eq!(passwords.is("other".to_owned(), Some(hashed)).await, Ok(false));
            assert_eq!(passwords.is(password.to_owned(), None).await, Ok(false));
        }
        assert_eq!(passwords.hash("x".repeat(MOST_BYTES + 1)).await, Err(Error::PasswordTooLong));
        for rubbish in ["", "rubbish", "$2a$31$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyzabcde"] {
            assert_eq!(passwords.is("secret".to_owned(), Some(rubbish.to_owned())).await, Ok(false), "{rubbish}");
        }
    }

    #[test]
    fn old_entries_carry_the_password() {
        let hashed = String::from_utf8(of_entry("secret", "").unwrap().to_vec()).unwrap();
        assert!(verify("secret", &hashed));
        assert_eq!(of_entry("", "").unwrap(), Bytes::new());
        assert_eq!(of_entry("", "no base64"), Err(AuthError::NoPasswordUser));
    }
}
