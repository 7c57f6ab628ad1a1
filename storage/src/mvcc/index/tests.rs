use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::Versions;

/// Keys that share long beginnings, are beginnings of each other, or differ in zeros at the end only.
fn key() -> impl Strategy<Value = Vec<u8>> {
    let shared = select(vec![&b""[..], b"a", b"/registry/pods/default/", b"/registry/pods/default/web-", b"\xff\xff"]);
    let tail = prop_oneof![
        (0..2000u32).prop_map(|n| format!("{n:04}").into_bytes()),
        (0..300u16).prop_map(|n| n.to_be_bytes().to_vec()),
        (0..12usize).prop_map(|zeros| vec![0; zeros]),
    ];
    (shared, tail).prop_map(|(shared, tail)| [shared, &tail].concat())
}

fn record(key: &[u8], revision: i64) -> Record {
    Record::new(key, b"", Versions { mod_revision: revision, ..Versions::default() })
}

fn keys<'a>(states: impl Iterator<Item = &'a KeyState>) -> Vec<Vec<u8>> {
    states.map(|state| state.key().to_vec()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn an_index_is_an_ordered_map(
        changes in vec((key(), prop_oneof![4 => Just(true), 1 => Just(false)]), 1..2500),
        ranges in vec((key(), key()), 20),
        sorted in any::<bool>(),
    ) {
        let mut changes = changes;
        if sorted {
            changes.sort();
        }
        let mut index = Index::new();
        let mut model: BTreeMap<Vec<u8>, bool> = BTreeMap::new();
        let last = i64::try_from(changes.len()).unwrap();
        for (revision, (key, put)) in (1..).zip(changes) {
            let was_alive = model.insert(key.clone(), put) == Some(true);
            let row = RowKey { main: revision, sub: 0, tombstone: !put };
            prop_assert_eq!(index.push(row, record(&key, revision)).is_some(), was_alive);
            prop_assert_eq!(index.get(&key).unwrap().key(), &key[..]);
        }
        let alive = |model: &BTreeMap<Vec<u8>, bool>| model.values().filter(|alive| **alive).count();
        prop_assert_eq!(index.live(), alive(&model));
        prop_assert_eq!(keys(index.iter(Bound::Unbounded, None)), model.keys().cloned().collect::<Vec<_>>());
        for (start, end) in &ranges {
            let inside = |model: &BTreeMap<Vec<u8>, bool>, from: Bound<&[u8]>| -> Vec<(Vec<u8>, bool)> {
                let inside = model.range::<[u8], _>((from, Bound::Unbounded)).take_while(|(key, _)| *key < end);
                inside.map(|(key, alive)| (key.clone(), *alive)).collect()
            };
            for from in [Bound::Included(&start[..]), Bound::Excluded(&start[..])] {
                let expected = inside(&model, from);
                prop_assert_eq!(
                    keys(index.iter(from, Some(end))),
                    expected.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>()
                );
            }
            let live = inside(&model, Bound::Included(start)).iter().filter(|(_, alive)| *alive).count();
            prop_assert_eq!(index.count(start, Some(end)), live);
            let behind = model.range::<[u8], _>((Bound::Included(&start[..]), Bound::Unbounded));
            prop_assert_eq!(index.count(start, None), behind.filter(|(_, alive)| **alive).count());
            prop_assert_eq!(index.get(start).is_some(), model.contains_key(start));
        }
        // At the last revision a compaction forgets the dead, but for one that died just then.
        let mut after = None;
        let mut dropped = 0;
        loop {
            let (leaf, _) = index.compact_leaf(after.as_ref(), last, &mut |_| dropped += 1);
            after = leaf;
            if after.is_none() {
                break;
            }
        }
        let died_last = index.iter(Bound::Unbounded, None).filter(|state| !state.is_alive()).count();
        prop_assert!(died_last <= 1);
        model.retain(|key, alive| *alive || index.get(key).is_some());
        prop_assert_eq!(keys(index.iter(Bound::Unbounded, None)), model.keys().cloned().collect::<Vec<_>>());
        let left: usize = index.iter(Bound::Unbounded, None).count();
        prop_assert_eq!(i64::try_from(left + dropped).unwrap(), last);
        prop_assert_eq!(index.count(&[], None), alive(&model));
    }
}

#[test]
fn keys_in_order_fill_their_leaves() {
    let mut index = Index::new();
    for n in 0..10_000 {
        index.push(RowKey::new(n, 0), record(format!("{n:08}").as_bytes(), n));
    }
    let leaves: usize = index.branches.values().map(|branch| branch.leaves().len()).sum();
    assert!(leaves <= 10_000 / 128 + 2, "{leaves} leaves");
    assert!(index.branches.len() <= leaves / branch::CAPACITY + 2, "{} branches", index.branches.len());
}
