mod cache;
mod hashes;
mod pace;
mod reload;
mod writing;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::*;
use crate::backend::{Applied, BackendOptions};
use crate::{EventKind, KeyRange};

fn open(path: &Path) -> Store {
    let backend = Backend::open(path, BackendOptions { unsafe_no_fsync: true, ..BackendOptions::default() }).unwrap();
    Store::open(Arc::new(backend), options()).unwrap()
}

fn options() -> StoreOptions {
    StoreOptions { compaction_pause: Duration::ZERO, ..StoreOptions::default() }
}

fn put(store: &Store, key: &str, value: &str) -> i64 {
    let mut txn = store.write();
    txn.put(key.as_bytes(), value.as_bytes(), 0);
    txn.commit(None).revision
}

fn delete(store: &Store, key: &str) -> i64 {
    let mut txn = store.write();
    txn.delete(key.as_bytes());
    txn.commit(None).revision
}

fn single(key: &str) -> KeyRange {
    KeyRange::single(Bytes::copy_from_slice(key.as_bytes()))
}

fn all() -> KeyRange {
    KeyRange::new(Bytes::from_static(&[0]), Bytes::from_static(&[0]))
}

fn at(revision: i64) -> RangeOptions {
    RangeOptions { revision, ..RangeOptions::default() }
}

fn values(store: &Store, revision: i64) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let records = store.range(&all(), at(revision)).unwrap().records;
    records.iter().map(|record| (text(record.key()), text(record.value()))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

#[test]
fn revisions_generations_and_versions() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let store = open(&path);
    assert_eq!((store.revision(), store.compacted()), (1, -1));
    assert_eq!(put(&store, "a", "1"), 2);
    assert_eq!(put(&store, "a", "2"), 3);
    assert_eq!(delete(&store, "a"), 4);
    assert_eq!(delete(&store, "a"), 4, "nothing there: no revision");
    assert_eq!(put(&store, "a", "3"), 5);
    let check = |store: &Store| {
        let versions = |revision| store.range(&single("a"), at(revision)).unwrap().records[0].versions();
        let expected = |create_revision, mod_revision, version| crate::Versions {
            create_revision,
            mod_revision,
            version,
            lease: 0,
        };
        assert_eq!(versions(2), expected(2, 2, 1));
        assert_eq!(versions(3), expected(2, 3, 2));
        assert_eq!(versions(0), expected(5, 5, 1));
        assert!(values(store, 4).is_empty());
        assert_eq!(values(store, 3), pairs(&[("a", "2")]));
        assert!(matches!(store.range(&all(), at(6)), Err(MvccError::FutureRevision)));
        assert_eq!(store.range(&all(), at(1)).unwrap().count, 0);
    };
    check(&store);
    drop(store);
    let store = open(&path);
    assert_eq!(store.revision(), 5);
    check(&store);
}

#[test]
fn a_transaction_sees_itself_and_is_seen_as_a_whole() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("db"));
    put(&store, "b", "old");
    put(&store, "d", "old");
    let mut txn = store.write();
    txn.put(b"a", b"new", 0);
    assert_eq!(txn.put(b"b", b"new", 0).1.unwrap().versions().version, 1);
    let removed = txn.delete_range(&all()).unwrap();
    assert_eq!(removed.iter().map(|record| record.key().to_vec()).collect::<Vec<_>>(), [b"a", b"b", b"d"]);
    assert!(txn.get(b"b").unwrap().is_none());
    txn.put(b"c", b"new", 7);
    let seen = txn.range(&all(), RangeOptions::default()).unwrap();
    assert_eq!((seen.count, seen.revision, seen.records[0].lease()), (1, 4, 7));
    assert_eq!(txn.range(&all(), at(3)).unwrap().count, 2);
    assert_eq!(store.range(&all(), RangeOptions::default()).unwrap().count, 2, "not published yet");
    let changes = txn.commit(None);
    assert_eq!(changes.revision, 4);
    let events: Vec<_> =
        changes.events.iter().map(|event| (event.kind, event.kv.key()[0], event.prev_kv.is_some())).collect();
    use EventKind::{Delete, Put};
    assert_eq!(
        events,
        [
            (Put, b'a', false),
            (Put, b'b', true),
            (Delete, b'a', false),
            (Delete, b'b', true),
            (Delete, b'd', true),
            (Put, b'c', false)
        ]
    );
    assert_eq!(values(&store, 0), pairs(&[("c", "new")]));
    assert_eq!(values(&store, 3), pairs(&[("b", "old"), ("d", "old")]));
}

