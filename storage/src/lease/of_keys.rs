//! Leases that keys have for themselves: such a lease ends with the last of its keys. They are told from others by their ids.

use std::collections::HashSet;

use bytes::Bytes;

use super::Lessor;

/// What their ids begin with.
const MARK: i64 = 0x4b65_7950;

/// Set in the ids of those that somebody holds for as long as he is there: they are nobody else's to renew.
const HELD: u32 = 1 << 31;

/// The id of one, whose other half is random.
pub fn id_of(random: u32) -> i64 {
    MARK << 32 | i64::from(random & !HELD)
}

/// The id of one that somebody holds.
pub fn held_id_of(random: u32) -> i64 {
    MARK << 32 | i64::from(random | HELD)
}

/// Whether somebody holds it, if it ends with its keys.
pub fn is_held(id: i64) -> bool {
    id & i64::from(HELD) != 0
}

/// Whether a lease is one.
pub fn ends_with_its_keys(id: i64) -> bool {
    id >> 32 == MARK
}

impl Lessor {
    /// Those that have no key any more once all of these are moved, each from a lease to a lease (0 stands for none), in
    /// this order.
    pub fn left_by(&self, moves: &[(Bytes, i64, i64)]) -> Vec<i64> {
        let mut left: Vec<i64> =
            moves.iter().map(|&(_, from, _)| from).filter(|&from| ends_with_its_keys(from)).collect();
        left.sort_unstable();
        left.dedup();
        left.retain(|&id| {
            let moved = moves.iter().filter(|(_, from, _)| *from == id).count();
            // One with more keys is not gone through.
            let Some(keys) = self.keys_up_to(id, moved) else { return false };
            let mut keys: HashSet<&[u8]> = keys.iter().map(|key| &key[..]).collect();
            for (key, from, to) in moves {
                if *from == id {
                    keys.remove(&key[..]);
                }
                if *to == id {
                    keys.insert(key);
                }
            }
            keys.is_empty()
        });
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Batch;
    use crate::lease::LessorOptions;
    use std::time::Instant;

    #[test]
    fn it_ends_with_the_last_of_its_keys() {
        let now = Instant::now();
        let lessor = Lessor::new(LessorOptions::default(), now);
        let [own, other, somebodys] = [id_of(1), id_of(u32::MAX), 7];
        for id in [own, other, somebodys] {
            lessor.grant(id, 60, now, &mut Batch::new()).unwrap();
        }
        assert!(ends_with_its_keys(own) && ends_with_its_keys(other) && !ends_with_its_keys(somebodys) && own > 0);
        let key = |name: &'static str| Bytes::from_static(name.as_bytes());
        lessor.reattach(b"a", 0, own);
        lessor.reattach(b"b", 0, own);
        lessor.reattach(b"c", 0, somebodys);
        for (moves, left) in [
            (vec![(key("a"), own, 0)], vec![]),
            (vec![(key("a"), own, 0), (key("b"), own, other)], vec![own]),
            (vec![(key("a"), own, 0), (key("b"), own, 0), (key("a"), 0, own)], vec![]),
            (vec![(key("c"), somebodys, 0)], vec![]),
            (vec![(key("d"), 0, other)], vec![]),
        ] {
            assert_eq!(lessor.left_by(&moves), left, "{moves:?}");
        }
    }
}
