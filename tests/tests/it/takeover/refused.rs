//! What cannot be taken over is refused with the way out, and stays as it was, to the last byte.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use http::Method;
use keyport_storage::bbolt::{Reader, Writer};
use keyport_tests::{Flavor, Server};

use super::{contents, copy, database, kept, migrate, to_etcd};
use crate::backups::{refused, text};

/// The directory of a small etcd that was stopped.
async fn left(flavor: Flavor, args: &[&str]) -> Server {
    let mut server = Server::of(flavor).args(args).start();
    let mut c = server.grpc().await;
    for i in 0..20 {
        c.put(&format!("k{i}"), &"v".repeat(3000)).await;
    }
    server.stop();
    server
}

/// Starts Keyport on a copy that was changed: what it says, if all there is stays as it is.
fn refusal(server: &Server, change: impl FnOnce(&Path)) -> String {
    let data = tempfile::tempdir().unwrap();
    copy(server.data_dir(), data.path());
    change(data.path());
    let before = contents(data.path());
    let out = Server::of(Flavor::Keyport).data_dir(data.path()).run_to_end();
    let told = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{told}");
    assert!(contents(data.path()) == before, "something was changed: {told}");
    let last = told.lines().last().unwrap_or_default().to_owned();
    assert!(last.contains("cannot be taken over") && last.contains("Nothing in it was changed"), "{told}");
    last
}

/// Writes a database again, with other rows.
fn rewrite(data: &Path, change: impl Fn(&str, &[u8], &[u8]) -> Option<Vec<u8>>) {
    let bytes = fs::read(database(data)).unwrap();
    let reader = Reader::open(&bytes[..]).unwrap();
    let mut writer = Writer::new(File::create(database(data)).unwrap()).unwrap();
    let mut buckets = reader.buckets().unwrap();
    while let Some(mut rows) = buckets.next_bucket().unwrap() {
        let name = String::from_utf8(rows.name().to_vec()).unwrap();
        writer.bucket(name.as_bytes()).unwrap();
        while let Some(row) = rows.next_row().unwrap() {
            if let Some(value) = change(&name, row.key, row.value) {
                writer.put(row.key, &value).unwrap();
            }
        }
    }
    writer.finish().unwrap();
}

fn write_at(file: &Path, bytes: &[u8], offset: u64) {
    File::options().write(true).open(file).unwrap().write_all_at(bytes, offset).unwrap();
}