#[test]
fn a_dropped_transaction_leaves_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("db"));
    let mut txn = store.write();
    txn.put(b"a", b"1", 0);
    drop(txn);
    assert_eq!((store.revision(), store.key_count()), (1, 0));
}

#[test]
fn a_compaction_that_panics_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let on_compaction =
        Some(CompactionObserver(Arc::new(|step| panic!("observed {}", matches!(step, CompactionStep::Index { .. })))));
    let backend = Arc::new(Backend::open(&dir.path().join("db"), BackendOptions::default()).unwrap());
    let store = Store::open(backend, StoreOptions { on_compaction, ..StoreOptions::default() }).unwrap();
    put(&store, "a", "1");
    assert!(store.failure().is_none());
    // Whoever waits for it hears of it too.
    let outcome = store.compact(2).unwrap().wait();
    assert!(matches!(outcome, Err(BackendError::Panicked(_))), "{outcome:?}");
    let failure = store.failure().unwrap().to_string();
    assert_eq!(failure, "the thread \"compaction\" panicked: observed true");
}

#[test]
fn compaction_refuses_what_is_below_and_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let store = open(&path);
    for value in ["1", "2", "3"] {
        put(&store, "a", value);
    }
    put(&store, "b", "1");
    delete(&store, "b");
    assert!(matches!(store.compact(7), Err(MvccError::FutureRevision)));
    let hash = store.hash_kv(6).unwrap();
    store.compact(3).unwrap().wait().unwrap();
    assert!(matches!(store.compact(3), Err(MvccError::Compacted)));
    assert!(matches!(store.range(&all(), at(2)), Err(MvccError::Compacted)));
    assert_eq!(values(&store, 3), pairs(&[("a", "2")]));
    store.compact(6).unwrap().wait().unwrap();
    let cached = store.hash_kv(6).unwrap();
    assert_eq!((cached.compact_revision, cached.hash_revision), (3, 6));
    assert_ne!(cached.hash, hash.hash, "one row went with the first compaction");
    let events = |store: &Store| {
        let read = crate::watch::HistoryRead { from: 6, max_revisions: 10, max_bytes: 1 << 20, prev_kv: true };
        crate::watch::History::events(store, read).unwrap().revisions
    };
    assert_eq!(events(&store)[0].events[0].kind, EventKind::Delete, "the tombstone at the revision stays");
    drop(store);
    let store = open(&path);
    assert_eq!((store.revision(), store.compacted()), (6, 6));
    assert_eq!(values(&store, 0), pairs(&[("a", "3")]));
    assert_eq!(events(&store).len(), 1);
    assert_eq!(put(&store, "b", "2"), 7);
    assert_eq!(store.outline(b"b").unwrap().versions().version, 1);
}

#[test]
fn what_was_applied_is_durable_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let applied = Applied { index: 12, term: 3 };
    let store = open(&path);
    let mut txn = store.write();
    txn.put(b"a", b"1", 5);
    txn.commit(Some(applied));
    assert_eq!(store.inner.backend.flush().unwrap(), applied);
    drop(store);
    let store = open(&path);
    assert_eq!(store.inner.backend.durable_applied(), applied);
    let mut attached = Vec::new();
    store.keys_attached(&mut |lease, key| attached.push((lease, key.to_vec())));
    assert_eq!(attached, [(5, b"a".to_vec())]);
}

