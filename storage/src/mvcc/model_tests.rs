//! Random histories against a model that keeps every row in a list and looks through all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::backend::{BackendOptions, ImageWriter, RowKey};
use crate::{EventKind, KeyRange, Outline, Record, Versions};

#[derive(Clone, Debug)]
enum Change {
    Put(Vec<u8>, Vec<u8>, i64),
    Delete(KeyRange),
    /// Reads inside the transaction.
    Look(KeyRange, usize),
}

#[derive(Clone, Debug)]
enum Step {
    Txn(Vec<Change>),
    Abandon(Vec<Change>),
    Range { range: KeyRange, at: Index, limit: usize, count_only: bool, valueless: bool },
    Events { from: Index, max_revisions: usize },
    Compact(Index),
    Hash(Index),
    Flush,
    Defragment,
    Replace,
    Reopen,
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    let part = proptest::sample::select(vec![&b"a"[..], b"b", b"\0", b"\xff", b"/registry/pods/default/"]);
    vec(part, 1..4).prop_map(|parts| parts.concat())
}

fn range() -> impl Strategy<Value = KeyRange> {
    (key(), prop_oneof![3 => Just(vec![]), 3 => key(), 1 => Just(vec![0])])
        .prop_map(|(start, end)| KeyRange::new(start.into(), end.into()))
}