fn first_segment(data: &Path) -> PathBuf {
    data.join("member/wal/0000000000000000-0000000000000000.wal")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_or_incomplete_directory_is_left_alone() {
    for flavor in Flavor::releases() {
        let server = left(flavor, &[]).await;
        // Pages say that they are others.
        let told = refusal(&server, |data| {
            let pages = fs::metadata(database(data)).unwrap().len() / 4096;
            (2..pages).for_each(|page| write_at(&database(data), &[0xee], page * 4096));
        });
        assert!(told.contains("damaged: page ") && told.contains("etcdctl snapshot save"), "{told}");
        let told = refusal(&server, |data| {
            File::options().write(true).open(database(data)).unwrap().set_len(8192).unwrap();
        });
        assert!(told.contains("truncated: "), "{told}");
        let told = refusal(&server, |data| fs::remove_dir_all(data.join("member/wal")).unwrap());
        assert!(told.contains("no write-ahead log in ") && told.contains("--wal-dir"), "{told}");
        // In the middle of an entry that was committed.
        let told = refusal(&server, |data| write_at(&first_segment(data), b"!", 4000));
        assert!(told.contains("corrupt at offset ") && told.contains("SIGTERM"), "{told}");
        let told = refusal(&server, |data| {
            File::options().write(true).open(first_segment(data)).unwrap().set_len(4096).unwrap();
        });
        assert!(told.contains("entries were lost"), "{told}");
        // It works on the directory as it is, or this would prove nothing.
        let data = tempfile::tempdir().unwrap();
        copy(server.data_dir(), data.path());
        Server::of(Flavor::Keyport).data_dir(data.path()).start();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_releases_and_other_clusters_are_told_apart() {
    let server = left(*Flavor::releases().first().unwrap(), &[]).await;
    for (bucket, key, what) in [
        ("meta", "storageVersion", "its storage version is 3.8.0"),
        ("cluster", "clusterVersion", "its cluster version"),
    ] {
        let told = refusal(&server, |data| {
            rewrite(data, |of, row, value| {
                let is_it = of == bucket && row == key.as_bytes();
                Some(if is_it { b"3.8.0".to_vec() } else { value.to_vec() })
            });
        });
        // (3.5 has no version of its storage.)
        assert!(told.contains(what) && told.contains("etcdctl downgrade enable"), "{told}");
    }
    let told = refusal(&server, |data| {
        rewrite(data, |of, row, value| (of != "meta" || row != b"term").then(|| value.to_vec()));
    });
    assert!(told.contains("an etcd before 3.5") && told.contains("Start an etcd 3.5 on it"), "{told}");
    let told = refusal(&server, |data| {
        let other = |of: &str, row: &[u8]| of == "meta" && row == b"term";
        rewrite(data, |of, row, value| {
            Some(if other(of, row) { 7_u64.to_be_bytes().to_vec() } else { value.to_vec() })
        });
    });
    assert!(told.contains("of term 7, but in the log that entry has term 2"), "{told}");
    let told = refusal(&server, |data| rewrite(data, |of, _, value| (of != "members").then(|| value.to_vec())));
    assert!(told.contains("its members are none, but by the log they are "), "{told}");
    let told = refusal(&server, |data| fs::write(kept(data), "of an earlier time").unwrap());
    assert!(told.contains("db.etcd is there already") && told.contains("move it elsewhere"), "{told}");
}

/// With the flag that 3.5 has for it.
#[tokio::test(flavor = "multi_thread")]
async fn keys_of_the_old_api_are_not_lost_without_a_word() {
    for snapshots in ["--snapshot-count=1000", "--snapshot-count=5"] {
        let mut server = Server::of(Flavor::Etcd).args(["--enable-v2", snapshots]).start();
        // Reads of that kind leave nothing; its own health is one.
        server.stop();
        let data = tempfile::tempdir().unwrap();
        copy(server.data_dir(), data.path());
        Server::of(Flavor::Keyport).data_dir(data.path()).start();

        server.restart();
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let put = server.http().send(Method::PUT, "/v2/keys/old", &form, "value=x".to_owned()).await;
        assert_eq!(put.status, 201);
        for i in 0..20 {
            server.grpc().await.put(&format!("k{i}"), "v").await;
        }
        server.stop();
        let told = refusal(&server, |_| {});
        assert!(told.contains("etcd's API of version 2") && told.contains("keyport snapshot restore"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_in_use_is_left_to_who_uses_it() {
    let mut server = left(Flavor::Etcd, &[]).await;
    server.restart();
    let out = Server::of(Flavor::Keyport).data_dir(server.data_dir()).run_to_end();
    let told = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(told.contains("in use by another process. Stop the etcd that uses it"), "{told}");
    server.grpc().await.put("k", "still here").await;
    assert!(!kept(server.data_dir()).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_is_made_for_etcd_only_of_a_member_that_was_stopped() {
    let mut server = Server::of(Flavor::Keyport).start();
    server.grpc().await.put("k", "v").await;
    let to = server.scratch().join("back");
    let try_it = |data: &Path| {
        let told = refused(&migrate(&["--data-dir", text(data), "--to-etcd", text(&to)]));
        assert!(!to.exists() && !to.with_extension("migrating").exists(), "{told}");
        told
    };
    assert!(try_it(server.data_dir()).contains("in use by another process"));
    server.stop();
    let nothing = server.scratch().join("nothing");
    assert!(try_it(&nothing).contains("has no database"));
    assert!(!nothing.exists());
    let etcd = left(Flavor::Etcd, &[]).await;
    assert!(try_it(etcd.data_dir()).contains("a database of etcd's"));
    let log = || contents(&server.data_dir().join("member/wal"));
    let before = log();
    to_etcd(server.data_dir(), &to);
    assert!(log() == before, "the member's own log was changed");
    let again = refused(&migrate(&["--data-dir", text(server.data_dir()), "--to-etcd", text(&to)]));
    assert!(again.contains("is there already"), "{again}");
    server.restart();
    assert_eq!(server.grpc().await.put("k", "goes on here, too").await, 3);
}
