//! How often a password may be said in vain: bounded for each address, and for each user from there.
//!
//! A try takes a place before it is looked at, so that many at once are no way around, and gives it back if it was right. Where all
//! places are taken by tries that are being looked at, the next one waits for what comes of them: many who are right at once, as
//! after a restart, all get in. Places that were lost come back with time. Somebody who fails from elsewhere does not keep a user
//! out: what bounds guessing from many addresses is that hashing is done by few threads.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::pin;
use std::time::{Duration, Instant};

use keyport_api::error::Error;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::rates::network;

/// For a user, from one address.
const OF_USER: Allowance = Allowance { places: 10, each: Duration::from_secs(10) };
/// For an address, whomever it says to be.
const OF_ADDRESS: Allowance = Allowance { places: 50, each: Duration::from_secs(1) };
/// Of so many who failed lately something is kept.
const MOST_KEPT: usize = 16_384;
/// So many may wait for what comes of others' tries.
const MOST_WAITING: usize = 4_096;

/// So many places, one of which comes back each time.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    places: u32,
    each: Duration,
}

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct Tries {
    book: Mutex<Book>,
    /// A try has come to its end.
    ended: Notify,
}

#[derive(Debug, Default)]
struct Book {
    used: HashMap<Key, Used>,
    waiting: usize,
}

/// Where somebody comes from, as far as he cannot choose it: of an IPv6 address the network. None for a unix socket. And whom he says
/// to be; nobody for the address as such, for no user has no name.
type Key = (Option<IpAddr>, Box<str>);

/// The places of an address, or of a user from there.
#[derive(Clone, Copy, Debug)]
struct Used {
    /// When all that are used will have come back.
    until: Instant,
    /// How many of them are by tries that are being looked at.
    open: u32,
}

/// Whether there is a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Free,
    /// Not now; but some may be given back.
    Soon,
    None,
}

impl Used {
    fn room(self, now: Instant, allowance: Allowance) -> Room {
        let fits = self.until.max(now) + allowance.each <= now + allowance.each * allowance.places;
        match (fits, self.open) {
            (true, _) => Room::Free,
            (false, 0) => Room::None,
            (false, _) => Room::Soon,
        }
    }

    fn take(&mut self, now: Instant, allowance: Allowance) {
        self.until = self.until.max(now) + allowance.each;
        self.open += 1;
    }

    fn end(&mut self, is_given_back: bool, allowance: Allowance) {
        self.open = self.open.saturating_sub(1);
        if is_given_back {
            self.until = self.until.checked_sub(allowance.each).unwrap_or(self.until);
        }
    }
}

/// A try that is being looked at. In vain, unless it is given back.
#[derive(Debug)]
pub(crate) struct Try<'a> {
    tries: &'a Tries,
    /// Of the user, and of the address.
    keys: [(Key, Allowance); 2],
    is_given_back: bool,
}

impl Try<'_> {
    /// It was no vain one.
    pub(crate) fn give_back(mut self) {
        self.is_given_back = true;
    }
}

impl Drop for Try<'_> {
    fn drop(&mut self) {
        let mut book = self.tries.book.lock();
        for (key, allowance) in &self.keys {
            if let Some(used) = book.used.get_mut(key) {
                used.end(self.is_given_back, *allowance);
            }
        }
        drop(book);
        self.tries.ended.notify_waiters();
    }
}

/// Somebody waits, for as long as this is there.
struct Waiting<'a>(&'a Mutex<Book>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.lock().waiting -= 1;
    }
}

