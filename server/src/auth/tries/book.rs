//! What is kept of tries: how many places are taken, and who has logged in from where.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

use super::{Allowance, OF_ADDRESS, OF_USER, Refused, Taken, Whose};

/// Of so many who failed lately something is kept.
pub(super) const MOST_KEPT: usize = 65_536;
/// Of so many who got in.
const MOST_KNOWN: usize = 16_384;
/// How long it is remembered that somebody got in.
const KNOWN_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// What is over is dropped at least so often while somebody tries.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Book {
    users: HashMap<Whose, Used>,
    networks: HashMap<Option<IpAddr>, Network>,
    known: HashMap<Whose, Instant>,
    swept: Option<Instant>,
}

/// The places of an address, or of a user from there.
#[derive(Clone, Copy, Debug)]
struct Used {
    /// When all that are used will have come back.
    until: Instant,
    /// How many of them are by tries that are being looked at.
    open: u32,
}

#[derive(Debug)]
struct Network {
    used: Used,
    /// How many wait for what comes of others' tries.
    waiting: usize,
    /// Somebody is looked at though there is no place.
    is_turn_taken: bool,
    /// A try from there has come to its end.
    ended: Arc<Notify>,
}

/// Why nothing was taken.
#[derive(Debug)]
pub(super) enum Room {
    /// Not now; but some may be given back when a try has ended.
    Soon(OwnedNotified),
    /// Not now: somebody else is looked at though there is no place.
    Late(OwnedNotified),
    None(Refused),
}

/// As many wait as may.
#[derive(Debug)]
pub(super) struct Full;

/// Whether there is a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Places {
    Free,
    Open,
    Lost,
}

impl Used {
    fn none(now: Instant) -> Used {
        Used { until: now, open: 0 }
    }

    fn places(self, now: Instant, allowance: Allowance) -> Places {
        let fits = self.until.max(now) + allowance.each <= now + allowance.each * allowance.places;
        match (fits, self.open) {
            (true, _) => Places::Free,
            (false, 0) => Places::Lost,
            (false, _) => Places::Open,
        }
    }

    fn is_over(self, now: Instant) -> bool {
        self.until <= now && self.open == 0
    }

    fn take(&mut self, now: Instant, long: Duration) {
        self.until = self.until.max(now) + long;
        self.open += 1;
    }

    fn end(&mut self, given_back: Duration) {
        self.open = self.open.saturating_sub(1);
        self.until = self.until.checked_sub(given_back).unwrap_or(self.until);
    }
}

impl Network {
    fn none(now: Instant) -> Network {
        Network { used: Used::none(now), waiting: 0, is_turn_taken: false, ended: Arc::default() }
    }

    fn is_over(&self, now: Instant) -> bool {
        self.used.is_over(now) && self.waiting == 0 && !self.is_turn_taken
    }

    fn ended(&self) -> OwnedNotified {
        Arc::clone(&self.ended).notified_owned()
    }
}

impl Book {
    /// What somebody may take, taken; and whether he is known.
    pub(super) fn take(&mut self, whose: Whose, now: Instant) -> Result<(Taken, bool), Room> {
        self.sweep(now);
        let is_known = self.known.get(&whose).is_some_and(|since| is_lately(*since, now));
        let used = self.users.get(&whose).copied().unwrap_or(Used::none(now));
        if self.users.len() >= MOST_KEPT && !is_known && !self.users.contains_key(&whose) {
            // Only now, when so many have failed within seconds: nobody new is let in.
            return Err(Room::None(Refused::Waiting));
        }
        let network = self.networks.entry(whose.network).or_insert_with(|| Network::none(now));
        match used.places(now, OF_USER) {
            Places::Free => {}
            Places::Open => return Err(Room::Soon(network.ended())),
            Places::Lost => return Err(Room::None(Refused::User)),
        }
        let taken = match network.used.places(now, OF_ADDRESS) {
            _ if is_known => Taken::OfUser,
            Places::Free => Taken::OfBoth,
            Places::Open => return Err(Room::Soon(network.ended())),
            Places::Lost if !used.is_over(now) => return Err(Room::None(Refused::Address)),
            Places::Lost if network.is_turn_taken => return Err(Room::Late(network.ended())),
            Places::Lost => Taken::Turn,
        };
        match taken {
            Taken::OfUser => {}
            Taken::OfBoth => network.used.take(now, OF_ADDRESS.each),
            Taken::Turn => network.is_turn_taken = true,
        }
        self.users.entry(whose).or_insert(Used::none(now)).take(now, taken.of_user());
        Ok((taken, is_known))
    }

    /// A try has come to its end.
    pub(super) fn end(&mut self, whose: Whose, taken: Taken, is_given_back: bool) {
        let given_back = |long: Duration| if is_given_back { long } else { Duration::ZERO };
        if let Some(used) = self.users.get_mut(&whose) {
            used.end(given_back(taken.of_user()));
            // At once, lest the many who are sent away before they are looked at fill the book.
            if used.is_over(Instant::now()) {
                self.users.remove(&whose);
            }
        }
        if let Some(network) = self.networks.get_mut(&whose.network) {
            match taken {
                Taken::OfUser => {}
                Taken::OfBoth => network.used.end(given_back(OF_ADDRESS.each)),
                Taken::Turn => network.is_turn_taken = false,
            }
            network.ended.notify_waiters();
        }
    }

    /// Somebody has logged in.
    pub(super) fn know(&mut self, whose: Whose, now: Instant) {
        if self.known.len() >= MOST_KNOWN && !self.known.contains_key(&whose) {
            let oldest = self.known.iter().min_by_key(|(_, since)| **since).map(|(whose, _)| *whose);
            oldest.map(|oldest| self.known.remove(&oldest));
        }
        self.known.insert(whose, now);
    }

    /// Somebody waits for the end of others' tries, where fewer than so many do.
    pub(super) fn wait(&mut self, network: Option<IpAddr>, most: usize) -> Result<(), Full> {
        // Whoever has to wait has found it there, and mostly it still is.
        let network = self.networks.entry(network).or_insert_with(|| Network::none(Instant::now()));
        if network.waiting >= most {
            return Err(Full);
        }
        network.waiting += 1;
        Ok(())
    }

    pub(super) fn leave(&mut self, network: Option<IpAddr>) {
        if let Some(network) = self.networks.get_mut(&network) {
            network.waiting = network.waiting.saturating_sub(1);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.users.len()
    }

    #[cfg(test)]
    pub(super) fn waiting(&self, network: Option<IpAddr>) -> usize {
        self.networks.get(&network).map_or(0, |network| network.waiting)
    }

    fn sweep(&mut self, now: Instant) {
        if self.swept.is_some_and(|swept| now.saturating_duration_since(swept) < SWEEP_EVERY) {
            return;
        }
        self.swept = Some(now);
        self.users.retain(|_, used| !used.is_over(now));
        self.networks.retain(|_, network| !network.is_over(now));
        self.known.retain(|_, since| is_lately(*since, now));
    }
}

fn is_lately(since: Instant, now: Instant) -> bool {
    now.saturating_duration_since(since) < KNOWN_FOR
}
