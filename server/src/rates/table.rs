//! Buckets of many, in a table that never grows.
//!
//! A bucket's place is among the few that its hash leads to. Where there is no room left the fullest of them makes room:
//! mostly one that nobody has taken from lately, of which nothing is lost. The others' count begins anew, which lets some through who
//! should have waited and keeps nobody out. Hashes are keyed, so that nobody can choose his neighbours.

use std::hash::{BuildHasher as _, Hash, RandomState};

use parking_lot::Mutex;

use super::Allowance;

/// Half a megabyte for all of them.
const SETS: usize = 4096;
const WAYS: usize = 8;

/// See the module's text.
#[derive(Debug)]
pub(super) struct Table {
    allowance: Allowance,
    hasher: RandomState,
    sets: Box<[Mutex<[Bucket; WAYS]>]>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// The hash of whose it is.
    tag: u64,
    taken: u64,
}

impl Table {
    pub(super) fn new(allowance: Allowance) -> Table {
        let sets = (0..SETS).map(|_| Mutex::default()).collect();
        Table { allowance, hasher: RandomState::new(), sets }
    }

    /// Takes one from the bucket of `whose`, if there is one.
    pub(super) fn take(&self, whose: &(impl Hash + ?Sized), now: u64) -> bool {
        let tag = self.hasher.hash_one(whose);
        let at = usize::try_from(tag % SETS as u64).unwrap_or_default();
        let Some(set) = self.sets.get(at) else { return true };
        let mut set = set.lock();
        let mut fullest = None;
        for bucket in set.iter_mut() {
            if bucket.tag == tag {
                return bucket.take(self.allowance, now);
            }
            if fullest.as_ref().is_none_or(|fullest: &&mut Bucket| bucket.taken < fullest.taken) {
                fullest = Some(bucket);
            }
        }
        fullest.is_none_or(|bucket| {
            *bucket = Bucket { tag, taken: 0 };
            bucket.take(self.allowance, now)
        })
    }

    /// What is left in the bucket of `whose`, and in how many seconds it is full.
    pub(super) fn left(&self, whose: &(impl Hash + ?Sized), now: u64) -> (u64, u64) {
        let tag = self.hasher.hash_one(whose);
        let at = usize::try_from(tag % SETS as u64).unwrap_or_default();
        let taken =
            self.sets.get(at).and_then(|set| set.lock().iter().find(|bucket| bucket.tag == tag).map(|own| own.taken));
        self.allowance.left(taken.unwrap_or_default(), now)
    }
}

impl Bucket {
    fn take(&mut self, allowance: Allowance, now: u64) -> bool {
        let taken = allowance.take(self.taken, 1, now);
        self.taken = taken.unwrap_or(self.taken);
        taken.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Rate;

    #[test]
    fn each_has_his_own() {
        let table = Table::new(Allowance::of(Rate { per_second: 1, burst: 3 }));
        for user in ["alice", "bob"] {
            assert_eq!((0..10).filter(|_| table.take(user, 0)).count(), 3, "{user}");
        }
        assert!(table.take("alice", 1_000_000_000) && !table.take("alice", 1_000_000_000));
        assert_eq!((table.left("alice", 1_000_000_000), table.left("carol", 0)), ((0, 3), (3, 0)));
    }

    /// However many come by once, who asks all the time is held to his rate, and nobody new is kept out.
    #[test]
    fn many_who_come_and_go_make_no_room_for_who_stays() {
        let table = Table::new(Allowance::of(Rate { per_second: 1, burst: 10 }));
        let mut admitted = 0;
        for i in 0..200_000_u32 {
            assert!(table.take(&i, 0), "nobody has seen him before");
            admitted += u32::from(table.take("busy", 0));
        }
        assert_eq!(admitted, 10);
    }
}
