//! How often a password may be said in vain: bounded for each address, and for each user from there.
//!
//! A try takes a place before it is looked at, so that many at once are no way around, and gives it back if it was right.
//! Places come back with time. Somebody who fails from elsewhere does not keep a user out: what bounds guessing from many
//! addresses is that hashing is done by few threads.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::rates::network;

/// For a user, from one address.
const OF_USER: Allowance = Allowance { places: 10, each: Duration::from_secs(10) };
/// For an address, whomever it says to be.
const OF_ADDRESS: Allowance = Allowance { places: 50, each: Duration::from_secs(1) };
/// Of so many who failed lately something is kept.
const MOST_KEPT: usize = 16_384;

/// So many places, one of which comes back each time.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    places: u32,
    each: Duration,
}

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct Tries(Mutex<HashMap<(Address, Box<str>), Used>>);

/// Where somebody comes from, as far as he cannot choose it: of an IPv6 address the network. None for a unix socket.
type Address = Option<IpAddr>;

/// When all places that are used will have come back.
#[derive(Clone, Copy, Debug)]
struct Used {
    until: Instant,
}

impl Used {
    /// Whether there was a place to take.
    fn take(&mut self, now: Instant, allowance: Allowance) -> bool {
        let begin = self.until.max(now);
        let until = begin + allowance.each;
        let fits = until <= now + allowance.each * allowance.places;
        if fits {
            self.until = until;
        }
        fits
    }

    fn give_back(&mut self, allowance: Allowance) {
        self.until = self.until.checked_sub(allowance.each).unwrap_or(self.until);
    }
}

impl Tries {
    /// Takes a place, if there is one.
    pub(crate) fn admit(&self, from: Option<IpAddr>, user: &str, now: Instant) -> bool {
        let from = from.map(network);
        let mut used = self.0.lock();
        if used.len() + 2 > MOST_KEPT {
            used.retain(|_, used| used.until > now);
        }
        if used.len() + 2 > MOST_KEPT {
            // Only now, when so many have failed within seconds: nobody new is let in.
            return false;
        }
        let mut of = |user: &str| *used.entry((from, user.into())).or_insert(Used { until: now });
        // No user has no name.
        let (mut of_user, mut of_address) = (of(user), of(""));
        // Both or none: who is kept out for one user's sake takes no place from the others behind his address.
        let is_let_in = of_user.take(now, OF_USER) && of_address.take(now, OF_ADDRESS);
        if is_let_in {
            used.insert((from, user.into()), of_user);
            used.insert((from, "".into()), of_address);
        }
        is_let_in
    }

    /// The password was right.
    pub(crate) fn give_back(&self, from: Option<IpAddr>, user: &str) {
        let from = from.map(network);
        let mut used = self.0.lock();
        for (user, allowance) in [("", OF_ADDRESS), (user, OF_USER)] {
            if let Some(used) = used.get_mut(&(from, user.into())) {
                used.give_back(allowance);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn places_run_out_and_come_back() {
        let (tries, now) = (Tries::default(), Instant::now());
        let (here, there) = (address("10.0.0.1"), address("10.0.0.2"));
        for _ in 0..OF_USER.places {
            assert!(tries.admit(here, "root", now));
        }
        assert!(!tries.admit(here, "root", now));
        assert!(tries.admit(there, "root", now) && tries.admit(None, "root", now), "others are not kept out");
        assert!(tries.admit(here, "alice", now));
        let later = now + OF_USER.each;
        assert!(tries.admit(here, "root", later) && !tries.admit(here, "root", later));
        tries.give_back(here, "root");
        assert!(tries.admit(here, "root", later));
        let all = now + OF_USER.each * (OF_USER.places + 1);
        for _ in 0..OF_USER.places {
            assert!(tries.admit(here, "root", all));
        }
    }

    #[test]
    fn who_tries_one_user_in_vain_keeps_no_others_from_his_address_out() {
        let (tries, now) = (Tries::default(), Instant::now());
        let here = address("10.0.0.1");
        assert_eq!((0..1000).filter(|_| tries.admit(here, "root", now)).count(), OF_USER.places as usize);
        let others = OF_ADDRESS.places - OF_USER.places;
        assert!((0..others).all(|i| tries.admit(here, &format!("user{i}"), now)));
        // Nor does an address without a place use up those of its users.
        assert!((0..100).all(|_| !tries.admit(here, "alice", now)));
        let later = now + OF_ADDRESS.each * OF_USER.places;
        assert_eq!((0..100).filter(|_| tries.admit(here, "alice", later)).count(), OF_USER.places as usize);
    }

    #[test]
    fn a_network_is_one_address() {
        let (tries, now) = (Tries::default(), Instant::now());
        let admitted = |i: u32| tries.admit(address(&format!("2001:db8::{i:x}")), &format!("user{i}"), now);
        assert_eq!((0..100).filter(|i| admitted(*i)).count(), OF_ADDRESS.places as usize);
        assert!(tries.admit(address("2001:db8:0:1::1"), "root", now));
        let (mapped, plain) = (address("::ffff:10.0.0.1"), address("10.0.0.1"));
        for _ in 0..OF_USER.places {
            tries.admit(mapped, "root", now);
        }
        assert!(!tries.admit(plain, "root", now));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let (tries, now) = (Tries::default(), Instant::now());
        for i in 0..40_000_u32 {
            tries.admit(Some(IpAddr::from(i.to_be_bytes())), "root", now);
        }
        assert!(tries.0.lock().len() <= MOST_KEPT);
        assert!(tries.admit(address("10.9.9.9"), "root", now + OF_USER.each * 2));
        assert!(tries.0.lock().len() < 3);
    }
}
