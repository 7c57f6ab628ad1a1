//! What the store's history tells a late watcher is what it told those who were there.

use std::sync::Arc;

use bytes::Bytes;
use keyport_storage::KeyRange;
use keyport_storage::backend::{Backend, BackendOptions};
use keyport_storage::mvcc::{Store, StoreOptions};
use keyport_storage::watch::{History, HistoryRead, SelectedEvent, WatchHub, WatchOptions, WatchSpec};

use crate::streams::read;

#[test]
fn late_watchers_are_told_the_same() {
    let dir = tempfile::tempdir().expect("a directory");
    let backend = Backend::open(&dir.path().join("db"), BackendOptions::default()).expect("a backend");
    let store = Arc::new(Store::open(Arc::new(backend), StoreOptions::default()).expect("a store"));
    let options = WatchOptions { page_revisions: 7, queue_messages: 5, ..WatchOptions::default() };
    let hub = WatchHub::new(Arc::clone(&store) as Arc<dyn History>, options).expect("a hub");
    let everything = KeyRange::new(Bytes::from_static(b"\0"), Bytes::from_static(b"\0"));
    let watch = |start_revision| {
        let stream = hub.stream();
        let spec = WatchSpec { start_revision, prev_kv: true, ..WatchSpec::new(everything.clone()) };
        stream.create(spec).expect("created");
        stream
    };

    let (live, slow) = (watch(0), watch(0));
    let mut told = Vec::new();
    let mut last = 1;
    for n in 0..200_u32 {
        let mut txn = store.write();
        for change in 0..1 + n % 4 {
            let key = format!("key{}", n.wrapping_mul(7 + change) % 13);
            if (n + change) % 3 == 0 {
                txn.delete(key.as_bytes());
            } else {
                txn.put(key.as_bytes(), format!("value{n}").as_bytes(), 0);
            }
        }
        let changes = txn.commit(None);
        if !changes.events.is_empty() {
            last = changes.revision;
            hub.publish(&[changes]);
            told.extend(read(&live, last).expect("not compacted"));
        }
    }
    assert!(told.iter().any(|event| event.index > 1) && told.iter().any(|event| event.event.prev_kv.is_some()));
    assert_eq!(read(&slow, last).as_ref(), Ok(&told));
    for start in [1, 2, last / 2, last] {
        let expected: Vec<_> = told.iter().filter(|event| event.revision >= start).cloned().collect();
        assert_eq!(read(&watch(start), last), Ok(expected), "from {start}");
    }

    let compacted = last / 2;
    store.compact(compacted).expect("a compaction").wait().expect("compacted");
    assert_eq!(read(&watch(compacted - 1), last), Err(compacted));
    let expected: Vec<_> = told.iter().filter(|event| event.revision > compacted).cloned().collect();
    let after = read(&watch(compacted + 1), last).expect("not compacted");
    // The values before the compaction are gone but for those that were still in force.
    let place = |event: &SelectedEvent| (event.revision, event.index, event.event.kind, event.event.kv.clone());
    assert_eq!(after.iter().map(place).collect::<Vec<_>>(), expected.iter().map(place).collect::<Vec<_>>());
}

#[test]
fn values_before_the_changes_count_for_the_size_of_a_page() {
    let dir = tempfile::tempdir().expect("a directory");
    let backend = Backend::open(&dir.path().join("db"), BackendOptions::default()).expect("a backend");
    let store = Store::open(Arc::new(backend), StoreOptions::default()).expect("a store");
    let put = |value: &[u8]| {
        let mut txn = store.write();
        txn.put(b"key", value, 0);
        txn.commit(None);
    };
    for _ in 0..10 {
        put(&[b'v'; 10_000]);
        put(b"small");
    }
    let read = |prev_kv| {
        let read = HistoryRead { from: 2, max_revisions: 1000, max_bytes: 20_000, prev_kv };
        store.events(read).expect("not compacted").through
    };
    assert_eq!(read(false), 4, "two large values, and what is between them");
    assert_eq!(read(true), 3, "a large value as the new one, then as the old one");
}
