//! Values that are in memory, and those that are not.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::*;

const VALUE: usize = 1000;

/// A store that has room for so many values.
fn open_for(path: &Path, values: usize) -> Store {
    let backend = Backend::open(path, BackendOptions { unsafe_no_fsync: true, ..BackendOptions::default() }).unwrap();
    Store::open(Arc::new(backend), StoreOptions { value_bytes: values * VALUE, ..options() }).unwrap()
}

fn name(number: usize) -> Vec<u8> {
    format!("{number:05}").into_bytes()
}

fn value(number: usize) -> Vec<u8> {
    vec![u8::try_from(number % 251).unwrap(); VALUE]
}

fn fill(store: &Store, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let mut txn = store.write();
        txn.put(&name(number), &value(number), 0);
        txn.commit(None);
    }
}

/// Whether reading a key needs the backend.
fn is_evicted(store: &Store, number: usize) -> bool {
    let range = KeyRange::single(name(number).into());
    matches!(store.range_while(&range, RangeOptions::default(), &mut |_| false), Err(MvccError::Interrupted))
}

fn evicted(store: &Store, numbers: std::ops::Range<usize>) -> usize {
    numbers.filter(|number| is_evicted(store, *number)).count()
}

fn read(store: &Store, number: usize) {
    assert_eq!(store.get(&name(number)).unwrap().unwrap().value(), value(number));
}

#[test]
fn values_in_memory_are_bounded_whatever_comes_and_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let store = open_for(&path, 100);
    fill(&store, 0..5_000);
    let check = |store: &Store, missing: usize| {
        assert!(store.value_bytes() <= 100 * VALUE, "{}", store.value_bytes());
        assert_eq!(evicted(store, 0..5_000), missing);
        (0..5_000).step_by(7).for_each(|number| read(store, number));
        let all = store.range(&all(), RangeOptions::default()).unwrap();
        assert!(all.records.iter().zip(0..).all(|(record, number)| record.value() == value(number)));
        assert!(store.value_bytes() <= 100 * VALUE);
    };
    check(&store, 4_900);
    drop(store);
    // The start reads none.
    check(&open_for(&path, 100), 5_000);
}

#[test]
fn short_values_stay() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_for(&dir.path().join("db"), 0);
    put(&store, "short", "x");
    fill(&store, 0..1);
    assert!(is_evicted(&store, 0));
    let found = store.range_while(&KeyRange::single("short".into()), RangeOptions::default(), &mut |_| false).unwrap();
    assert_eq!(found.records[0].value(), b"x");
}

#[test]
fn what_is_read_stays_and_lists_pass_by() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_for(&dir.path().join("db"), 200);
    fill(&store, 0..200);
    for from in (200..2_000).step_by(100) {
        (0..100).for_each(|number| read(&store, number));
        store.range(&all(), RangeOptions::default()).unwrap();
        fill(&store, from..from + 100);
    }
    assert_eq!(evicted(&store, 0..100), 0);
    assert!(evicted(&store, 100..1_900) > 1_700);
}

#[test]
fn a_value_that_is_read_twice_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_for(&dir.path().join("db"), 10);
    fill(&store, 0..1_000);
    assert!(is_evicted(&store, 500));
    read(&store, 500);
    assert!(is_evicted(&store, 500));
    read(&store, 500);
    assert!(!is_evicted(&store, 500));
    assert!(store.value_bytes() <= 10 * VALUE);
}

#[test]
fn what_was_before_is_read_for_who_asks() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_for(&dir.path().join("db"), 0);
    fill(&store, 0..3);
    let mut txn = store.write();
    txn.put(&name(0), b"new", 0);
    txn.delete(&name(1));
    txn.put(&name(3), b"new", 0);
    let changes = txn.commit(None);
    assert!(changes.events.iter().all(|event| event.prev_kv.is_none()));
    let before: Vec<_> = changes
        .stored_before
        .iter()
        .map(|(at, row)| (*at, crate::watch::History::record(&store, *row).unwrap().unwrap().value().to_vec()))
        .collect();
    assert_eq!(before, [(0, value(0)), (1, value(1))]);
}

/// Readers meet the writer, evictions and compactions at every moment, and find what was there.
#[test]
fn nothing_is_lost_between_memory_and_the_backend() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_for(&dir.path().join("db"), 5);
    fill(&store, 0..50);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for reader in 0..2 {
            let (store, over) = (&store, &over);
            scope.spawn(move || {
                let mut number = reader;
                while !over.load(Ordering::Relaxed) {
                    number = (number + 7) % 50;
                    read(store, number);
                    assert_eq!(store.range(&all(), RangeOptions::default()).unwrap().records.len(), 50);
                }
            });
        }
        for _ in 0..40 {
            fill(&store, 0..50);
            store.compact(store.revision()).unwrap().wait().unwrap();
        }
        over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn it_is_known_whether_anything_is_on_the_disk_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let store = open_for(&path, 100);
    let mut txn = store.write();
    txn.put(b"short", b"value", 0);
    txn.commit(None);
    drop(store);
    let store = open_for(&path, 100);
    assert!(!store.has_evicted(), "short ones are read at the start");
    fill(&store, 0..50);
    assert!(!store.has_evicted(), "there is room for them");
    fill(&store, 50..150);
    assert!(store.has_evicted());
    drop(store);
    assert!(open_for(&path, 1000).has_evicted(), "large ones are not read at the start");
}
