//! Settings: flags, environment, file; and starts that must fail.

mod file;
mod former;
mod memory;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use keyport_tests::server::free_port;
use keyport_tests::{Flavor, Server};

fn said(out: &Output) -> String {
    String::from_utf8_lossy(&[&out.stdout[..], &out.stderr[..]].concat()).into_owned()
}

fn run(args: &[&str]) -> Output {
    Server::builder().plain().args(args.iter().copied()).run_to_end()
}

#[test]
fn version() {
    let out = run(&["--version"]);
    assert_eq!(out.status.code(), Some(0));
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(text.lines().any(|l| l.starts_with("etcd Version: 3.")), "{text}");
    if Flavor::under_test() == Flavor::Keyport {
        assert!(text.to_lowercase().contains("keyport"), "{text}");
    }
}

#[test]
fn unknown_flags_and_bad_values() {
    for args in [&["--nonsense"][..], &["--snapshot-count=many"], &["--max-snapshots-of-mine=1"]] {
        let out = run(args);
        assert_eq!(out.status.code(), Some(2), "{args:?}: {}", said(&out));
        assert!(said(&out).contains(args[0].trim_start_matches('-').split('=').next().unwrap()), "{}", said(&out));
    }
    for args in [
        &["--election-timeout=100", "--heartbeat-interval=100"][..],
        &["--listen-client-urls=http://127.0.0.1:1"],
        &["--listen-client-urls=nonsense", "--advertise-client-urls=nonsense"],
        &["--log-level=loud"],
        &["--auto-compaction-mode=sometimes"],
        &["positional"],
    ] {
        let out = run(args);
        assert!(!out.status.success(), "{args:?}: {}", said(&out));
        assert!(!said(&out).trim().is_empty() && !said(&out).contains("panicked"), "{args:?}: {}", said(&out));
    }
}

/// A word that is no command is a slip of the same kind as a flag that there is not.
#[test]
fn words_are_answered_as_flags_are() {
    if Flavor::under_test() != Flavor::Keyport {
        return; // logs a line of JSON for one of the two
    }
    for args in [&["nonsense"][..], &["--nonsense"]] {
        let out = run(args);
        let lines: Vec<String> = said(&out).lines().map(String::from).collect();
        assert_eq!((out.status.code(), lines.len()), (Some(2), 2), "{lines:?}");
        assert!(lines[0].contains("nonsense") && lines[1].contains("keyport --help"), "{lines:?}");
    }
    assert!(said(&run(&["nonsense"])).contains("keyport cluster"));
}

