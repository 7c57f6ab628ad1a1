//! Data directories that are torn, damaged, taken, full or not ours: a start that says why, and overwrites nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use keyport_storage::backend::{Applied, Backend, BackendOptions, Batch};
use keyport_tests::Server;
use keyport_tests::grpc::put;
use keyport_tests::random::Random;
use keyport_tests::tiny::Tiny;
use keyport_tests::wait::within;

/// A killed server with `count` keys in its log.
async fn killed(count: usize) -> Server {
    let mut server = Server::builder().args(["--backend-batch-interval=1h"]).start();
    let mut c = server.grpc().await;
    for i in 0..count {
        c.put(&format!("k{i}"), &"v".repeat(if i + 1 == count { 3500 } else { i % 300 })).await;
    }
    server.kill();
    server
}

fn newest_segment(data: &Path) -> PathBuf {
    let mut segments: Vec<PathBuf> = fs::read_dir(data.join("member/wal"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "wal"))
        .collect();
    segments.sort();
    segments.pop().expect("a segment")
}

/// Where the records of a preallocated segment end.
fn end_of_records(segment: &Path) -> u64 {
    let bytes = fs::read(segment).unwrap();
    let used = bytes.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1) as u64;
    used.next_multiple_of(8)
}

fn write_at(path: &Path, at: u64, bytes: &[u8]) {
    let mut file = fs::File::options().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(bytes).unwrap();
}

/// All files and their bytes.
fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut todo = vec![dir.to_path_buf()];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else {
                all.insert(path.clone(), fs::read(&path).unwrap());
            }
        }
    }
    all
}

/// It must refuse to start with exit code 1 and a line that holds `word`; the log is left as it was (opening
/// the backend notes in it that it was opened).
fn refuses(server: &mut Server, words: &[&str]) {
    let before = contents(server.data_dir());
    let (status, log) = server.restart_refused();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(!log.contains("panicked"), "{log}");
    let reason = log.lines().last().unwrap_or_default();
    assert!(words.iter().any(|w| log.to_lowercase().contains(w)), "{words:?} in {reason}");
    let after = contents(server.data_dir());
    for (path, bytes) in before.iter().filter(|(path, _)| !path.ends_with("snap/db")) {
        assert!(after.get(path) == Some(bytes), "{} was changed", path.display());
    }
}

/// A record that was being written when the power went: the file ends in the middle of it, or whole sectors of it were
/// never written. What comes before it is there, and nothing is mixed.
#[tokio::test]
async fn a_torn_tail() {
    let original = killed(50).await;
    if original.is_etcd() {
        return; // its own tests look after it
    }
    let mut random = Random::new(12);
    for round in 0..10 {
        let copy = tempfile::tempdir().unwrap();
        let data = copy.path().join("data");
        assert!(Command::new("cp").arg("-r").arg(original.data_dir()).arg(&data).status().unwrap().success());
        let segment = newest_segment(&data);
        let end = end_of_records(&segment);
        let cut = end - 1 - random.below(3500) as u64;
        if round % 2 == 0 {
            fs::File::options().write(true).open(&segment).unwrap().set_len(cut).unwrap();
        } else {
            let cut = cut.next_multiple_of(512);
            write_at(&segment, cut, &vec![0; end.saturating_sub(cut) as usize]);
        }
        let server = original.again_on(&data);
        let mut c = server.grpc().await;
        let revision = c.revision().await;
        assert!((49..=51).contains(&revision), "{revision}");
        for i in 0..revision - 1 {
            assert_eq!(c.get(&format!("k{i}")).await.unwrap().mod_revision, i + 2);
        }
        assert_eq!(c.put("new", "x").await, revision + 1);
    }
}

