//! Hashes of history, against what etcd 3.7.3 answered.

use super::*;
use crate::backend::{Bucket, EachRow, Edition, RowKey};

/// What a file that nobody has open tells, with history.
struct AllRows(Edition);

impl Rows for AllRows {
    fn path(&self) -> &Path {
        self.0.path()
    }

    fn row(&self, bucket: Bucket, key: &[u8]) -> Result<Option<Bytes>, BackendError> {
        self.0.row(bucket, key)
    }

    fn each_row(&self, _: Bucket, each: &mut EachRow<'_>) -> Result<(), BackendError> {
        let (first, end) = (RowKey::new(0, 0), RowKey::tombstone(i64::MAX, u32::MAX));
        self.0.history().scan(first, end, &mut |_, key, value| each(key, value))
    }
}

fn all_rows(store: &Store) -> AllRows {
    AllRows(store.inner.backend.edition())
}

/// Hash, compacted revision. Unless a compaction remembers it, its rows alone say the same.
fn hash(store: &Store, revision: i64) -> (u32, i64) {
    let found = store.hash_kv(revision).unwrap();
    if store.compaction_hashes().iter().all(|remembered| remembered.hash_revision != revision) {
        assert_eq!(Store::hash_of(&all_rows(store), revision).unwrap(), found);
    }
    assert_eq!(found.hash_revision, if revision == 0 { store.revision() } else { revision });
    (found.hash, found.compact_revision)
}

fn compact(store: &Store, revision: i64) {
    store.compact(revision).unwrap().wait().unwrap();
}

fn cached(store: &Store) -> Vec<(i64, u32, i64)> {
    store.compaction_hashes().iter().map(|hash| (hash.hash_revision, hash.hash, hash.compact_revision)).collect()
}

#[test]
fn compactions_are_remembered_by_their_hash() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("db"));
    for n in 1..=8 {
        put(&store, &format!("k{}", n % 3), &format!("v{n}"));
    }
    assert_eq!(delete(&store, "k1"), 10);
    let answers = [(0, 1_943_332_239), (3, 1_282_520_646), (5, 3_427_579_149), (6, 770_320_016)];
    answers.into_iter().for_each(|(revision, expected)| assert_eq!(hash(&store, revision), (expected, -1)));
    assert!(cached(&store).is_empty());

    compact(&store, 5);
    let answers = [(0, 3_902_582_795, 5), (5, 3_427_579_149, -1), (6, 458_596_516, 5), (9, 2_171_145_101, 5)];
    answers.into_iter().for_each(|(revision, expected, of)| assert_eq!(hash(&store, revision), (expected, of)));
    assert!(matches!(store.hash_kv(4), Err(MvccError::Compacted)));
    for (revision, expected) in [(4, "compacted"), (11, "future")] {
        let error = Store::hash_of(&all_rows(&store), revision).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    compact(&store, 7);
    let answers = [
        (0, 4_185_598_896, 7),
        (5, 3_427_579_149, -1),
        (7, 1_272_422_686, 5),
        (8, 2_514_809_530, 7),
        (9, 264_099_670, 7),
    ];
    answers.into_iter().for_each(|(revision, expected, of)| assert_eq!(hash(&store, revision), (expected, of)));
    assert!(matches!(store.hash_kv(6), Err(MvccError::Compacted)));
    assert_eq!(cached(&store), [(5, 3_427_579_149, -1), (7, 1_272_422_686, 5)]);
    assert_eq!(store.hash_kv(5).unwrap().current_revision, 10);
}

#[test]
fn nothing_alive_is_etcds_special_case() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("db"));
    put(&store, "a", "1");
    delete(&store, "a");
    let answers = [(1, 1_084_519_789), (2, 2_587_454_935), (3, 3_520_211_144)];
    answers.into_iter().for_each(|(revision, expected)| assert_eq!(hash(&store, revision), (expected, -1)));
    compact(&store, 3);
    assert_eq!(store.hash_kv(3).unwrap().hash, 3_520_211_144);
    put(&store, "b", "2");
    put(&store, "a", "3");
    delete(&store, "b");
    assert_eq!((hash(&store, 5), hash(&store, 6)), ((3_559_963_772, 3), (299_579_944, 3)));
    compact(&store, 5);
    assert_eq!(hash(&store, 6), (3_647_221_399, 5));
    compact(&store, 6);
    delete(&store, "a");
    // The one place where it is not what HashKV said just before.
    assert_eq!(hash(&store, 7), (2_654_177_317, 6));
    compact(&store, 7);
    let expected = [(3, 3_520_211_144, -1), (5, 3_559_963_772, 3), (6, 3_647_221_399, 5), (7, 2_392_691_270, 6)];
    assert_eq!(cached(&store), expected);
}

#[test]
fn the_ten_newest_are_kept_and_agree_with_what_was_said_before() {
    let dir = tempfile::tempdir().unwrap();
    let stores = [open(&dir.path().join("1")), open(&dir.path().join("2"))];
    let mut expected = Vec::new();
    for round in 0..14_i64 {
        for store in &stores {
            for n in 0..20 {
                put(store, &format!("k{}", (n * 7 + round) % 11), &format!("{n}"));
            }
            delete(store, &format!("k{}", round % 11));
        }
        let revision = stores[0].revision() - round;
        let (before, of) = hash(&stores[0], revision);
        expected.push((revision, before, of));
        stores.iter().for_each(|store| compact(store, revision));
    }
    for store in &stores {
        assert_eq!(cached(store), expected[4..]);
        for (revision, before, of) in &expected[4..] {
            assert_eq!(hash(store, *revision), (*before, *of));
        }
        assert!(matches!(store.hash_kv(expected[3].0), Err(MvccError::Compacted)));
    }
}

#[test]
fn observers_are_told_what_compactions_do() {
    let dir = tempfile::tempdir().unwrap();
    let steps = Arc::new(Mutex::new(Vec::new()));
    let observer = {
        let steps = Arc::clone(&steps);
        CompactionObserver(Arc::new(move |step| steps.lock().push(step)))
    };
    let backend = Backend::open(&dir.path().join("db"), BackendOptions::default()).unwrap();
    let options = StoreOptions { compaction_batch_limit: 10, on_compaction: Some(observer), ..options() };
    let store = Store::open(Arc::new(backend), options).unwrap();
    for n in 0..35 {
        put(&store, "k", &format!("{n}"));
    }
    compact(&store, 31);
    let steps = steps.lock();
    let removed: Vec<usize> = steps
        .iter()
        .filter_map(|step| if let CompactionStep::Rows { removed, .. } = step { Some(*removed) } else { None })
        .collect();
    assert_eq!(removed, [10, 10, 9]);
    assert!(matches!(steps.first(), Some(CompactionStep::Index { .. })));
    assert!(matches!(steps.last(), Some(CompactionStep::Finished { .. })));
}

/// What ends at the revision of a compaction stays, and is something that stays; who asks for the hash before finds nothing of it alive.
#[test]
fn a_compaction_at_an_end_hashes_less_than_who_asks_before() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("db"));
    put(&store, "a", "");
    compact(&store, 2);
    delete(&store, "a");
    assert_eq!(hash(&store, 3), (1_543_496_079, 2));
    compact(&store, 3);
    assert_eq!(hash(&store, 3), (3_681_333_679, 2));
}
