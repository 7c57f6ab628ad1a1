//! bbolt files that the storage writes, judged by etcd's own database.

use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use keyport_storage::bbolt::{Reader, Writer};
use keyport_tests::target::folder;

type Rows = Vec<(Vec<u8>, Vec<u8>)>;
type Contents = Vec<(String, Rows)>;

/// None without Go.
fn judge() -> Option<PathBuf> {
    let program = folder("new-etcd").join("bbolt");
    if !program.is_file() {
        eprintln!("skipped: there is no Go, or `make tools` was not run");
        return None;
    }
    Some(program)
}

/// What the judge says of a file.
#[track_caller]
fn ask(judge: &Path, command: &str, file: &Path, more: &[&str]) -> String {
    let out = Command::new(judge).arg(command).arg(file).args(more).output().unwrap();
    assert!(out.status.success(), "{command}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

fn write(path: &Path, contents: &Contents) {
    let mut writer = Writer::new(File::create(path).unwrap()).unwrap();
    for (name, rows) in contents {
        writer.bucket(name.as_bytes()).unwrap();
        rows.iter().for_each(|(key, value)| writer.put(key, value).unwrap());
    }
    writer.finish().unwrap();
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The rows as the judge writes them.
fn text(contents: &Contents) -> String {
    let bucket = |(name, rows): &(String, Rows)| {
        let rows: String = rows.iter().map(|(key, value)| format!(" {} {}\n", hex(key), hex(value))).collect();
        format!("{name}\n{rows}")
    };
    contents.iter().map(bucket).collect()
}

/// Rows with keys and values of these sizes, in a bucket among others.
fn contents(count: usize, key_bytes: usize, value_bytes: usize) -> Contents {
    let row = |n: usize| {
        let mut key = (n as u64).to_be_bytes().to_vec();
        key.resize(key_bytes, b'_');
        (key, vec![(n % 251) as u8; value_bytes])
    };
    let rows = (0..count).map(row).collect();
    vec![("alarm".into(), Vec::new()), ("key".into(), rows), ("meta".into(), vec![(b"term".to_vec(), vec![0; 8])])]
}

#[test]
fn etcds_database_reads_what_is_written() {
    let Some(judge) = judge() else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("db");
    let many = (0..700).map(|n| (format!("bucket {n:04}"), contents(n % 9, 18, 100).remove(1).1)).collect();
    let mut all = vec![Vec::new(), many, contents(3, 18, 3 << 19), contents(40, 1 << 15, 10), contents(40_000, 18, 40)];
    // A page to its last byte and one more; a leaf for each row, of which 120 are a branch.
    all.extend([contents(4, 18, 986), contents(4, 18, 987)]);
    all.extend([0, 1, 2, 3, 119, 120, 121, 122, 240, 15_000].map(|leaves| contents(leaves, 18, 4000)));
    for contents in all {
        write(&file, &contents);
        ask(&judge, "check", &file, &[]);
        let written = ask(&judge, "dump", &file, &[]) == text(&contents);
        assert!(written, "other rows of {}", contents.len());
    }
}

#[test]
fn etcds_database_deletes_from_what_is_written() {
    let Some(judge) = judge() else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("db");
    // Two rows a leaf: bbolt looks for a neighbour of what is left when one of them is gone. 120 leaves are a branch, and
    // three where keys are long.
    let two = [1, 2, 3, 119, 120, 121, 122, 239, 240, 241, 3000].map(|leaves| contents(leaves * 2, 18, 1980));
    let long = [1, 2, 3, 4, 5, 6, 7, 9, 10, 28, 29].map(|leaves| contents(leaves * 2, 1300, 600));
    let longest = [4, 5, 6, 33].map(|leaves| contents(leaves, 1 << 15, 10));
    let all = two.into_iter().chain(long).chain(longest).chain([contents(20_000, 18, 100)]);
    for (seed, contents) in all.enumerate() {
        write(&file, &contents);
        ask(&judge, "shrink", &file, &[&seed.to_string()]);
        // What it leaves behind is read, too.
        Reader::open(File::open(&file).unwrap()).unwrap().check().unwrap();
        let left = ask(&judge, "dump", &file, &[]);
        assert_eq!(left.lines().collect::<Vec<_>>(), ["alarm", "key", "meta"]);
    }
}