/// What etcd 3.5.1 answers to `endpoint hashkv` after the same requests.
#[test]
fn hash_kv_is_etcds() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("db"));
    let change = |change: &dyn Fn(&mut WriteTxn<'_>)| {
        let mut txn = store.write();
        change(&mut txn);
        txn.commit(None);
    };
    let range = |start: &'static str, end: &'static str| KeyRange::new(start.into(), end.into());
    let hashes = |revisions: std::ops::RangeInclusive<i64>| -> Vec<u32> {
        revisions.map(|revision| store.hash_kv(revision).unwrap().hash).collect()
    };
    assert_eq!(hashes(0..=0), [1_084_519_789]);
    put(&store, "a", "1");
    put(&store, "a", "2");
    put(&store, "b", "x");
    delete(&store, "a");
    put(&store, "a", "3");
    change(&|txn| {
        txn.put(b"c", b"", 0);
        txn.put(b"d", b"4", 0);
        txn.delete(b"b");
    });
    change(&|txn| drop(txn.put(b"e", b"leased", 42)));
    change(&|txn| drop(txn.delete_range(&range("c", "e")).unwrap()));
    let whole = [
        1_084_519_789,
        2_587_454_935,
        535_221_974,
        1_523_780_942,
        3_909_293_975,
        3_004_811_756,
        861_207_531,
        1_989_426_193,
        2_814_953_457,
    ];
    assert_eq!(hashes(1..=9), whole);
    store.compact(6).unwrap().wait().unwrap();
    assert_eq!(hashes(6..=6), whole[5..6], "remembered");
    assert_eq!(hashes(7..=9), [227_271_577, 1_306_046_502, 3_626_847_003]);
    let compacted_at_6 = store.hash_kv(9).unwrap().hash;
    store.compact(9).unwrap().wait().unwrap();
    assert_eq!(hashes(9..=9), [compacted_at_6], "remembered");
    assert_eq!(hashes(0..=0), [1_161_726_600], "tombstones at the compacted revision do not count");
    put(&store, "c", "again");
    put(&store, "a", "5");
    assert_eq!(hashes(10..=11), [3_616_636_198, 1_420_245_205]);
    change(&|txn| drop(txn.delete_range(&all()).unwrap()));
    assert_eq!(hashes(11..=12), [1_420_245_205, 1_057_617_518]);
}

/// Whatever is wrong with the file: an error, or nothing that matters was hit. Never a panic, never a hang.
#[test]
fn a_damaged_file_is_an_error_at_most() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let store = open(&path);
    for n in 0..300 {
        put(&store, &format!("key{:03}", n % 100), &"v".repeat(100));
    }
    store.compact(150).unwrap().wait().unwrap();
    drop(store);
    let whole = std::fs::read(&path).unwrap();
    let use_it = |path: &Path| -> Result<(), Box<dyn std::error::Error>> {
        let options = BackendOptions { unsafe_no_fsync: true, ..BackendOptions::default() };
        let backend = Arc::new(Backend::open(path, options)?);
        let store = Store::open(Arc::clone(&backend), StoreOptions::default())?;
        let revision = store.revision();
        store.range(&all(), at(revision - 20))?;
        put(&store, "key000", "after");
        store.compact(revision)?.wait()?;
        store.hash_kv(0)?;
        backend.hash()?;
        backend.defragment()?;
        Ok(())
    };
    use_it(&path).unwrap();
    let mut random = 7u64;
    let mut refused = 0;
    for _ in 0..150 {
        let mut damaged = whole.clone();
        for _ in 0..8 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = usize::try_from(random >> 33).unwrap() % damaged.len();
            damaged[at] ^= 1 << (random & 7);
        }
        std::fs::write(&path, &damaged).unwrap();
        refused += usize::from(use_it(&path).is_err());
    }
    assert!(refused > 10, "{refused}");
}

/// Every transaction gives all keys the same value; a reader must never see two values, nor miss a key.
#[test]
fn long_reads_see_one_revision_whatever_goes_on() {
    const KEYS: usize = 600;
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("db"));
    let round = |n: i64| {
        let mut txn = store.write();
        if n % 3 == 0 {
            txn.delete_range(&all()).unwrap();
        }
        for key in 0..KEYS {
            txn.put(format!("key{key:04}").as_bytes(), &n.to_be_bytes(), 0);
        }
        txn.commit(None).revision
    };
    round(0);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for back in [0, 3] {
            let (store, done) = (&store, &done);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    let revision = if back == 0 { 0 } else { (store.revision() - back).max(2) };
                    let limit = if revision % 2 == 0 { 0 } else { KEYS - 1 };
                    let found = match store.range(&all(), RangeOptions { revision, limit, ..RangeOptions::default() }) {
                        Err(MvccError::Compacted) if revision > 0 => continue,
                        found => found.unwrap(),
                    };
                    assert_eq!(found.count, i64::try_from(KEYS).unwrap());
                    let first = found.records[0].value();
                    assert!(found.records.iter().all(|record| record.value() == first));
                    assert_eq!(found.records.len(), if limit == 0 { KEYS } else { limit });
                }
            });
        }
        let mut last = None;
        for n in 1..120 {
            let revision = round(n);
            if n % 4 == 0 {
                last = Some(store.compact(revision - n % 3).unwrap());
            }
        }
        last.unwrap().wait().unwrap();
        done.store(true, Ordering::Relaxed);
    });
}
