//! Real clients of other people, used as they are: in Python, Rust, JavaScript, and a browser.

mod openresty;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use keyport_tests::Server;
use keyport_tests::target::{folder, tool, workspace};
use serde_json::Value;

use crate::auth::Realm;

/// Runs a program to its end; it must succeed.
fn succeeds(command: &mut Command) -> String {
    let out = command.stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{command:?}: {}\n{said}", out.status);
    said
}

fn node(script: &str) -> Command {
    let mut node = Command::new("node");
    node.arg(workspace().join("tests/clients/node").join(script));
    node
}

/// The test suite that etcd3gw ships, with this server in place of its own.
#[test]
fn etcd3gw() {
    let server = Server::start();
    let mut python = Command::new(tool("python", "bin/python"));
    python.args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "--pyargs", "etcd3gw.tests"]);
    python.env("TOOZ_TEST_HTTP_URL", format!("http://localhost:{}", server.addr().port()));
    python.env("TOOZ_TEST_ETCD_PORT", server.addr().port().to_string());
    python.current_dir(server.scratch());
    if server.is_etcd() && !server.older_than("3.6") {
        // Its own way to skip reading the version, which it cannot for every release.
        python.env("ETCD3GW_API_PATH", "/v3/");
        return; // and it expects answers that 3.6 and later no longer give
    }
    let said = succeeds(&mut python);
    assert!(said.contains("39 passed") && !said.contains("skipped"), "{said}");
}

/// Two members of a cluster of PostgreSQL, led through what Patroni keeps in etcd; without users, and with them.
#[tokio::test]
async fn patroni() {
    let run = |server: &Server, credentials: &[&str]| {
        let mut python = Command::new(tool("python", "bin/python"));
        python.arg(workspace().join("tests/clients/python/patroni_store.py")).arg(server.addr().to_string());
        let said = succeeds(python.args(credentials));
        assert!(said.contains("patroni is content"), "{said}");
    };
    let server = Server::start();
    run(&server, &[]);
    let realm = Realm::on(server).await;
    run(&realm.server, &["root", "root's"]);
}

#[test]
fn etcd_client_in_rust() {
    let server = Server::start();
    let program: PathBuf = folder("rust").join("debug/rust-client");
    succeeds(Command::new(program).arg(server.addr().to_string()));
}

#[test]
fn etcd3_in_javascript() {
    let server = Server::start();
    succeeds(node("etcd3.mjs").arg(server.addr().to_string()));
}

#[test]
fn grpc_web_in_javascript() {
    let server = Server::start();
    if server.is_etcd() {
        return; // has no gRPC-Web
    }
    let descriptors = server.scratch().join("descriptors");
    std::fs::write(&descriptors, keyport_api::FILE_DESCRIPTOR_SET).unwrap();
    succeeds(node("grpc-web.mjs").arg(server.url()).arg(descriptors));
}

#[test]
fn connect_in_javascript() {
    let server = Server::start();
    if server.is_etcd() {
        return; // has neither
    }
    let descriptors = server.scratch().join("descriptors");
    std::fs::write(&descriptors, keyport_api::FILE_DESCRIPTOR_SET).unwrap();
    succeeds(node("connect.mjs").arg(server.url()).arg(descriptors));
}

/// A browser's own `EventSource`: it sees changes, and after the server was killed it resumes by itself.
#[tokio::test]
async fn event_source_in_a_browser() {
    let mut server = Server::start();
    if server.is_etcd() {
        return; // has no event stream
    }
    server.grpc().await.put("web/a", "1").await;
    let mut command = node("event-source.mjs");
    command.arg(format!("{}/v3/watch?prefix=web/&start_revision=1", server.url()));
    let mut page = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (send, mut lines) = tokio::sync::mpsc::channel::<Value>(100);
    let output = page.stdout.take().unwrap();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            let _ = send.blocking_send(serde_json::from_str(&line.unwrap()).unwrap());
        }
    });
    let mut seen = Vec::new();
    let mut until = async |count: usize| {
        while seen.len() < count {
            let line = keyport_tests::wait::within("the page reports", lines.recv()).await.unwrap();
            if line["kind"] == "put" {
                seen.push(line);
            }
        }
        seen.len()
    };
    until(1).await;
    server.grpc().await.put("web/b", "2").await;
    until(2).await;
    server.kill();
    server.restart();
    server.grpc().await.put("web/c", "3").await;
    assert_eq!(until(3).await, 3, "resumed without loss and without repetition");
    let mut ids: Vec<&str> = seen.iter().map(|e| e["id"].as_str().unwrap()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 3);
    drop(page.stdin.take());
    page.wait().unwrap();
}
