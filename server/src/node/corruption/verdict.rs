//! Who differs from whom.

use std::collections::BTreeMap;

use keyport_storage::mvcc::HashKv;

/// What a comparison of hashes comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All that could be compared are the same.
    Same {
        /// Whether that was every member.
        everyone: bool,
    },
    /// These differ from a majority of the members, whose hashes are the same.
    Odd(Vec<u64>),
    /// There is no such majority.
    Undecided { unlike_own: Vec<u64> },
}

/// Compares the hash of one member with others of the same revision. Only what was compacted at the same revision can be
/// compared; `members` is how many there are in the cluster.
pub(super) fn compare((own_id, own): (u64, &HashKv), others: &[(u64, HashKv)], members: usize) -> Verdict {
    let comparable = others.iter().filter(|(_, hash)| hash.compact_revision == own.compact_revision);
    let mut by_hash = BTreeMap::from([(own.hash, vec![own_id])]);
    let mut compared = 1;
    for (id, hash) in comparable {
        by_hash.entry(hash.hash).or_default().push(*id);
        compared += 1;
    }
    if by_hash.len() == 1 {
        return Verdict::Same { everyone: compared == members };
    }
    let majority = by_hash.iter().find(|(_, ids)| ids.len() > members / 2).map(|(&hash, _)| hash);
    let unlike = |like: u32| by_hash.iter().filter(move |(hash, _)| **hash != like).flat_map(|(_, ids)| ids).copied();
    match majority {
        Some(majority) => Verdict::Odd(unlike(majority).collect()),
        None => Verdict::Undecided { unlike_own: unlike(own.hash).collect() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(hash: u32) -> HashKv {
        HashKv { hash, compact_revision: 5, hash_revision: 9, current_revision: 9 }
    }

    #[test]
    fn the_majority_is_right() {
        let compare = |own, others: &[(u64, HashKv)], members| compare((1, &hash(own)), others, members);
        assert_eq!(compare(7, &[(2, hash(7)), (3, hash(7))], 3), Verdict::Same { everyone: true });
        assert_eq!(compare(7, &[(2, hash(7))], 3), Verdict::Same { everyone: false });
        assert_eq!(compare(7, &[(2, hash(8)), (3, hash(7))], 3), Verdict::Odd(vec![2]));
        assert_eq!(
            compare(8, &[(2, hash(7)), (3, hash(7))], 3),
            Verdict::Odd(vec![1]),
            "also against the one that asks"
        );
        assert_eq!(compare(7, &[(2, hash(8))], 3), Verdict::Undecided { unlike_own: vec![2] });
        assert_eq!(compare(7, &[(2, hash(8))], 2), Verdict::Undecided { unlike_own: vec![2] });
        assert_eq!(compare(6, &[(2, hash(7)), (3, hash(8))], 3), Verdict::Undecided { unlike_own: vec![2, 3] });
        assert_eq!(compare(6, &[(2, hash(6)), (3, hash(6)), (4, hash(7)), (5, hash(8))], 5), Verdict::Odd(vec![4, 5]));
    }

    #[test]
    fn what_was_compacted_elsewhere_is_not_compared() {
        let other = HashKv { compact_revision: 4, ..hash(8) };
        assert_eq!(compare((1, &hash(7)), &[(2, other)], 2), Verdict::Same { everyone: false });
    }
}
