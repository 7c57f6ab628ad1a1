//! Another member's database in the place of this one's.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::thread;

use super::*;
use crate::backend::{ImageWriter, RowKey};

/// Writes down the database of a store.
fn image(store: &Store, dir: &Path) -> PathBuf {
    let file = dir.join("image.snap.db");
    let options = BackendOptions { unsafe_no_fsync: true, ..BackendOptions::default() };
    let mut writer = ImageWriter::create(&file, options).unwrap();
    let mut reader = store.inner.backend.image().unwrap();
    while let Some(chunk) = reader.next_chunk().unwrap() {
        writer.write(&chunk).unwrap();
    }
    writer.finish().unwrap();
    file
}

fn rows_in_file(store: &Store) -> usize {
    let mut rows = 0;
    let edition = store.inner.backend.edition();
    edition.flush().unwrap();
    let each = &mut |_, _: &[u8], _: &[u8]| {
        rows += 1;
        ControlFlow::Continue(())
    };
    edition.history().scan(RowKey::new(0, 0), RowKey::new(i64::MAX, 0), each).unwrap();
    rows
}

#[test]
fn the_store_is_the_old_one_until_it_is_the_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let (store, other) = (open(&dir.path().join("db")), open(&dir.path().join("other")));
    for n in 0..50 {
        put(&store, &format!("k{}", n % 5), &format!("{n}"));
        put(&other, &format!("k{}", n % 5), &format!("{n}"));
    }
    let before = values(&store, 0);
    store.reload().unwrap();
    assert_eq!(values(&store, 0), before, "nothing was installed");
    for n in 50..500 {
        put(&other, &format!("k{}", n % 7), &format!("{n}"));
    }
    other.compact(300).unwrap().wait().unwrap();

    store.inner.backend.install(&image(&other, dir.path())).unwrap();
    // Not reloaded yet: all of the old one is there, also what only its file has.
    assert_eq!((store.revision(), store.compacted()), (51, -1));
    assert_eq!(values(&store, 0), before);
    assert_eq!(values(&store, 7).len(), 5);
    assert_eq!(store.hash_kv(20).unwrap().compact_revision, -1);
    store.reload().unwrap();
    assert_eq!((store.revision(), store.compacted()), (501, 300));
    for revision in [0, 300, 301, 400, 501] {
        assert_eq!(values(&store, revision), values(&other, revision));
    }
    assert!(matches!(store.range(&all(), at(299)), Err(MvccError::Compacted)));
    assert_eq!(store.hash_kv(0).unwrap(), other.hash_kv(0).unwrap());
    assert_eq!(put(&store, "new", "1"), 502);
    assert_eq!(put(&other, "new", "1"), 502);
    store.compact(450).unwrap().wait().unwrap();
    other.compact(450).unwrap().wait().unwrap();
    assert_eq!(store.compaction_hashes().last(), other.compaction_hashes().last());
    assert_eq!(rows_in_file(&store), rows_in_file(&other));
    drop(store);
    let store = open(&dir.path().join("db"));
    assert_eq!(store.hash_kv(0).unwrap(), other.hash_kv(0).unwrap());
}

#[test]
fn compactions_of_the_old_end_and_those_of_the_new_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let slow = StoreOptions {
        compaction_batch_limit: 1,
        compaction_pause: Duration::from_secs(3600),
        ..StoreOptions::default()
    };
    let open_slow = |name: &str| {
        let backend = Backend::open(&dir.path().join(name), BackendOptions::default()).unwrap();
        Store::open(Arc::new(backend), slow.clone()).unwrap()
    };
    let (store, other) = (open_slow("db"), open_slow("other"));
    for n in 0..100 {
        put(&store, "k", &format!("{n}"));
        put(&other, "k", &format!("{n}"));
    }
    // One under way, one that waits for it.
    let under_way = [store.compact(20).unwrap(), store.compact(30).unwrap()];
    for n in 0..100 {
        put(&other, "k", &format!("{n}"));
    }
    other.compact(150).unwrap();
    store.inner.backend.install(&image(&other, dir.path())).unwrap();
    store.reload().unwrap();
    for handle in under_way {
        handle.wait().unwrap();
    }
    assert_eq!((store.revision(), store.compacted()), (201, 150));
    // The one that the other member has not finished goes on here, all of it.
    let resumed = store.last_compaction().unwrap();
    drop(other);
    let nudge = thread::scope(|scope| {
        let waiter = scope.spawn(|| resumed.wait());
        while !waiter.is_finished() {
            // Cuts the pauses short.
            store.inner.queue.nudge();
            thread::yield_now();
        }
        waiter.join().unwrap()
    });
    nudge.unwrap();
    assert_eq!(rows_in_file(&store), 52);
    assert_eq!(values(&store, 150), pairs(&[("k", "48")]));
    assert!(store.compaction_hashes().is_empty());
}
