//! The commands of the binary that are no server, no backup and no take-over.

mod check;
mod doctor;
mod dump;
mod gateway;
mod manners;
mod shells;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use keyport_tests::Flavor;

/// `keyport …`
fn keyport(args: &[&str]) -> Output {
    Command::new(Flavor::Keyport.binary()).args(args).output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn told(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What it writes, when it ends with this status.
#[track_caller]
fn ended(out: &Output, code: i32) -> String {
    assert_eq!(out.status.code(), Some(code), "{}{}", told(&out.stdout), told(&out.stderr));
    told(if code == 1 { &out.stderr } else { &out.stdout })
}

/// Every file below a folder, with all that is in it.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found
}

/// Copies a folder with all that is in it.
fn copy(from: &Path, to: &Path) {
    for (path, bytes) in files(from) {
        let to = to.join(path.strip_prefix(from).unwrap());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::write(to, bytes).unwrap();
    }
}
