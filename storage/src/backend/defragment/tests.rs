use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::super::tests::{ENOSPC, Faults, names, options, rows};
use super::*;
use crate::backend::{Applied, BackendOptions, Batch, Bucket, RowKey};
use crate::{Record, Versions};

fn record(revision: i64) -> Record {
    Record::new(b"key", &[b'v'; 2000], Versions { mod_revision: revision, ..Versions::default() })
}

/// One row of history, one of another bucket that is always the same, one that is a new one or gone, and an old row of history removed.
fn entry(backend: &Backend, index: u64) {
    let revision = i64::try_from(index).unwrap();
    let mut batch = Batch::new();
    batch.put_record(RowKey::new(revision, 0), record(revision));
    batch.put(Bucket::Alarm, "last", index.to_be_bytes().to_vec());
    if index.is_multiple_of(3) {
        batch.delete(Bucket::Lease, (index / 3).to_be_bytes().to_vec());
    } else {
        batch.put(Bucket::Lease, index.to_be_bytes().to_vec(), index.to_be_bytes().to_vec());
    }
    if index.is_multiple_of(2) {
        batch.delete_record(RowKey::new(revision / 2, 0));
    }
    backend.commit(batch, Some(Applied { index, term: 1 }));
}

/// What these entries leave.
fn model(until: u64) -> (Vec<i64>, BTreeMap<u64, u64>) {
    let (mut history, mut leases) = (BTreeMap::new(), BTreeMap::new());
    for index in 1..=until {
        history.insert(index, ());
        if index.is_multiple_of(3) {
            leases.remove(&(index / 3));
        } else {
            leases.insert(index, index);
        }
        if index.is_multiple_of(2) {
            history.remove(&(index / 2));
        }
    }
    (history.into_keys().map(|index| i64::try_from(index).unwrap()).collect(), leases)
}

fn leases(backend: &Backend) -> BTreeMap<u64, u64> {
    let mut found = BTreeMap::new();
    let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().unwrap());
    backend
        .scan(Bucket::Lease, &[], None, &mut |key, value| {
            found.insert(number(key), number(value));
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    found
}

fn check(backend: &Backend, until: u64) {
    let (history, expected) = model(until);
    assert_eq!(rows(backend), history);
    assert_eq!(leases(backend), expected);
    assert_eq!(backend.get(Bucket::Alarm, b"last").unwrap().unwrap(), until.to_be_bytes()[..]);
}

fn many(backend: &Backend, until: u64) {
    for index in 1..=until {
        entry(backend, index);
    }
    backend.flush().unwrap();
}

#[test]
fn what_changes_meanwhile_is_in_the_copy() {
    const BEFORE: u64 = 20_000;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let backend = Backend::open(&path, BackendOptions { batch_limit: 50, ..options() }).unwrap();
    many(&backend, BEFORE);
    let (last, done) = (AtomicU64::new(BEFORE), AtomicBool::new(false));
    let slices = AtomicU64::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                entry(&backend, last.fetch_add(1, Ordering::SeqCst) + 1);
            }
        });
        for _ in 0..3 {
            // Each slice is followed by some changes that are in the file.
            let changed = || {
                let seen = last.load(Ordering::SeqCst);
                while last.load(Ordering::SeqCst) < seen + 20 {
                    thread::yield_now();
                }
                backend.flush().unwrap();
                slices.fetch_add(1, Ordering::SeqCst);
                true
            };
            backend.defragment_while(&mut || {}, &changed).unwrap();
        }
        done.store(true, Ordering::SeqCst);
    });
    assert!(slices.load(Ordering::SeqCst) >= 9, "there was more than one slice each time");
    let last = last.into_inner();
    check(&backend, last);
    assert_eq!(backend.flush().unwrap().index, last);
    let hash = backend.hash().unwrap();
    drop(backend);
    assert_eq!(names(&dir), ["db"]);
    let backend = Backend::open(&path, options()).unwrap();
    check(&backend, last);
    assert_eq!((backend.durable_applied(), backend.hash().unwrap()), (Applied { index: last, term: 1 }, hash));
}

/// The sums by which sizes are told are those of a database that was filled anew.
#[test]
fn sums_are_right_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let backend = Backend::open(&dir.path().join("db"), options()).unwrap();
    many(&backend, 20_000);
    let next = std::cell::Cell::new(20_000);
    let changed = || {
        for _ in 0..10 {
            next.set(next.get() + 1);
            entry(&backend, next.get());
        }
        backend.flush().unwrap();
        true
    };
    backend.defragment_while(&mut || {}, &changed).unwrap();
    let used = backend.shared.used.load(Ordering::Relaxed);
    backend.defragment().unwrap();
    assert_eq!(used, backend.shared.used.load(Ordering::Relaxed));
}

#[test]
fn who_does_not_want_it_any_more_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let backend = Backend::open(&dir.path().join("db"), options()).unwrap();
    many(&backend, 1000);
    assert!(matches!(backend.defragment_while(&mut || {}, &|| false), Err(BackendError::Unwanted)));
    assert_eq!(names(&dir), ["db"]);
    assert!(backend.shared.contents.load().buffers.read().journal.is_none(), "nobody notes anything any more");
    entry(&backend, 1001);
    backend.defragment().unwrap();
    check(&backend, 1001);
}

#[test]
fn another_state_may_come_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let backend = Backend::open(&dir.path().join("db"), options()).unwrap();
    many(&backend, 1000);
    let other = dir.path().join("other");
    many(&Backend::open(&other, options()).unwrap(), 2000);
    let installed = AtomicBool::new(false);
    let install = || {
        if !installed.swap(true, Ordering::SeqCst) {
            backend.install(&other).unwrap();
        }
        true
    };
    backend.defragment_while(&mut || {}, &install).unwrap();
    check(&backend, 2000);
    entry(&backend, 2001);
    backend.defragment().unwrap();
    check(&backend, 2001);
    assert_eq!(names(&dir), ["db"]);
}

/// Whichever write finds no room, the flusher's last ones included: the database goes on with the file that it has.
#[test]
fn a_full_device_costs_the_copy_alone() {
    for writes in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        let faults = std::sync::Arc::new(Faults::default());
        let backend = Backend::open_with(&path, options(), faults.layer()).unwrap();
        many(&backend, 100);
        faults.fail_after(writes, ENOSPC);
        let done = backend.defragment();
        let left = faults.writes_left.lock().take();
        check(&backend, 100);
        entry(&backend, 101);
        backend.flush().unwrap();
        assert_eq!(names(&dir), ["db"]);
        drop(backend);
        check(&Backend::open(&path, options()).unwrap(), 101);
        if left != Some(0) {
            done.unwrap();
            assert!(writes > 10, "there was something to fail");
            return;
        }
        assert!(matches!(done, Err(BackendError::NoSpace(_))) || done.is_ok(), "{done:?}");
    }
}
