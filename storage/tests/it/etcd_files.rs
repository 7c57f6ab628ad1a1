//! Snapshots of etcd 3.5.1, 3.6.14 and 3.7.3, as `etcdctl snapshot save` wrote them, read by ours.
//!
//! Each has users and roles, leases, deletions, a compaction, a value larger than a page, and an alarm. Beside it are its rows
//! in hexadecimal as bbolt read them (`tests/clients/go/bbolt`, `dump`).
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::fmt::Write as _;
use std::fs::File;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use keyport_storage::bbolt::{ReadAt, ReadError, Reader, Writer};

/// What `snapshot save` adds: SHA-256 of what is before it.
const DIGEST_BYTES: u64 = 32;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// All rows, as the judge writes them.
fn text<R: ReadAt>(reader: &Reader<R>) -> Result<String, ReadError> {
    let (mut buckets, mut text) = (reader.buckets()?, String::new());
    while let Some(mut bucket) = buckets.next_bucket()? {
        let _ = writeln!(text, "{}", bucket.name().escape_ascii());
        while let Some(row) = bucket.next_row()? {
            let _ = writeln!(text, " {} {}", hex(row.key), hex(row.value));
        }
    }
    Ok(text)
}

/// The same rows in a file of our own.
fn copy<R: ReadAt>(reader: &Reader<R>) -> Vec<u8> {
    let mut writer = Writer::new(Cursor::new(Vec::new())).unwrap();
    let mut buckets = reader.buckets().unwrap();
    while let Some(mut bucket) = buckets.next_bucket().unwrap() {
        writer.bucket(bucket.name()).unwrap();
        while let Some(row) = bucket.next_row().unwrap() {
            writer.put(row.key, row.value).unwrap();
        }
    }
    writer.finish().unwrap().0.into_inner()
}

fn is_read(release: &str) {
    let rows = std::fs::read_to_string(data(&format!("etcd-{release}.txt"))).unwrap();
    let file = File::open(data(&format!("etcd-{release}.db"))).unwrap();
    let size = file.metadata().unwrap().len();
    let reader = Reader::open(file).unwrap();
    assert_eq!(reader.bytes() + DIGEST_BYTES, size);
    assert_eq!((reader.meta().page_bytes, reader.meta().free_list), (4096, None));
    reader.check().unwrap();
    assert_eq!(text(&reader).unwrap(), rows);
    let copied = copy(&reader);
    assert_eq!(text(&Reader::open(&copied[..]).unwrap()).unwrap(), rows);
}

#[test]
fn a_snapshot_of_etcd_3_5() {
    is_read("3.5.1");
}

#[test]
fn a_snapshot_of_etcd_3_6() {
    is_read("3.6.14");
}

#[test]
fn a_snapshot_of_etcd_3_7() {
    is_read("3.7.3");
}

#[test]
fn a_damaged_snapshot_loses_no_row_without_a_word() {
    let whole = std::fs::read(data("etcd-3.6.14.db")).unwrap();
    let lines = |bytes: &[u8]| Reader::open(bytes).and_then(|reader| text(&reader)).map(|text| text.lines().count());
    let expected = lines(&whole).unwrap();
    let mut refused = 0;
    for at in (0..whole.len()).step_by(5) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x41;
        match lines(&damaged) {
            Ok(count) => assert_eq!(count, expected, "byte {at}"),
            Err(ReadError::Damaged(_)) => refused += 1,
            Err(error) => panic!("byte {at}: {error}"),
        }
    }
    assert!(refused > 100, "{refused}");
    let database = usize::try_from(Reader::open(&whole[..]).unwrap().bytes()).unwrap();
    for length in (0..database).step_by(512) {
        assert!(Reader::open(&whole[..length]).is_err(), "{length} bytes");
    }
}
