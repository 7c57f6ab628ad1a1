//! An etcd's data directory is taken over in place, and a directory is made that an etcd goes on from: same cluster, same
//! member, same revisions, nothing lost.

mod alarms;
mod busy;
mod crash;
mod damage;
mod log;
mod one;
mod refused;
mod three;
mod torn;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use keyport_tests::Flavor;

use crate::backups::{done, text};

/// `keyport migrate …`
fn migrate(args: &[&str]) -> Output {
    Command::new(Flavor::Keyport.binary()).arg("migrate").args(args).output().unwrap()
}

/// Makes a directory for etcd of one that a member left.
fn to_etcd(from: &Path, to: &Path) {
    done(&migrate(&["--data-dir", text(from), "--to-etcd", text(to)]));
}

fn database(data: &Path) -> PathBuf {
    data.join("member/snap/db")
}

/// What the etcd left stays here.
fn kept(data: &Path) -> PathBuf {
    data.join("member/snap/db.etcd")
}

fn is_converted(data: &Path) -> bool {
    fs::read(database(data)).unwrap().starts_with(b"redb")
}

/// Every file of a directory, with its bytes.
fn contents(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    let mut to_come = vec![directory.to_owned()];
    while let Some(next) = to_come.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { to_come.push(path) } else { all.push((path.clone(), fs::read(path).unwrap())) }
        }
    }
    all.sort();
    all
}

fn copy(from: &Path, to: &Path) {
    for (file, bytes) in contents(from) {
        let file = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }
}
