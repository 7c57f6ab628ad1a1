use std::io::Cursor;
use std::ops::ControlFlow;

use super::super::tests::options;
use super::*;
use crate::Versions;
use crate::backend::schema::TERM;
use crate::backend::{Applied, Backend};
use crate::bbolt::Writer;

type Rows<'a> = &'a [(&'a str, &'a [(&'a [u8], &'a [u8])])];

fn file(buckets: Rows<'_>) -> Vec<u8> {
    let mut writer = Writer::new(Cursor::new(Vec::new())).unwrap();
    for (bucket, rows) in buckets {
        writer.bucket(bucket.as_bytes()).unwrap();
        rows.iter().for_each(|(key, value)| writer.put(key, value).unwrap());
    }
    writer.finish().unwrap().0.into_inner()
}

fn history_row(main: i64) -> (Vec<u8>, Vec<u8>) {
    let versions = Versions { create_revision: main, mod_revision: main, version: 1, lease: 0 };
    let record = Record::new(b"k", b"v", versions);
    (RowKey::new(main, 0).encode().to_vec(), record.encoded().to_vec())
}

fn imported(bytes: &[u8], wanted: &ImportOptions) -> Result<Backend, BackendError> {
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("db");
    let reader = Reader::open(bytes).unwrap();
    let done = import((Path::new("from"), &reader), &to, options(), wanted);
    let names = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.collect::<Vec<_>>(), if done.is_ok() { vec!["db"] } else { vec![] });
    done.and_then(|()| Backend::open(&to, options()))
}

#[test]
fn rows_are_taken_and_what_is_missing_is_empty() {
    let (key, value) = history_row(7);
    let bytes = file(&[
        ("cluster", &[(b"clusterVersion", b"3.8.0"), (b"other", b"1")]),
        ("key", &[(&key, &value)]),
        ("meta", &[(STORAGE_VERSION_KEY, b"3.8.0"), (TERM, &5_u64.to_be_bytes())]),
    ]);
    let changes = Changes::none().remove(Bucket::Cluster, "clusterVersion").put(Bucket::Members, "m", "1");
    let backend = imported(&bytes, &ImportOptions { changes, bump: None }).unwrap();
    let row = |bucket, key: &[u8]| backend.get(bucket, key).unwrap();
    assert_eq!(row(Bucket::Cluster, b"clusterVersion"), None);
    assert_eq!(row(Bucket::Cluster, b"other").as_deref(), Some(&b"1"[..]));
    assert_eq!(row(Bucket::Members, b"m").as_deref(), Some(&b"1"[..]));
    assert_eq!(row(Bucket::Meta, STORAGE_VERSION_KEY).as_deref(), Some(STORAGE_VERSION.as_bytes()));
    assert_eq!(backend.record(RowKey::new(7, 0)).unwrap().unwrap().encoded(), value);
    assert_eq!(backend.durable_applied(), Applied { index: 0, term: 5 });
}

#[test]
fn a_bump_is_the_last_row_and_everything_before_it_is_to_be_compacted() {
    let (key, value) = history_row(7);
    let bytes = file(&[("key", &[(&key, &value)]), ("meta", &[])]);
    let options = ImportOptions { bump: Some(1000), ..ImportOptions::default() };
    let backend = imported(&bytes, &options).unwrap();
    let mut rows = Vec::new();
    let all = (RowKey::new(0, 0), RowKey::tombstone(i64::MAX, u32::MAX));
    let mut each = |row, _: &[u8], value: &[u8]| {
        rows.push((row, value.len()));
        ControlFlow::Continue(())
    };
    backend.edition().history().scan(all.0, all.1, &mut each).unwrap();
    let bumped = RowKey::new(1007, 0);
    assert_eq!(rows, [(RowKey::new(7, 0), value.len()), (bumped, 0)]);
    let scheduled = backend.get(Bucket::Meta, SCHEDULED_COMPACT_REVISION).unwrap().unwrap();
    assert_eq!(scheduled[..], *bumped.encode());
    let beyond = ImportOptions { bump: Some(i64::MAX), ..ImportOptions::default() };
    let error = imported(&bytes, &beyond).unwrap_err().to_string();
    assert!(error.contains("no revision is"), "{error}");
}

#[test]
fn what_is_unknown_or_no_history_is_refused() {
    let (key, value) = history_row(7);
    let refused: [(Rows<'_>, &str); 4] = [
        (&[("unheard", &[])], "the bucket \"unheard\" is unknown"),
        (&[("key", &[(b"short", &value)])], "a row of history has the key"),
        (&[("key", &[(&key, b"\xff")])], "the row 7_0 is"),
        (&[("zzz", &[])], "unknown"),
    ];
    for (buckets, expected) in refused {
        let error = imported(&file(buckets), &ImportOptions::default()).unwrap_err().to_string();
        assert!(error.contains(expected) && error.starts_with("from: "), "{error}");
    }
}

#[test]
fn what_is_exported_comes_back() {
    let (key, value) = history_row(7);
    let backend = imported(&file(&[("key", &[(&key, &value)]), ("meta", &[])]), &ImportOptions::default()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("file");
    let changes = Changes::none().put(Bucket::Meta, STORAGE_VERSION_KEY, "3.6.0");
    backend.save(&to, &changes, &mut || true).unwrap();
    let bytes = std::fs::read(&to).unwrap();
    Reader::open(&bytes[..]).unwrap().check().unwrap();
    let again = imported(&bytes, &ImportOptions::default()).unwrap();
    assert_eq!(again.record(RowKey::new(7, 0)).unwrap().unwrap().encoded(), value);
}
