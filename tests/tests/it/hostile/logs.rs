//! What somebody says ends up in a log, and there it is one text in one line, however he writes it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use http::Method;
use keyport_tests::grpc::{frame, put};
use keyport_tests::http::b64;
use keyport_tests::raw::Raw;
use keyport_tests::wait::eventually;
use keyport_tests::{Flavor, Server};
use prost::Message as _;
use serde_json::{Value, json};

use super::{Held, Siege};
use crate::auth::Realm;

/// Ends the line, begins another one, and would clear the screen, in two ways.
const FORGED: &str = "x\r\n{\"level\":\"fatal\",\"msg\":\"forged\"}\n\u{1b}[2J\u{9b}2J\u{7f}\u{0}\tend";

/// Says it wherever something is said.
async fn say(realm: &Realm) {
    let http = &realm.http;
    let root = realm.token("root").await;
    realm.ask(&root, "/v3/auth/user/add", json!({ "name": FORGED, "password": "p" })).await;
    realm.ask(&root, "/v3/auth/role/add", json!({ "name": FORGED })).await;
    realm.ask(&root, "/v3/auth/user/grant", json!({ "user": FORGED, "role": FORGED })).await;
    realm.ask(&root, "/v3/kv/put", json!({ "key": b64(FORGED), "value": b64(FORGED) })).await;
    realm.ask(&root, "/v3/cluster/member/add", json!({ "peerURLs": [format!("http://{FORGED}"), FORGED] })).await;
    realm.ask("", "/v3/auth/authenticate", json!({ "name": FORGED, "password": FORGED })).await;
    realm.ask(&realm.token_of(FORGED, "p").await, "/v3/kv/range", json!({ "key": b64(FORGED) })).await;
    realm.ask("", FORGED_PATH, json!({})).await;
    for path in [
        FORGED_PATH,
        "/livez?exclude=a%0d%0a%1b%5b2J",
        "/readyz/a%0a",
        "/health?exclude=%0a%c2%9b",
        "/v3/watch?key=%0a%1b",
    ] {
        http.send(Method::GET, path, &[("x-request-id", "id"), ("user-agent", "a\tb")], "").await;
    }
    let message = frame(&put(FORGED, FORGED).encode_to_vec());
    let headers = [("content-type", "application/grpc"), ("te", "trailers")];
    realm.server.http2().send(Method::POST, FORGED_PATH, &headers, message).await;
    for bytes in [b"\x1b[2J\n\n\x9b2J\r\n\r\n".to_vec(), "GET /\u{9b}2J HTTP/1.1\r\nHost: \u{1b}[2J\r\n\r\n".into()] {
        let mut raw = Raw::connect(realm.server.addr()).await;
        raw.send(bytes).await;
        raw.finish().await;
        raw.read_to_end().await;
    }
}

const FORGED_PATH: &str = "/etcdserverpb.KV/%0d%0a%7B%22msg%22:%22forged%22%7D%1b%5b2J%c2%9b";

/// Nothing is in it that a terminal obeys, but for the ends of lines.
fn is_plain(text: &str, may: &[char]) -> bool {
    !text.lines().any(|line| line.contains(|c: char| c.is_control() && !may.contains(&c)))
}

#[tokio::test]
async fn nobody_writes_lines_of_his_own() {
    let dir = tempfile::tempdir().unwrap();
    for format in ["json", "console"] {
        let audit = dir.path().join(format);
        let args = [
            format!("--log-format={format}"),
            format!("--audit-log={}", audit.display()),
            "--log-level=debug".to_owned(),
            "--bcrypt-cost=4".to_owned(),
        ];
        let realm = Realm::on(Server::of(Flavor::Keyport).args(args).start()).await;
        say(&realm).await;
        let audited = eventually("it was audited", async || {
            let text = fs::read_to_string(&audit).unwrap_or_default();
            text.contains("/v3/watch").then_some(text)
        })
        .await;
        assert!(is_plain(&audited, &[]), "{audited}");
        let log = realm.server.log();
        for (text, is_json) in [(&audited, true), (&log, format == "json")] {
            for line in text.lines() {
                if is_json {
                    let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}"));
                    assert_ne!(line["msg"], "forged");
                } else {
                    let words: Vec<&str> = line.split('\t').collect();
                    assert!(words.len() >= 4 && words[0].starts_with("20"), "{line:?}");
                }
            }
        }
        assert!(is_plain(&log, if format == "json" { &[] } else { &['\t'] }), "{log}");
    }
}

#[tokio::test]
async fn nobody_fills_the_disk_with_lines() {
    let siege = Siege::start();
    let long = "x".repeat(50_000);
    let many = "exclude=y&".repeat(1_000);
    for query in [format!("exclude={long}"), many] {
        siege
            .row("checks that there are not", async |server| {
                let mut raw = Raw::connect(server.addr()).await;
                for _ in 0..50 {
                    raw.send_reading(format!("GET /livez?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
                    assert_eq!(raw.status().await, 200);
                }
                Box::new(raw) as Held
            })
            .await;
    }
    siege.end().await;
}

/// Directories and files below a path, with their modes.
fn modes(path: &Path) -> Vec<(String, u32)> {
    let mode = fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let mut found = vec![(path.display().to_string(), mode)];
    if path.is_dir() {
        found.extend(fs::read_dir(path).unwrap().flat_map(|entry| modes(&entry.unwrap().path())));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_is_for_its_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let audit = dir.path().join("audit");
    let args = [format!("--audit-log={}", audit.display()), "--auto-tls".to_owned(), "--snapshot-count=10".to_owned()];
    let mut server = Server::of(Flavor::Keyport).args(args).start();
    let mut c = server.grpc().await;
    for n in 0..30 {
        c.put("k", &n.to_string()).await;
    }
    let snapshot = server.http().post("/v3/maintenance/snapshot", "{}").await;
    assert_eq!(snapshot.status, 200);
    assert_eq!(snapshot.header("cache-control"), "no-store");
    for _ in 0..2 {
        for (path, mode) in modes(server.data_dir()).into_iter().chain(modes(&audit)) {
            let is_public = path.ends_with("cert.pem");
            assert!(mode & 0o077 == 0 || is_public, "{path}: {mode:o}");
        }
        server.stop();
        server.restart();
    }
}
