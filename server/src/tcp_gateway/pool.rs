//! Whose turn it is: members by rank, by weight or in a circle, without those that could not be reached.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::endpoint::Endpoint;

/// Beside others that have a weight, one without has this share of the connections.
const SHARE_WITHOUT_WEIGHT: u32 = 100;

/// Those that there are.
#[derive(Debug)]
pub(super) struct Pool {
    remotes: Vec<Remote>,
    turn: AtomicUsize,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Remote {
    pub(super) endpoint: Endpoint,
    is_inactive: AtomicBool,
}

impl Remote {
    pub(super) fn is_active(&self) -> bool {
        !self.is_inactive.load(Ordering::Relaxed)
    }

    /// Whether it was otherwise before.
    pub(super) fn set_active(&self, is_active: bool) -> bool {
        self.is_inactive.swap(!is_active, Ordering::Relaxed) == is_active
    }
}

impl Pool {
    pub(super) fn new(endpoints: Vec<Endpoint>) -> Pool {
        let remote = |endpoint| Remote { endpoint, is_inactive: AtomicBool::new(false) };
        Pool { remotes: endpoints.into_iter().map(remote).collect(), turn: AtomicUsize::new(0) }
    }

    pub(super) fn remotes(&self) -> &[Remote] {
        &self.remotes
    }

    /// The next one, by chance where they have weights; none while none is active.
    pub(super) fn pick(&self) -> Option<&Remote> {
        self.pick_by(|below| rand::random_range(0..below))
    }

    /// `chance` is a number below the one that it is given.
    fn pick_by(&self, mut chance: impl FnMut(u32) -> u32) -> Option<&Remote> {
        let active = || self.remotes.iter().filter(|remote| remote.is_active());
        let first = active().map(|remote| remote.endpoint.priority).min()?;
        let ranked = active().filter(|remote| remote.endpoint.priority == first);
        let (weighted, others): (Vec<_>, Vec<_>) = ranked.partition(|remote| remote.endpoint.weight > 0);
        let all: u32 = weighted.iter().map(|remote| u32::from(remote.endpoint.weight)).sum();
        if all > 0 && (others.is_empty() || chance(SHARE_WITHOUT_WEIGHT) > 0) {
            let mut left = chance(all);
            return weighted.into_iter().find(|remote| {
                let weight = u32::from(remote.endpoint.weight);
                let is_it = left < weight;
                left = left.saturating_sub(weight);
                is_it
            });
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed).checked_rem(others.len())?;
        others.get(turn).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(ranks: &[(u16, u16)]) -> Pool {
        let endpoints = ranks.iter().enumerate().map(|(number, (priority, weight))| {
            let endpoint = Endpoint::parse(&format!("m{number}")).unwrap();
            Endpoint { priority: *priority, weight: *weight, ..endpoint }
        });
        Pool::new(endpoints.collect())
    }

    fn picked(pool: &Pool, chance: impl FnMut(u32) -> u32) -> String {
        pool.pick_by(chance).map_or("none".to_owned(), |remote| remote.endpoint.url.host.clone())
    }

    #[test]
    fn they_take_turns_and_who_was_not_reached_is_left_out() {
        let pool = pool(&[(0, 0), (0, 0), (0, 0), (1, 0)]);
        let next = || pool.pick().unwrap().endpoint.url.host.clone();
        assert_eq!([next(), next(), next(), next()], ["m0", "m1", "m2", "m0"]);
        assert!(pool.remotes()[1].set_active(false));
        assert!(!pool.remotes()[1].set_active(false), "that is no news");
        let two: Vec<String> = (0..6).map(|_| picked(&pool, |_| unreachable!())).collect();
        assert!(two.iter().all(|host| host == "m0" || host == "m2") && two[0] != two[1], "{two:?}");
        for first in [0, 2] {
            pool.remotes()[first].set_active(false);
        }
        assert_eq!(picked(&pool, |_| 0), "m3", "the next rank, when nobody is left of the first");
        pool.remotes()[3].set_active(false);
        assert_eq!(picked(&pool, |_| 0), "none");
        assert!(pool.remotes()[2].set_active(true));
        assert_eq!(picked(&pool, |_| 0), "m2");
    }

    #[test]
    fn weights_are_shares() {
        let weighted = pool(&[(0, 1), (0, 3), (5, 100)]);
        let mut counts = [0; 2];
        for number in 0..4 {
            let host = picked(&weighted, |below| {
                assert_eq!(below, 4);
                number
            });
            counts[usize::from(host == "m1")] += 1;
        }
        assert_eq!(counts, [1, 3]);
        // Who has no weight is not left out altogether.
        let mixed = pool(&[(0, 0), (0, 7)]);
        assert_eq!(picked(&mixed, |_| 0), "m0");
        assert_eq!(picked(&mixed, |_| 1), "m1");
    }
}