#[tokio::test]
async fn both_spellings_and_the_environment() {
    let server = Server::builder().args(["-max-txn-ops=3"]).env("ETCD_MAX_REQUEST_BYTES", "2000").start();
    let mut c = server.grpc().await;
    let success =
        (0..4).map(|i| keyport_tests::grpc::IntoOp::op(keyport_tests::grpc::put(&i.to_string(), ""))).collect();
    let txn = keyport_api::etcdserverpb::TxnRequest { success, ..Default::default() };
    assert_eq!(c.kv.txn(txn).await.unwrap_err().message(), "etcdserver: too many operations in txn request");
    let large = keyport_tests::grpc::put("k", &"x".repeat(2000));
    assert_eq!(c.kv.put(large).await.unwrap_err().message(), "etcdserver: request is too large");
    if !server.is_etcd() {
        let server = Server::builder().env("KEYPORT_MAX_REQUEST_BYTES", "2000").start();
        let large = keyport_tests::grpc::put("k", &"x".repeat(2000));
        assert!(server.grpc().await.kv.put(large).await.is_err());
    }
    let out = Server::builder().args(["--max-txn-ops=3"]).env("ETCD_MAX_TXN_OPS", "4").run_to_end();
    assert!(!out.status.success(), "a flag and its variable at once: {}", said(&out));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_replaces_everything_else() {
    let dir = tempfile::tempdir().unwrap();
    let (client, peer) = (free_port(), free_port());
    let file = dir.path().join("etcd.yml");
    let text = format!(
        "name: filed\ndata-dir: {}\nlisten-client-urls: http://127.0.0.1:{client}\nadvertise-client-urls: http://127.0.0.1:{client}\n\
         listen-peer-urls: http://127.0.0.1:{peer}\ninitial-advertise-peer-urls: http://127.0.0.1:{peer}\n\
         initial-cluster: filed=http://127.0.0.1:{peer}\nmax-txn-ops: 5\nbackend-batch-interval: 50000000\nunknown-key: 1\n",
        dir.path().join("data").display()
    );
    fs::write(&file, text).unwrap();
    let mut server =
        Server::builder().plain().args(["--config-file", file.to_str().unwrap(), "--max-txn-ops=99"]).spawn_only();
    let addr = (std::net::Ipv4Addr::LOCALHOST, client).into();
    let http = keyport_tests::http::Http::new(addr);
    keyport_tests::wait::eventually("it serves where the file says", async || {
        if tokio::net::TcpStream::connect(addr).await.is_err() {
            return None;
        }
        (http.get("/health").await.status == 200).then_some(())
    })
    .await;
    let members = http.call("/v3/cluster/member/list", serde_json::json!({})).await;
    assert_eq!(members["members"][0]["name"], "filed");
    assert!(dir.path().join("data").is_dir());
    server.stop();
    fs::write(&file, "listen-client-urls: [").unwrap();
    let out = run(&["--config-file", file.to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(1), "{}", said(&out));
    let out = run(&["--config-file", "/no/such/file"]);
    assert_eq!(out.status.code(), Some(1), "{}", said(&out));
}

/// What the lines say and when the process may go: scripts and service managers wait for it.
#[test]
fn the_ready_line_and_stopping() {
    let mut server = Server::start();
    let log = server.log();
    let ready = log.lines().find(|l| l.contains("ready to serve client requests")).expect("the ready line");
    let line: serde_json::Value = serde_json::from_str(ready).expect("the log is JSON");
    assert!(line["level"] == "info" && line["ts"].is_string() && line["msg"].is_string(), "{line}");
    let mode = fs::metadata(server.data_dir()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let status = server.stop();
    assert!(status.success() || std::os::unix::process::ExitStatusExt::signal(&status) == Some(15), "{status}");
}

/// Whoever made the directory may have meant its permissions, or not.
#[test]
fn a_directory_that_others_can_read_is_worth_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    for (mode, warned) in [(0o777, true), (0o750, true), (0o700, false)] {
        let data = dir.path().join(format!("{mode:o}"));
        fs::create_dir(&data).unwrap();
        fs::set_permissions(&data, fs::Permissions::from_mode(mode)).unwrap();
        let log = Server::builder().data_dir(&data).start().log();
        let warning = log.lines().find(|line| line.contains("check file permission"));
        assert_eq!(warning.is_some(), warned, "{mode:o}: {warning:?}");
        assert!(
            warning.is_none_or(|line| line.contains("\"level\":\"warn\"") && line.contains(data.to_str().unwrap()))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_under_load() {
    let mut server = Server::start();
    let mut writers = Vec::new();
    for i in 0..8 {
        let mut c = server.grpc().await;
        writers.push(tokio::spawn(async move {
            let mut acknowledged = 0;
            let key = format!("w{i}");
            while let Ok(done) = c.kv.put(keyport_tests::grpc::put(&key, &acknowledged.to_string())).await {
                acknowledged = done.into_inner().header.unwrap().revision;
            }
            (key, acknowledged)
        }));
    }
    keyport_tests::wait::eventually("some writes", async || (server.grpc().await.revision().await > 200).then_some(()))
        .await;
    tokio::task::block_in_place(|| server.stop());
    server.restart();
    let mut c = server.grpc().await;
    for writer in writers {
        let (key, acknowledged) = keyport_tests::wait::within("the writer ends", writer).await.unwrap();
        assert!(c.get(&key).await.unwrap().mod_revision >= acknowledged);
    }
}