fn change() -> impl Strategy<Value = Change> {
    let value = prop_oneof![3 => vec(any::<u8>(), 0..5), 1 => vec(any::<u8>(), 126..140)];
    prop_oneof![
        6 => (key(), value, prop_oneof![Just(0), Just(7), Just(-1)]).prop_map(|(k, v, l)| Change::Put(k, v, l)),
        2 => range().prop_map(Change::Delete),
        1 => (range(), 0..3usize).prop_map(|(range, limit)| Change::Look(range, limit)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => vec(change(), 0..4).prop_map(Step::Txn),
        1 => vec(change(), 1..3).prop_map(Step::Abandon),
        6 => (range(), any::<Index>(), 0..4usize, any::<bool>(), any::<bool>()).prop_map(
            |(range, at, limit, count_only, valueless)| Step::Range { range, at, limit, count_only, valueless }
        ),
        2 => (any::<Index>(), 1..5usize).prop_map(|(from, max_revisions)| Step::Events { from, max_revisions }),
        1 => any::<Index>().prop_map(Step::Compact),
        2 => any::<Index>().prop_map(Step::Hash),
        1 => Just(Step::Flush),
        1 => Just(Step::Defragment),
        1 => Just(Step::Replace),
        1 => Just(Step::Reopen),
    ]
}

type Row = (RowKey, Vec<u8>, Option<Record>);

/// Revision, kind, key, what was put, what was there before.
type Told = (i64, EventKind, Vec<u8>, Option<Record>, Option<Record>);

/// Every row that is not compacted away; no record with a tombstone.
struct Model {
    rows: Vec<Row>,
    revision: i64,
    compacted: i64,
    hashes: Vec<HashKv>,
}

impl Model {
    fn state(&self, revision: i64) -> BTreeMap<Vec<u8>, Record> {
        let mut state = BTreeMap::new();
        for (row, key, record) in self.rows.iter().filter(|(row, ..)| row.main <= revision) {
            assert_eq!(record.is_none(), row.tombstone);
            match record {
                Some(record) => drop(state.insert(key.clone(), record.clone())),
                None => drop(state.remove(key)),
            }
        }
        state
    }

    /// The rows that a compaction at `revision` would keep for being the newest.
    fn keep(&self, revision: i64) -> BTreeSet<RowKey> {
        let mut newest = BTreeMap::new();
        for (row, key, _) in self.rows.iter().filter(|(row, ..)| row.main <= revision) {
            newest.insert(key, *row);
        }
        newest.into_values().filter(|row| !row.tombstone).collect()
    }

    fn hash(&self, compacted: i64, revision: i64, keep: &BTreeSet<RowKey>) -> u32 {
        let mut hashed = b"key".to_vec();
        for (row, key, record) in &self.rows {
            let dropped = row.main <= compacted && !keep.is_empty() && !keep.contains(row);
            if row.main > revision || dropped || (row.tombstone && row.main == compacted) {
                continue;
            }
            hashed.extend_from_slice(&row.encode());
            hashed.extend_from_slice(record.as_ref().unwrap_or(&Record::tombstone(key)).encoded());
        }
        crc32c::crc32c(&hashed)
    }

    fn compact(&mut self, revision: i64) {
        let keep = self.keep(revision);
        let ends = self.rows.iter().map(|(row, ..)| *row).filter(|row| row.tombstone && row.main == revision);
        // Unlike who asks for a hash, a compaction counts what ends at its revision among the rows that stay.
        let hash = self.hash(self.compacted, revision, &keep.iter().copied().chain(ends).collect());
        let (compact_revision, current_revision) = (self.compacted, self.revision);
        self.hashes.push(HashKv { hash, compact_revision, hash_revision: revision, current_revision });
        if self.hashes.len() > 10 {
            self.hashes.remove(0);
        }
        let stays = |row: &RowKey| row.main > revision || keep.contains(row) || (row.tombstone && row.main == revision);
        self.rows.retain(|(row, ..)| stays(row));
        self.compacted = revision;
    }

    fn apply(&self, changes: &[Change], txn: &mut WriteTxn<'_>) -> Vec<Row> {
        let mut state = self.state(self.revision);
        let main = self.revision + 1;
        let mut rows: Vec<Row> = Vec::new();
        let sub = |rows: &[Row]| u32::try_from(rows.len()).unwrap();
        for change in changes {
            match change {
                Change::Put(key, value, lease) => {
                    let before = state.get(key).cloned();
                    let (written, previous) = txn.put(key, value, *lease);
                    assert_eq!(previous.map(outline), before.as_ref().map(Record::outline));
                    let versions = match before.map(|record| record.versions()) {
                        Some(old) => Versions { mod_revision: main, version: old.version + 1, lease: *lease, ..old },
                        None => Versions { create_revision: main, mod_revision: main, version: 1, lease: *lease },
                    };
                    let record = Record::new(key, value, versions);
                    assert_eq!(written, record);
                    state.insert(key.clone(), record.clone());
                    rows.push((RowKey::new(main, sub(&rows)), key.clone(), Some(record)));
                }
                Change::Delete(range) => {
                    let gone: Vec<Record> = inside(&state, range);
                    let removed: Vec<_> = txn.delete_range(range).unwrap().into_iter().map(outline).collect();
                    assert_eq!(removed, gone.iter().map(Record::outline).collect::<Vec<_>>());
                    for record in gone {
                        state.remove(record.key());
                        rows.push((RowKey::tombstone(main, sub(&rows)), record.key().to_vec(), None));
                    }
                }
                Change::Look(range, limit) => {
                    let found = txn.range(range, RangeOptions { limit: *limit, ..Default::default() }).unwrap();
                    check_range(&found, &inside(&state, range), *limit, false);
                    assert_eq!(found.revision, txn.revision());
                    assert_eq!(txn.get(&range.start).unwrap(), state.get(&range.start[..]).cloned());
                }
            }
        }
        assert_eq!(txn.revision(), self.revision + i64::from(!rows.is_empty()));
        rows
    }

    fn events(&self, from: i64) -> Vec<Told> {
        let rows = self.rows.iter().filter(|(row, ..)| row.main >= from);
        let event = |(row, key, record): &Row| {
            let before = row.main - 1;
            let created = !row.tombstone && record.as_ref().is_some_and(Record::is_creation);
            let prev_kv = if before < self.compacted || created { None } else { self.state(before).remove(key) };
            let kind = if row.tombstone { EventKind::Delete } else { EventKind::Put };
            (row.main, kind, key.clone(), record.clone(), prev_kv)
        };
        rows.map(event).collect()
    }
}

fn inside(state: &BTreeMap<Vec<u8>, Record>, range: &KeyRange) -> Vec<Record> {
    state.iter().filter(|(key, _)| range.contains(key)).map(|(_, record)| record.clone()).collect()
}

/// Whatever more there was in memory.
fn outline(Outline(record): Outline) -> Record {
    if record.value().is_empty() { record } else { record.outline() }
}

fn check_range(found: &RangeResult, expected: &[Record], limit: usize, count_only: bool) {
    assert_eq!(found.count, expected.len() as i64);
    let returned = match (count_only, limit) {
        (true, _) => 0,
        (_, 0) => expected.len(),
        (_, limit) => limit.min(expected.len()),
    };
    assert_eq!(found.records, expected[..returned]);
}

fn open(path: &Path, value_bytes: usize) -> Store {
    let options = BackendOptions { unsafe_no_fsync: true, batch_limit: 20, ..BackendOptions::default() };
    let backend = Backend::open(path, options).unwrap();
    let options = StoreOptions {
        compaction_batch_limit: 3,
        compaction_pause: Duration::ZERO,
        value_bytes,
        ..StoreOptions::default()
    };
    Store::open(Arc::new(backend), options).unwrap()
}

fn check(model: &mut Model, store: &Store, step: Step) {
    let revision = |at: Index| at.index(usize::try_from(model.revision).unwrap() + 2) as i64;
    match step {
        Step::Txn(changes) => {
            let mut txn = store.write();
            let rows = model.apply(&changes, &mut txn);
            let done = txn.commit(None);
            model.revision += i64::from(!rows.is_empty());
            assert_eq!(done.revision, model.revision);
            model.rows.extend(rows);
            let mut events = done.events;
            for (at, row) in done.stored_before {
                assert_eq!(events[at].prev_kv, None);
                events[at].prev_kv = History::record(store, row).unwrap();
            }
            let told: Vec<_> = events
                .into_iter()
                .map(|event| {
                    let record = (event.kind == EventKind::Put).then(|| event.kv.clone());
                    (event.kv.mod_revision(), event.kind, event.kv.key().to_vec(), record, event.prev_kv)
                })
                .collect();
            if !told.is_empty() {
                assert_eq!(told, model.events(model.revision));
            }
        }
        Step::Abandon(changes) => drop(model.apply(&changes, &mut store.write())),
        Step::Range { range, at, limit, count_only, valueless } => {
            let revision = revision(at);
            let options = RangeOptions { revision, limit, count_only, valueless, uncounted: false };
            let found = store.range(&range, options);
            let at = if revision <= 0 { model.revision } else { revision };
            match found {
                Err(MvccError::FutureRevision) => assert!(at > model.revision),
                Err(MvccError::Compacted) => assert!(at < model.compacted),
                Err(error) => panic!("{error}"),
                Ok(mut found) => {
                    assert!(at <= model.revision && at >= model.compacted);
                    assert_eq!(found.revision, model.revision);
                    let mut expected = inside(&model.state(at), &range);
                    if valueless {
                        found.records.iter_mut().for_each(|record| *record = outline(Outline(record.clone())));
                        expected.iter_mut().for_each(|record| *record = record.outline());
                    }
                    check_range(&found, &expected, limit, count_only);
                }
            }
        }
        Step::Events { from, max_revisions } => {
            let from = revision(from).max(1);
            let read = HistoryRead { from, max_revisions, max_bytes: usize::MAX, prev_kv: true };
            match History::events(store, read) {
                Err(HistoryError::Compacted) => assert!(from < model.compacted),
                Err(error) => panic!("{error}"),
                Ok(page) => {
                    assert!(from >= model.compacted && page.revisions.len() <= max_revisions);
                    let mut expected = model.events(from);
                    assert!(page.through >= from - 1 && page.through <= model.revision.max(from - 1));
                    assert!(
                        page.through >= model.revision
                            || page.revisions.len() == max_revisions
                            || from > model.revision
                    );
                    expected.retain(|(main, ..)| *main <= page.through);
                    let told = page.revisions.into_iter().flat_map(|revision| {
                        revision.events.into_iter().map(move |event| {
                            assert_eq!(event.kv.mod_revision(), revision.revision);
                            let record = (event.kind == EventKind::Put).then(|| event.kv.clone());
                            (revision.revision, event.kind, event.kv.key().to_vec(), record, event.prev_kv)
                        })
                    });
                    assert_eq!(told.collect::<Vec<_>>(), expected);
                }
            }
        }
        Step::Compact(at) => {
            let revision = revision(at);
            match store.compact(revision) {
                Err(MvccError::FutureRevision) => assert!(revision > model.revision),
                Err(MvccError::Compacted) => assert!(revision <= model.compacted),
                Err(error) => panic!("{error}"),
                Ok(compaction) => {
                    assert!(revision > model.compacted && revision <= model.revision);
                    compaction.wait().unwrap();
                    model.compact(revision);
                }
            }
        }
        Step::Hash(at) => {
            let revision = revision(at);
            let at = if revision == 0 { model.revision } else { revision };
            let cached = model.hashes.iter().find(|hash| hash.hash_revision == revision);
            match store.hash_kv(revision) {
                Err(MvccError::FutureRevision) => assert!(at > model.revision),
                Err(MvccError::Compacted) => assert!(at < model.compacted && cached.is_none()),
                Err(error) => panic!("{error}"),
                Ok(found) => {
                    let here = HashKv {
                        hash: model.hash(model.compacted, at, &model.keep(at)),
                        compact_revision: model.compacted,
                        hash_revision: at,
                        current_revision: model.revision,
                    };
                    let expected = cached.map_or(here, |cached| HashKv { current_revision: model.revision, ..*cached });
                    assert_eq!(found, expected);
                }
            }
        }
        Step::Flush => drop(store.inner.backend.flush().unwrap()),
        Step::Defragment => store.inner.backend.defragment().unwrap(),
        // Another member's database, which is equal.
        Step::Replace => {
            let backend = &store.inner.backend;
            let file = backend.path().with_extension("snap.db");
            let options = BackendOptions { unsafe_no_fsync: true, ..BackendOptions::default() };
            let mut writer = ImageWriter::create(&file, options).unwrap();
            let mut image = backend.image().unwrap();
            while let Some(chunk) = image.next_chunk().unwrap() {
                writer.write(&chunk).unwrap();
            }
            writer.finish().unwrap();
            backend.install(&file).unwrap();
            store.reload().unwrap();
        }
        Step::Reopen => unreachable!(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_store_does_what_the_model_does(
        steps in vec(step(), 1..60),
        value_bytes in proptest::sample::select(vec![usize::MAX, 400, 0]),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        let mut model = Model { rows: Vec::new(), revision: 1, compacted: -1, hashes: Vec::new() };
        let mut store = open(&path, value_bytes);
        for step in steps {
            if let Step::Reopen = step {
                drop(store);
                store = open(&path, value_bytes);
                model.hashes.clear();
                prop_assert_eq!(store.compacted(), model.compacted);
            } else {
                check(&mut model, &store, step);
            }
            prop_assert_eq!(store.revision(), model.revision);
            prop_assert_eq!(store.key_count(), model.state(model.revision).len());
            prop_assert!(store.value_bytes() <= value_bytes);
        }
        drop(store);
        let store = open(&path, value_bytes);
        let edition = store.inner.backend.edition();
        let file = edition.history();
        let mut rows = Vec::new();
        file.scan(RowKey::new(0, 0), RowKey::new(i64::MAX, 0), &mut |row, _, value| {
            rows.push((row, Record::decode(value).unwrap()));
            std::ops::ControlFlow::Continue(())
        }).unwrap();
        let expected = |(row, key, record): Row| (row, record.unwrap_or(Record::tombstone(&key)));
        prop_assert_eq!(rows, model.rows.into_iter().map(expected).collect::<Vec<_>>());
        let mut attached = BTreeMap::new();
        store.keys_attached(&mut |lease, key| attached.extend([(key.to_vec(), lease)]));
        let leased = |record: &Record| (record.lease() != 0).then(|| (record.key().to_vec(), record.lease()));
        let now = store.range(&KeyRange::new(Bytes::from_static(&[0]), Bytes::from_static(&[0])), RangeOptions::default());
        prop_assert_eq!(attached, now.unwrap().records.iter().filter_map(leased).collect::<BTreeMap<_, _>>());
    }
}
