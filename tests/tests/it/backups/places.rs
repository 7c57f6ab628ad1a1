//! Where a data directory may come to be: in an empty directory that stays what it is, be it a disk of its own or a link to it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use keyport_tests::tiny::Tiny;
use keyport_tests::{Flavor, Server};

use super::{done, keyport, refused, text};

fn names(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

/// `keyport …` in a directory.
fn inside(directory: &Path, args: &[&str]) -> Output {
    Command::new(Flavor::Keyport.binary()).current_dir(directory).args(args).output().unwrap()
}

/// A Keyport on a directory that was restored, and what it finds there; it is stopped again.
async fn serves(data: &Path, wal: Option<&Path>) {
    let wal: Vec<_> = wal.iter().flat_map(|wal| ["--wal-dir", text(wal)]).collect();
    let mut server = Server::of(Flavor::Keyport).data_dir(data).args(wal).start();
    assert!(server.grpc().await.get("k").await.is_some());
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_directory_is_filled_and_stays_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::of(Flavor::Keyport).start();
    server.grpc().await.put("k", "v").await;
    let file = dir.path().join("backup.db");
    done(&keyport(&["save", text(&file), "--endpoints", &server.url()]));
    server.stop();
    let place = |name: &str| {
        let path = dir.path().join(name);
        fs::create_dir(&path).unwrap();
        path
    };

    // A link; what a process left there that was killed is in nobody's way.
    let (real, link) = (place("real"), dir.path().join("link"));
    symlink(&real, &link).unwrap();
    fs::create_dir(real.join(".restoring")).unwrap();
    done(&keyport(&["restore", text(&file), "--data-dir", text(&link)]));
    assert_eq!(names(&real), ["member"]);
    assert!(refused(&keyport(&["restore", text(&file), "--data-dir", text(&link)])).contains("not empty"));
    serves(&link, None).await;

    // The one that somebody is in.
    let here = place("here");
    done(&inside(&here, &["snapshot", "restore", text(&file), "--data-dir", "."]));
    assert_eq!(names(&here), ["member"]);

    // With the log in a directory of its own, also one inside of the data directory.
    let (data, wal) = (dir.path().join("data"), place("wal"));
    done(&keyport(&["restore", text(&file), "--data-dir", text(&data), "--wal-dir", text(&wal)]));
    serves(&data, Some(&wal)).await;
    let (data, wal) = (dir.path().join("both"), dir.path().join("both/log"));
    done(&keyport(&["restore", text(&file), "--data-dir", text(&data), "--wal-dir", text(&wal)]));
    assert_eq!(names(&data), ["log", "member"]);
    serves(&data, Some(&wal)).await;

    // A disk of its own; and for etcd, too. A refusal leaves it empty.
    let Some(disk) = Tiny::new(200) else { return };
    let damaged = dir.path().join("damaged.db");
    fs::write(&damaged, &fs::read(&file).unwrap()[..8192]).unwrap();
    refused(&keyport(&["restore", text(&damaged), "--data-dir", text(disk.path()), "--skip-hash-check"]));
    assert_eq!(names(disk.path()), [""; 0]);
    done(&keyport(&["restore", text(&file), "--data-dir", text(disk.path())]));
    assert_eq!(names(disk.path()), ["member"]);
    serves(disk.path(), None).await;
    let other = Tiny::new(200).expect("a second one");
    let args = ["migrate", "--data-dir", text(disk.path()), "--to-etcd", text(other.path())];
    done(&inside(dir.path(), &args));
    assert_eq!(names(other.path()), ["member"]);
    assert!(refused(&inside(dir.path(), &args)).contains("is there already"));
    if let Some(etcd) = Flavor::releases().first().copied() {
        let mut server = Server::of(etcd).data_dir(other.path()).start();
        assert!(server.grpc().await.get("k").await.is_some(), "{etcd:?}");
        server.stop();
    }
}