/// A damaged byte before the end is no torn tail: nothing is skipped.
#[tokio::test]
async fn a_damaged_log() {
    let mut server = killed(100).await;
    if server.is_etcd() {
        return;
    }
    let segment = newest_segment(server.data_dir());
    // In a value; what fills up records to whole words is covered by no checksum.
    let bytes = fs::read(&segment).unwrap();
    let middle = end_of_records(&segment) as usize / 2;
    let at = middle + bytes[middle..].windows(4).position(|bytes| bytes == b"vvvv").unwrap();
    write_at(&segment, at as u64, b"w");
    refuses(&mut server, &["crc", "corrupt", "damaged"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_backend() {
    let mut server = Server::start();
    if server.is_etcd() {
        return;
    }
    server.grpc().await.put("k", "v").await;
    server.stop();
    let db = server.data_dir().join("member/snap/db");
    write_at(&db, 0, b"this is no database of ours, is it?");
    refuses(&mut server, &["db", "corrupt", "database"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_gone() {
    let mut server = Server::start();
    if server.is_etcd() {
        return;
    }
    server.grpc().await.put("k", "v").await;
    server.stop();
    let segment = newest_segment(server.data_dir());
    fs::remove_file(&segment).unwrap();
    fs::write(server.data_dir().join("member/wal/0000000000000007-0000000000000009.wal"), b"").unwrap();
    refuses(&mut server, &["wal"]);
}

/// Two servers on one directory: the second says so.
#[tokio::test]
async fn a_directory_in_use() {
    let first = Server::start();
    if first.is_etcd() {
        return; // waits for the lock
    }
    let out = Server::builder().data_dir(first.data_dir()).run_to_end();
    let log = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
    assert_eq!(out.status.code(), Some(1), "{log}");
    assert!(log.contains("lock") || log.contains("in use") || log.contains("another process"), "{log}");
    first.grpc().await.put("k", "v").await;
}

/// A database that was restored beside the log of another time: what it would go on with does not follow on what it has.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_another_history() {
    let mut server = Server::start();
    if server.is_etcd() {
        return; // another database
    }
    server.grpc().await.put("k", "v").await;
    assert!(server.stop().success());
    let db = server.data_dir().join("member/snap/db");
    let backend = Backend::open(&db, BackendOptions::default()).unwrap();
    let before = backend.durable_applied();
    backend.commit(Batch::new(), Some(Applied { term: before.term + 1, ..before }));
    backend.flush().unwrap();
    drop(backend);
    let out = Server::builder().data_dir(server.data_dir()).run_to_end();
    let log = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
    assert_eq!(out.status.code(), Some(1), "{log}");
    let (index, term) = (before.index, before.term);
    let words = format!("at entry {index} of term {}, but in the log that entry has term {term}", term + 1);
    assert!(log.contains(&words), "{log}");
}

#[test]
fn a_directory_that_cannot_be_made() {
    let out = Server::builder().data_dir("/proc/nothing/here").run_to_end();
    let log = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
    assert_eq!(out.status.code(), Some(1), "{log}");
    assert!(log.contains("/proc/nothing"), "{log}");
    let file = tempfile::NamedTempFile::new().unwrap();
    let out = Server::builder().data_dir(file.path()).run_to_end();
    assert_eq!(out.status.code(), Some(1));
}

/// In the words of the database or of the system, depending on which file meets it first.
fn tells_of_no_space(log: &str) -> bool {
    log.to_lowercase().contains("no space left") && !log.contains("panicked")
}

/// No room for the first segment: it does not start.
#[test]
fn a_full_disk_at_the_start() {
    let Some(tiny) = Tiny::new(1) else { return eprintln!("skipped: may not mount") };
    let out = Server::builder().data_dir(tiny.path().join("data")).run_to_end();
    let log = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
    if keyport_tests::Flavor::under_test() == keyport_tests::Flavor::Keyport {
        assert_eq!(out.status.code(), Some(1), "{log}");
        assert!(tells_of_no_space(&log), "{log}");
    }
}

/// The disk fills up while it serves: it stops with a reason, and what was acknowledged is there once there is room.
#[tokio::test]
async fn a_disk_that_fills_up() {
    let Some(tiny) = Tiny::new(160) else { return eprintln!("skipped: may not mount") };
    let mut server = Server::builder().data_dir(tiny.path().join("data")).start();
    if server.is_etcd() {
        return;
    }
    let mut c = server.grpc().await;
    let value = "x".repeat(1_000_000);
    let mut acknowledged = 0;
    let status = loop {
        if let Some(status) = server.ended() {
            break status;
        }
        // One that fails may only be late; it is said again.
        let put = c.kv.put(put(&format!("k{acknowledged}"), &value));
        if within("a put", put).await.is_ok() {
            acknowledged += 1;
        }
        assert!(acknowledged < 400, "more than there is room for");
    };
    let log = server.log();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(acknowledged > 10, "{acknowledged}");
    assert!(tells_of_no_space(&log), "{log}");
    tiny.grow();
    server.restart();
    let mut c = server.grpc().await;
    for i in 0..acknowledged {
        assert!(c.get(&format!("k{i}")).await.is_some(), "k{i} of {acknowledged}");
    }
    c.put("more", "x").await;
}
