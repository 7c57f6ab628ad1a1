//! The document as its readers have it: fetched from a server, and held against that server.
//!
//! What reads it is of other people and is installed by `make tools` (`tests/clients/openapi`).

mod clients;
mod linters;
mod schemathesis;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use keyport_tests::Server;
use keyport_tests::target::workspace;

/// What is installed for these tests, and the programs around it.
fn folder() -> PathBuf {
    workspace().join("tests/clients/openapi")
}

/// A program of npm's.
fn npm(name: &str) -> Command {
    Command::new(folder().join("node_modules/.bin").join(name))
}

fn node(script: &str) -> Command {
    let mut node = Command::new("node");
    node.arg(folder().join(script));
    node
}

/// Runs a program to its end; it must succeed.
fn succeeds(command: &mut Command) -> String {
    let out = command.stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{command:?}: {}\n{said}", out.status);
    said
}

/// A document of a server, as a file in its scratch folder.
async fn served(server: &Server, name: &str) -> PathBuf {
    let answer = server.http().get(&format!("/{name}")).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/json"), "{name}");
    let file = server.scratch().join(name);
    std::fs::write(&file, &answer.body).unwrap();
    file
}

/// Each request that the document shows is sent, and each answer is what the document says.
#[test]
fn examples_are_answered_as_described() {
    let server = Server::builder().args(["--enable-pprof"]).start();
    if server.is_etcd() {
        return; // has no document
    }
    let said = succeeds(node("examples.mjs").arg(server.url()));
    println!("{said}");
}
