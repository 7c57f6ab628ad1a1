//! Passwords: bcrypt, aside, on threads of its own.
//!
//! To hash a password takes a tenth of a second of a core, or whatever the cost asks for. So it happens after the caller
//! was found to be allowed what he asks for, never on an event loop, a few at a time, out of the way of others who want a core, in
//! turn ([`super::turns`]), and what waits is bounded.

use std::io;
use std::sync::{Arc, OnceLock};

use base64_simd::STANDARD;
use bytes::Bytes;
use keyport_api::error::Error;
use keyport_storage::auth::AuthError;

use super::hashing::{self, MOST_BYTES};
use super::turns::{Crowded, Line, Turns};
use crate::bulk::{Bulk, Gone};
use crate::metrics::IntCounter;

/// What costs more than this (a minute) is not tried: whoever writes a row by hand could stop all others.
const MOST_COST: u32 = 20;
/// etcd's, at the time of the releases that wrote passwords into the log.
const COST_OF_OLD_ENTRIES: u32 = 10;

/// See the module's text. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Passwords {
    threads: Bulk,
    turns: Turns,
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
        let threads = Bulk::start_patient(done)?;
        let turns = Turns::new(threads.threads());
        Ok(Passwords { threads, turns, cost, nobody: Arc::default() })
    }

    /// The hash of a password, as the log carries it, for somebody in that line.
    ///
    /// # Errors
    /// `PasswordTooLong`, `RequestTooManyRequests`, `Stopped`.
    pub(crate) async fn hash(&self, line: Line, password: String) -> Result<String, Error> {
        let cost = self.cost;
        self.aside(line, move || hash(&password, cost)).await?.map(|hash| STANDARD.encode_to_string(hash))
    }

    /// Whether a password is the one behind `hashed`; none if there is no such user, or he has none. That nobody can log in as
    /// somebody takes as long to find out as that a password is wrong.
    ///
    /// # Errors
    /// `RequestTooManyRequests`, `Stopped`.
    pub(crate) async fn is(&self, line: Line, password: String, hashed: Option<String>) -> Result<bool, Error> {
        let (nobody, cost) = (Arc::clone(&self.nobody), self.cost);
        self.aside(line, move || match hashed.filter(|hashed| is_hash(hashed)) {
            Some(hashed) => hashing::verify(&password, &hashed),
            None => {
                let nobody = nobody.get_or_init(|| hash("nobody", cost).unwrap_or_default());
                _ = hashing::verify(&password, nobody);
                false
            }
        })
        .await
    }

    /// Other work that comes with a login, on the same threads.
    ///
    /// # Errors
    /// `RequestTooManyRequests`, `Stopped`.
    pub(crate) async fn aside<T: Send + 'static>(
        &self,
        line: Line,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let turn = self.turns.turn(line).await.map_err(|Crowded| Error::RequestTooManyRequests)?;
        let work = move |_: &Gone| {
            let done = work();
            // Only now, though nobody may wait any more: it is the threads that are counted.
            drop(turn);
            done
        };
        self.threads.aside(None).run(work).await
    }
}

/// A longer password is refused, as bcrypt would not look at the rest.
fn hash(password: &str, cost: u32) -> Result<String, Error> {
    if password.len() > MOST_BYTES {
        return Err(Error::PasswordTooLong);
    }
    let mut salt = [0; 16];
    aws_lc_rs::rand::fill(&mut salt).map_err(|error| {
        tracing::error!(%error, "cannot make a salt for a password");
        Error::StorageFailed
    })?;
    Ok(hashing::hash(password, cost, salt))
}

/// Whether it is a hash that a password can be compared with.
fn is_hash(hashed: &str) -> bool {
    hashing::parts(hashed).is_some_and(|parts| parts.get_cost() <= MOST_COST)
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
        let line = Line { network: None, user: None };
        for password in ["", "secret", &"x".repeat(MOST_BYTES)] {
            let entry = passwords.hash(line, password.to_owned()).await.unwrap();
            let hashed = String::from_utf8(of_entry("", &entry).unwrap().to_vec()).unwrap();
            assert!(hashed.starts_with("$2a$04$") && hashed.len() == 60, "{hashed}");
            assert_eq!(passwords.is(line, password.to_owned(), Some(hashed.clone())).await, Ok(true));
            assert_eq!(passwords.is(line, "other".to_owned(), Some(hashed)).await, Ok(false));
            assert_eq!(passwords.is(line, password.to_owned(), None).await, Ok(false));
        }
        assert_eq!(passwords.hash(line, "x".repeat(MOST_BYTES + 1)).await, Err(Error::PasswordTooLong));
        for rubbish in ["", "rubbish", "$2a$31$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyzabcde"] {
            assert_eq!(passwords.is(line, "secret".to_owned(), Some(rubbish.to_owned())).await, Ok(false), "{rubbish}");
            assert!(!is_hash(rubbish), "compared with what takes as long as a hash");
        }
    }

    #[test]
    fn old_entries_carry_the_password() {
        let hashed = String::from_utf8(of_entry("secret", "").unwrap().to_vec()).unwrap();
        assert!(bcrypt::verify("secret", &hashed).unwrap());
        assert_eq!(of_entry("", "").unwrap(), Bytes::new());
        assert_eq!(of_entry("", "no base64"), Err(AuthError::NoPasswordUser));
    }
}