impl Tries {
    /// Takes a place, when there is one.
    ///
    /// # Errors
    /// `TooManyLogins`; `RequestTooManyRequests` where too many wait already.
    pub(crate) async fn admit(&self, from: Option<IpAddr>, user: &str) -> Result<Try<'_>, Error> {
        let mut waiting = None;
        loop {
            // Before the look, so that no end of another one is missed after it.
            let mut ended = pin!(self.ended.notified());
            ended.as_mut().enable();
            match self.take(from, user, Instant::now()) {
                Ok(taken) => return Ok(taken),
                Err(Room::Soon) => {}
                Err(Room::None | Room::Free) => return Err(Error::TooManyLogins),
            }
            if waiting.is_none() {
                waiting = Some(self.wait()?);
            }
            ended.await;
        }
    }

    fn wait(&self) -> Result<Waiting<'_>, Error> {
        let mut book = self.book.lock();
        if book.waiting >= MOST_WAITING {
            return Err(Error::RequestTooManyRequests);
        }
        book.waiting += 1;
        Ok(Waiting(&self.book))
    }

    /// Takes a place of the user and one of the address, or none: who is kept out for one user's sake takes no place from the others
    /// behind his address.
    fn take(&self, from: Option<IpAddr>, user: &str, now: Instant) -> Result<Try<'_>, Room> {
        let from = from.map(network);
        let keys = [((from, user.into()), OF_USER), ((from, "".into()), OF_ADDRESS)];
        let used = &mut self.book.lock().used;
        if used.len() + keys.len() > MOST_KEPT {
            used.retain(|_, used| used.until > now || used.open > 0);
        }
        if used.len() + keys.len() > MOST_KEPT {
            // Only now, when so many have failed within seconds: nobody new is let in.
            return Err(Room::None);
        }
        for (key, allowance) in &keys {
            let found = used.get(key).map_or(Room::Free, |used| used.room(now, *allowance));
            if found != Room::Free {
                return Err(found);
            }
        }
        for (key, allowance) in &keys {
            used.entry(key.clone()).or_insert(Used { until: now, open: 0 }).take(now, *allowance);
        }
        Ok(Try { tries: self, keys, is_given_back: false })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    /// Whether there was a place for a try that is in vain.
    fn in_vain(tries: &Tries, from: Option<IpAddr>, user: &str, now: Instant) -> bool {
        tries.take(from, user, now).is_ok()
    }

    #[test]
    fn places_run_out_and_come_back() {
        let (tries, now) = (Tries::default(), Instant::now());
        let (here, there) = (address("10.0.0.1"), address("10.0.0.2"));
        for _ in 0..OF_USER.places {
            assert!(in_vain(&tries, here, "root", now));
        }
        assert!(!in_vain(&tries, here, "root", now));
        assert!(in_vain(&tries, there, "root", now) && in_vain(&tries, None, "root", now), "others are not kept out");
        assert!(in_vain(&tries, here, "alice", now));
        let later = now + OF_USER.each;
        tries.take(here, "root", later).unwrap().give_back();
        assert!(in_vain(&tries, here, "root", later) && !in_vain(&tries, here, "root", later));
        let all = now + OF_USER.each * (OF_USER.places + 1);
        for _ in 0..OF_USER.places {
            assert!(in_vain(&tries, here, "root", all));
        }
    }

    #[test]
    fn who_tries_one_user_in_vain_keeps_no_others_from_his_address_out() {
        let (tries, now) = (Tries::default(), Instant::now());
        let here = address("10.0.0.1");
        assert_eq!((0..1000).filter(|_| in_vain(&tries, here, "root", now)).count(), OF_USER.places as usize);
        let others = OF_ADDRESS.places - OF_USER.places;
        assert!((0..others).all(|i| in_vain(&tries, here, &format!("user{i}"), now)));
        // Nor does an address without a place use up those of its users.
        assert!((0..100).all(|_| !in_vain(&tries, here, "alice", now)));
        let later = now + OF_ADDRESS.each * OF_USER.places;
        assert_eq!((0..100).filter(|_| in_vain(&tries, here, "alice", later)).count(), OF_USER.places as usize);
    }

    #[test]
    fn where_places_may_be_given_back_it_is_worth_waiting() {
        let (tries, now) = (Tries::default(), Instant::now());
        let here = address("10.0.0.1");
        let mut open: Vec<Try<'_>> = (0..OF_USER.places).map(|_| tries.take(here, "root", now).unwrap()).collect();
        let room = || tries.take(here, "root", now).map(drop).unwrap_err();
        assert_eq!(room(), Room::Soon);
        open.pop().unwrap().give_back();
        open.push(tries.take(here, "root", now).unwrap());
        drop(open);
        assert_eq!(room(), Room::None);
    }

    /// Whoever comes after a restart, with the right password or a wrong one.
    #[tokio::test]
    async fn many_who_are_right_at_once_all_get_in_and_those_who_are_not_do_not() {
        for (is_right, let_in) in [(true, 40), (false, OF_USER.places as usize)] {
            let tries = Tries::default();
            let admitted = (0..40).map(async |_| {
                let taken = tries.admit(address("10.0.0.1"), "root").await?;
                tokio::task::yield_now().await;
                if is_right {
                    taken.give_back();
                }
                Ok(())
            });
            let outcomes: Vec<Result<(), Error>> = join_all(admitted).await;
            assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), let_in);
            assert!(outcomes.iter().all(|outcome| outcome.is_ok() || *outcome == Err(Error::TooManyLogins)));
            assert_eq!(tries.book.lock().waiting, 0);
        }
    }

    #[test]
    fn a_network_is_one_address() {
        let (tries, now) = (Tries::default(), Instant::now());
        let admitted = |i: u32| in_vain(&tries, address(&format!("2001:db8::{i:x}")), &format!("user{i}"), now);
        assert_eq!((0..100).filter(|i| admitted(*i)).count(), OF_ADDRESS.places as usize);
        assert!(in_vain(&tries, address("2001:db8:0:1::1"), "root", now));
        let (mapped, plain) = (address("::ffff:10.0.0.1"), address("10.0.0.1"));
        for _ in 0..OF_USER.places {
            in_vain(&tries, mapped, "root", now);
        }
        assert!(!in_vain(&tries, plain, "root", now));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let (tries, now) = (Tries::default(), Instant::now());
        let kept = || tries.book.lock().used.len();
        for i in 0..40_000_u32 {
            in_vain(&tries, Some(IpAddr::from(i.to_be_bytes())), "root", now);
        }
        assert!(kept() <= MOST_KEPT);
        assert!(in_vain(&tries, address("10.9.9.9"), "root", now + OF_USER.each * 2));
        assert!(kept() < 3);
    }
}
