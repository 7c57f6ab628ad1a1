//! What must not pass as an answer when a write meets it.

use super::*;
use crate::backend::tests::Faults;

/// Otherwise a member whose disk fails would do something else than the others, and nobody would know.
#[test]
fn what_a_write_cannot_read_is_an_error_and_leaves_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    let faults = Arc::new(Faults::default());
    let options = BackendOptions { unsafe_no_fsync: true, cache_bytes: 0, ..BackendOptions::default() };
    let backend = Arc::new(Backend::open_with(&dir.path().join("db"), options, faults.layer()).unwrap());
    let store = Store::open(Arc::clone(&backend), StoreOptions::default()).unwrap();
    put(&store, "a", "old");
    put(&store, "a", "new");
    // Enough for several pages: one is held by whoever looks at the file.
    let value = "v".repeat(300);
    for _ in 0..100 {
        put(&store, "other", &value);
    }
    backend.flush().unwrap();
    faults.unreadable.store(true, Ordering::SeqCst);
    let mut txn = store.write();
    txn.put(b"b", b"1", 0);
    for range in [single("a"), all()] {
        let outcome = txn.range(&range, at(2));
        assert!(matches!(outcome, Err(MvccError::Backend(_))), "{outcome:?}");
    }
    // What is alive is in memory.
    assert_eq!(txn.delete_range(&all()).unwrap().len(), 3);
    drop(txn);
    assert_eq!((store.revision(), values(&store, 0)), (103, pairs(&[("a", "new"), ("other", &value)])));
}

#[test]
#[should_panic(expected = "somebody else wrote during the transaction")]
fn a_revision_is_made_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("db"));
    let mut txn = store.write();
    txn.put(b"a", b"1", 0);
    store.inner.state.load().set_revision(2);
    txn.commit(None);
}
