use std::path::Path;

use redb::{Database, ReadableDatabase};

use super::*;
use crate::backend::tests::options;
use crate::backend::{Backend, BackendError, Batch, ClosedFile, RowKey, Rows as _};
use crate::{Record, Versions};

fn record(main: i64, value_bytes: usize) -> Record {
    let versions = Versions { create_revision: main, mod_revision: main, version: 1, lease: 7 };
    Record::new(format!("key{main}").as_bytes(), &vec![b'v'; value_bytes], versions)
}

fn put(backend: &Backend, main: i64, value_bytes: usize) {
    let mut batch = Batch::new();
    batch.put_record(RowKey::new(main, 0), record(main, value_bytes));
    backend.commit(batch, None);
    backend.flush().unwrap();
}

/// What stands in the two tables: keys, and how long their rows are.
fn halves(path: &Path) -> [Vec<(RowKey, usize)>; 2] {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_read().unwrap();
    [definition(Bucket::Key), LARGE_ROWS].map(|half| match transaction.open_table(half) {
        Ok(rows) => rows
            .range::<&[u8]>(..)
            .unwrap()
            .map(|row| row.unwrap())
            .map(|(key, value)| (RowKey::decode(key.value()).unwrap(), value.value().len()))
            .collect(),
        Err(_) => Vec::new(),
    })
}

fn read_all(file: &ClosedFile) -> Result<Vec<usize>, BackendError> {
    let mut lengths = Vec::new();
    file.each_row(Bucket::Key, &mut |_, value| {
        lengths.push(Record::decode(value).unwrap().value().len());
        std::ops::ControlFlow::Continue(())
    })?;
    Ok(lengths)
}

#[test]
fn large_values_are_apart_and_go_with_their_outlines() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let backend = Backend::open(&path, options()).unwrap();
    let sizes = [0, LARGE - 1, LARGE, 5 * LARGE, 10];
    (1..).zip(sizes).for_each(|(main, size)| put(&backend, main, size));
    for (main, size) in (1..).zip(sizes) {
        assert_eq!(backend.record(RowKey::new(main, 0)).unwrap().unwrap(), record(main, size));
    }
    let mut batch = Batch::new();
    batch.delete_record(RowKey::new(3, 0));
    backend.commit(batch, None);
    backend.flush().unwrap();
    assert_eq!(backend.record(RowKey::new(3, 0)).unwrap(), None);
    drop(backend);
    let [rows, large] = halves(&path);
    assert_eq!(rows.iter().map(|(row, _)| row.main).collect::<Vec<_>>(), [1, 2, 4, 5]);
    assert!(rows.iter().all(|(_, len)| *len < LARGE + 30), "{rows:?}");
    assert_eq!(large, [(RowKey::new(4, 0), record(4, 5 * LARGE).encoded().len())]);
    assert_eq!(read_all(&ClosedFile::inspect(&path).unwrap()).unwrap(), [0, LARGE - 1, 5 * LARGE, 10]);
}

/// What the first release wrote, where every row is whole.
fn of_version_1(path: &Path, mains: std::ops::RangeInclusive<i64>) {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.delete_table(LARGE_ROWS).unwrap();
    {
        let mut rows = transaction.open_table(definition(Bucket::Key)).unwrap();
        for main in mains {
            rows.insert(&*RowKey::new(main, 0).encode(), record(main, 2 * LARGE).encoded()).unwrap();
        }
        let mut own = transaction.open_table(TableDefinition::<&str, u64>::new("keyport")).unwrap();
        own.insert("schemaVersion", 1).unwrap();
    }
    transaction.commit().unwrap();
}

#[test]
fn a_file_of_version_1_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    drop(Backend::open(&path, options()).unwrap());
    of_version_1(&path, 1..=3);
    assert_eq!(read_all(&ClosedFile::inspect(&path).unwrap()).unwrap(), [2 * LARGE; 3]);
    let backend = Backend::open(&path, options()).unwrap();
    put(&backend, 4, 2 * LARGE);
    let mut batch = Batch::new();
    batch.delete_record(RowKey::new(2, 0));
    backend.commit(batch, None);
    backend.flush().unwrap();
    for (main, is_there) in [(1, true), (2, false), (3, true), (4, true)] {
        let found = backend.record(RowKey::new(main, 0)).unwrap();
        assert_eq!(found, is_there.then(|| record(main, 2 * LARGE)));
    }
    drop(backend);
    let [rows, large] = halves(&path);
    assert_eq!((rows.len(), large.len()), (3, 1));
}

#[test]
fn half_a_row_is_damage() {
    for half in [definition(Bucket::Key), LARGE_ROWS] {
        for main in [1, 2, 3] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("db");
            let backend = Backend::open(&path, options()).unwrap();
            (1..=3).for_each(|main| put(&backend, main, LARGE));
            drop(backend);
            let database = Database::open(&path).unwrap();
            let transaction = database.begin_write().unwrap();
            transaction.open_table(half).unwrap().remove(&*RowKey::new(main, 0).encode()).unwrap();
            transaction.commit().unwrap();
            drop(database);
            let error = read_all(&ClosedFile::inspect(&path).unwrap()).unwrap_err().to_string();
            assert!(error.contains("only one half"), "{error}");
        }
    }
}
