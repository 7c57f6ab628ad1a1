//! How often a password may be said in vain: bounded for each user from an address, and for each address.
//!
//! A try takes a place before it is looked at, so that many at once are no way around, and gives it back if it was right. Where all
//! places are taken by tries that are being looked at, the next one waits for what comes of them: many who are right at once, as
//! after a restart, all get in. Places that were lost come back with time. Somebody who fails from elsewhere does not keep a user
//! out: what bounds guessing from many addresses is that hashing is done by few threads.
//!
//! Nor does who fails from the same address, which many may share. Who has logged in from there lately takes no place of the address.
//! Where it has none left, whoever has not failed himself is looked at nevertheless: one after the other, and if it is in vain it takes
//! all the places that he has.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::turns::Line;
use crate::rates::network;
use book::{Book, Full, Room};

mod book;

/// For a user, from one address.
const OF_USER: Allowance = Allowance { places: 10, each: Duration::from_secs(10) };
/// For an address, whomever it says to be.
const OF_ADDRESS: Allowance = Allowance { places: 50, each: Duration::from_secs(1) };
/// So many from one address may wait for what comes of others' tries.
const MOST_WAITING: usize = 4_096;
/// So many from one address may wait to be looked at though it has no places left.
const MOST_LATE: usize = 64;

/// So many places, one of which comes back each time.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    places: u32,
    each: Duration,
}

/// Who tries, by hashes with a key that only this process has: a name may be as long as a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Whose {
    /// Where he comes from, as far as he cannot choose it: of an IPv6 address the network. None for a unix socket.
    network: Option<IpAddr>,
    /// Whom he says to be.
    name: u64,
}

/// Why a password is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The user has failed too often from there.
    User,
    /// Too many have.
    Address,
    /// Too many wait.
    Waiting,
}

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct Tries {
    hasher: RandomState,
    book: Mutex<Book>,
}

/// A try that is being looked at. In vain, unless it is given back.
#[derive(Debug)]
pub(super) struct Try<'a> {
    tries: &'a Tries,
    whose: Whose,
    /// Whether he has logged in from there lately.
    is_known: bool,
    taken: Taken,
    is_given_back: bool,
}

/// What a try has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    /// A place of the user.
    OfUser,
    /// And one of his address.
    OfBoth,
    /// All places of the user, and the turn of those for whom his address has no place.
    Turn,
}

impl Taken {
    /// How long it takes until the user has his places again.
    fn of_user(self) -> Duration {
        match self {
            Taken::OfUser | Taken::OfBoth => OF_USER.each,
            Taken::Turn => OF_USER.each * OF_USER.places,
        }
    }
}

impl Try<'_> {
    /// Nothing was found out.
    pub(super) fn give_back(mut self) {
        self.is_given_back = true;
    }

    /// He has said the right password.
    pub(super) fn was_right(mut self, now: Instant) {
        self.is_given_back = true;
        self.tries.book.lock().know(self.whose, now);
    }

    /// The line in which he waits for his turn.
    pub(super) fn line(&self) -> Line {
        Line { network: self.whose.network, user: self.is_known.then_some(self.whose.name) }
    }
}

impl Drop for Try<'_> {
    fn drop(&mut self) {
        self.tries.book.lock().end(self.whose, self.taken, self.is_given_back);
    }
}

/// Somebody from an address waits, for as long as this is there.
struct Waiting<'a>(&'a Tries, Option<IpAddr>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.book.lock().leave(self.1);
    }
}

impl Tries {
    /// Takes a place, when there is one.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn admit(&self, from: Option<IpAddr>, user: &str) -> Result<Try<'_>, Refused> {
        let whose = self.whose(from, user);
        loop {
            let (ended, most) = match self.take(whose, Instant::now()) {
                Ok(taken) => return Ok(taken),
                Err(Room::None(why)) => return Err(why),
                Err(Room::Soon(ended)) => (ended, MOST_WAITING),
                Err(Room::Late(ended)) => (ended, MOST_LATE),
            };
            self.book.lock().wait(whose.network, most).map_err(|Full| Refused::Waiting)?;
            let waiting = Waiting(self, whose.network);
            ended.await;
            drop(waiting);
        }
    }

    /// In which line somebody waits who is known for sure, or nobody in particular.
    pub(super) fn line(&self, from: Option<IpAddr>, user: Option<&str>) -> Line {
        Line { network: from.map(network), user: user.map(|user| self.hasher.hash_one(user)) }
    }

    fn whose(&self, from: Option<IpAddr>, user: &str) -> Whose {
        Whose { network: from.map(network), name: self.hasher.hash_one(user) }
    }

    /// Takes what there is to be taken, or nothing: who is kept out for one user's sake takes no place from the others behind his
    /// address.
    fn take(&self, whose: Whose, now: Instant) -> Result<Try<'_>, Room> {
        let (taken, is_known) = self.book.lock().take(whose, now)?;
        Ok(Try { tries: self, whose, is_known, taken, is_given_back: false })
    }
}

#[cfg(test)]
mod tests;
