//! Tokens whose signature was found to be good, so that it is not computed anew for every request: with RSA or elliptic
//! curves that takes tens to hundreds of microseconds.
//!
//! This is safe because nothing is remembered but what a pure function of the token's bytes and of the keys has come to,
//! under a hash of all those bytes that nobody can make another text have; the keys stay as they are for as long as this does.
//! Whatever changes is judged each time: the time, against the claims, and users and roles, against the revision in them.
//! What was refused is not remembered, so rubbish pushes nothing out. The tokens themselves are not kept, and as it is
//! hashes that are compared, how long a look takes says nothing of them.

use std::collections::HashMap;

use parking_lot::RwLock;
use sha2::{Digest, Sha256};

/// More are in use at one time in no cluster that is not under attack; about a megabyte.
const MOST: usize = 4096;

/// A token without its secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::auth) struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(in crate::auth) fn of(token: &str) -> Fingerprint {
        Fingerprint(Sha256::digest(token).into())
    }
}

/// See the module's text.
#[derive(Debug)]
pub(in crate::auth) struct Verified<C> {
    claims: RwLock<HashMap<Fingerprint, C>>,
}

impl<C> Default for Verified<C> {
    fn default() -> Verified<C> {
        Verified { claims: RwLock::default() }
    }
}

impl<C: Clone> Verified<C> {
    pub(in crate::auth) fn get(&self, token: &Fingerprint) -> Option<C> {
        self.claims.read().get(token).cloned()
    }

    /// When there is no room, all go that are not `of_use` any more; if that does not do, all of them.
    pub(in crate::auth) fn keep(&self, token: Fingerprint, claims: &C, of_use: impl Fn(&C) -> bool) {
        let mut kept = self.claims.write();
        if kept.len() >= MOST {
            kept.retain(|_, claims| of_use(claims));
        }
        if kept.len() >= MOST {
            kept.clear();
        }
        kept.insert(token, claims.clone());
    }

    pub(in crate::auth) fn clear(&self) {
        self.claims.write().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_made_by_what_is_of_no_use() {
        let verified = Verified::<u64>::default();
        let token = |number: usize| Fingerprint::of(&number.to_string());
        for number in 0..MOST {
            verified.keep(token(number), &(number as u64), |_| panic!("there is room"));
        }
        verified.keep(token(MOST), &0, |claims| *claims >= 10);
        let known = |number: usize| verified.get(&token(number)).is_some();
        assert_eq!([known(0), known(9), known(10), known(MOST)], [false, false, true, true]);
        for number in MOST + 1..MOST + 12 {
            verified.keep(token(number), &0, |_| true);
        }
        assert_eq!([known(10), known(MOST + 10), known(MOST + 11)], [false, true, true]);
        assert!(verified.claims.read().len() < MOST);
        verified.clear();
        assert!(!known(MOST + 11));
    }
}
