//! Backups move both ways: what Keyport saves, a real etcd starts from, and the other way round.

mod edges;
mod members;
mod native;
mod places;
mod saved;
mod scheduled;
mod unfinished;

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use http::Method;
use keyport_api::etcdserverpb::HashKvRequest;
use keyport_tests::grpc::{Grpc, get, watch};
use keyport_tests::http::b64;
use keyport_tests::{Flavor, Server};
use serde_json::{Value, json};

/// Revisions of which hashes are compared; the first two are compacted in the end.
const REVISIONS: [i64; 3] = [20, 30, 0];
const COMPACTED: i64 = 15;

/// `keyport snapshot …`
pub(super) fn keyport(args: &[&str]) -> Output {
    Command::new(Flavor::Keyport.binary()).arg("snapshot").args(args).output().unwrap()
}

#[track_caller]
pub(super) fn done(out: &Output) -> String {
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

#[track_caller]
pub(super) fn refused(out: &Output) -> String {
    assert_eq!(out.status.code(), Some(1), "{}", String::from_utf8_lossy(&out.stdout));
    String::from_utf8_lossy(&out.stderr).into_owned()
}

/// `etcdutl …` of a release.
fn etcdutl(of: Flavor, args: &[&str]) -> Output {
    Command::new(of.tool("etcdutl")).args(args).output().unwrap()
}

/// Makes a data directory of a backup, by Keyport or by an etcd's own tool.
fn restore(with: Flavor, file: &Path, data: &Path) {
    let args = ["restore", text(file), "--data-dir", text(data)];
    done(&match with {
        Flavor::Keyport => keyport(&args),
        etcd => etcdutl(etcd, &[&["snapshot"], &args[..]].concat()),
    });
}

pub(super) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub(super) async fn ask(server: &Server, token: &str, path: &str, body: Value) -> Value {
    let headers = [("content-type", "application/json"), ("authorization", token)];
    let headers = if token.is_empty() { &headers[..1] } else { &headers };
    let answer = server.http().send(Method::POST, path, headers, body.to_string()).await;
    assert_eq!(answer.status, 200, "{path} {body}: {}", answer.text());
    answer.json()
}

pub(super) async fn token(server: &Server, user: &str) -> String {
    let login = json!({ "name": user, "password": format!("{user}'s") });
    ask(server, "", "/v3/auth/authenticate", login).await["token"].as_str().unwrap().to_owned()
}

/// Keys that changed and keys that are gone, large ones, leases, a compaction, users.
pub(super) async fn fill(server: &Server) {
    fill_open(server).await;
    ask(server, "", "/v3/auth/enable", json!({})).await;
}

/// The same, and nobody has to say who he is.
pub(super) async fn fill_open(server: &Server) {
    let mut c = server.grpc().await;
    for i in 0..40 {
        c.put(&format!("k{}", i % 17), &format!("value {i}")).await;
    }
    ask(server, "", "/v3/lease/grant", json!({ "ID": 7, "TTL": 10_000 })).await;
    ask(server, "", "/v3/kv/put", json!({ "key": b64("leased"), "value": b64("v"), "lease": 7 })).await;
    for key in ["k3", "k5"] {
        ask(server, "", "/v3/kv/deleterange", json!({ "key": b64(key) })).await;
    }
    c.put("large", &"x".repeat(1_500_000)).await;
    c.put(&"long".repeat(8000), "").await;
    ask(server, "", "/v3/kv/compaction", json!({ "revision": COMPACTED, "physical": true })).await;
    for (path, body) in [
        ("role/add", json!({ "name": "reads" })),
        ("role/grant", json!({ "name": "reads", "perm": { "key": b64("k1") } })),
        ("user/add", json!({ "name": "root", "password": "root's" })),
        ("user/add", json!({ "name": "alice", "password": "alice's" })),
        ("user/grant", json!({ "user": "root", "role": "root" })),
        ("user/grant", json!({ "user": "alice", "role": "reads" })),
    ] {
        ask(server, "", &format!("/v3/auth/{path}"), body).await;
    }
}

/// All of it that two servers have alike.
pub(super) async fn state(server: &Server) -> Vec<Value> {
    let root = token(server, "root").await;
    let mut found = Vec::new();
    let mut note = |answer: Value, names: &[&str]| found.extend(names.iter().map(|name| answer[name].clone()));
    let all = json!({ "key": b64("\0"), "range_end": b64("\0") });
    note(ask(server, &root, "/v3/kv/range", all).await, &["kvs", "count"]);
    let before = json!({ "key": b64("\0"), "range_end": b64("\0"), "revision": 30 });
    note(ask(server, &root, "/v3/kv/range", before).await, &["kvs"]);
    for revision in REVISIONS {
        // Over gRPC: the gateway of 3.5 has another path for it.
        let mut request = tonic::Request::new(HashKvRequest { revision });
        request.metadata_mut().insert("token", root.parse().unwrap());
        let hash = server.grpc().await.maintenance.hash_kv(request).await.unwrap().into_inner();
        found.push(json!([hash.hash, hash.compact_revision]));
    }
    let mut note = |answer: Value, names: &[&str]| found.extend(names.iter().map(|name| answer[name].clone()));
    note(ask(server, &root, "/v3/lease/leases", json!({})).await, &["leases"]);
    note(ask(server, &root, "/v3/lease/timetolive", json!({ "ID": 7, "keys": true })).await, &["grantedTTL", "keys"]);
    note(ask(server, &root, "/v3/auth/user/get", json!({ "name": "alice" })).await, &["roles"]);
    note(ask(server, &root, "/v3/auth/role/get", json!({ "role": "reads" })).await, &["perm"]);
    let alice = token(server, "alice").await;
    note(ask(server, &alice, "/v3/kv/range", json!({ "key": b64("k1") })).await, &["kvs"]);
    found
}

/// What `etcdctl` saves of a server.
fn save(server: &Server, dir: &Path) -> PathBuf {
    let file = dir.join("backup.db");
    // It gives up logging in after two seconds, and hashing goes behind everything else on the machine.
    let user = ["--dial-timeout=60s", "--command-timeout=60s", "--user", "root:root's"];
    server.etcdctl().ok(&[&user[..], &["snapshot", "save", text(&file)]].concat());
    file
}

/// Deletes most of it, compacts, defragments, and starts again: what is wrong with the tree ends an etcd then.
pub(super) async fn lives_on(server: &mut Server) {
    let root = token(server, "root").await;
    let deleted = json!({ "key": b64("k"), "range_end": b64("l") });
    let revision = ask(server, &root, "/v3/kv/deleterange", deleted).await["header"]["revision"].clone();
    ask(server, &root, "/v3/kv/compaction", json!({ "revision": revision, "physical": true })).await;
    ask(server, &root, "/v3/maintenance/defragment", json!({})).await;
    ask(server, &root, "/v3/kv/put", json!({ "key": b64("after"), "value": b64("v") })).await;
    server.stop();
    server.restart();
    let root = token(server, "root").await;
    assert_eq!(ask(server, &root, "/v3/kv/range", json!({ "key": b64("after") })).await["count"], "1");
    assert!(ask(server, &root, "/v3/kv/range", json!({ "key": b64("k1") })).await["kvs"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_saved_starts_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::of(Flavor::Keyport).start();
    fill(&server).await;
    let (file, expected) = (save(&server, dir.path()), state(&server).await);
    for flavor in [Flavor::Keyport].into_iter().chain(Flavor::releases()) {
        let data = dir.path().join(format!("{flavor:?}"));
        restore(flavor, &file, &data);
        let mut restored = Server::of(flavor).data_dir(&data).start();
        assert_eq!(state(&restored).await, expected, "{flavor:?}");
        lives_on(&mut restored).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_etcd_has_saved_goes_on_here() {
    for flavor in Flavor::releases() {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::of(flavor).start();
        fill(&server).await;
        let (file, expected) = (save(&server, dir.path()), state(&server).await);
        let data = dir.path().join("data");
        restore(Flavor::Keyport, &file, &data);
        let mut restored = Server::of(Flavor::Keyport).data_dir(&data).start();
        assert_eq!(state(&restored).await, expected, "{flavor:?}");
        lives_on(&mut restored).await;
    }
}

#[tokio::test]
async fn a_status_is_that_of_etcdutl() {
    for flavor in [Flavor::Keyport].into_iter().chain(Flavor::releases()) {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::of(flavor).start();
        fill(&server).await;
        let file = save(&server, dir.path());
        let of = |out: Output| serde_json::from_str::<Value>(&done(&out)).unwrap();
        let ours = of(keyport(&["status", text(&file), "-w", "json"]));
        for judge in Flavor::releases() {
            let theirs = of(etcdutl(judge, &["snapshot", "status", text(&file), "-w", "json"]));
            for figure in ["hash", "revision", "totalSize"] {
                assert_eq!(ours[figure], theirs[figure], "{flavor:?} {figure} by {judge:?}");
            }
            if !judge.older_than("3.6") {
                assert_eq!((&ours["totalKey"], &ours["version"]), (&theirs["totalKey"], &theirs["version"]));
            }
        }
        // (3.5 counts the rows of all buckets.)
        assert_eq!(ours["totalKey"], 18, "{flavor:?}");
    }
}

/// What the newest etcd's tool finds in a file, against what the server says. (That of 3.6 panics where keys have leases.)
#[tokio::test]
async fn hashes_of_a_file_are_those_of_its_server() {
    if !Flavor::releases().contains(&Flavor::NewEtcd) {
        eprintln!("skipped: there is no Go, or `make tools` was not run");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let server = Server::of(Flavor::Keyport).start();
    fill(&server).await;
    let (file, root) = (save(&server, dir.path()), token(&server, "root").await);
    for revision in REVISIONS {
        let mut request = tonic::Request::new(HashKvRequest { revision });
        request.metadata_mut().insert("token", root.parse().unwrap());
        let ours = server.grpc().await.maintenance.hash_kv(request).await.unwrap().into_inner();
        let of = ["hashkv", text(&file), "--rev", &revision.to_string(), "-w", "json"];
        let theirs: Value = serde_json::from_str(&done(&etcdutl(Flavor::NewEtcd, &of))).unwrap();
        assert_eq!((&theirs["hash"], &theirs["compactRevision"]), (&json!(ours.hash), &json!(ours.compact_revision)));
    }
    // And everything that bbolt looks at.
    done(&Command::new(Flavor::NewEtcd.tool("bbolt")).args(["check", text(&file)]).output().unwrap());
}

#[tokio::test]
async fn a_bump_leaves_what_was_seen_behind() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::of(Flavor::Keyport).start();
    let mut c = server.grpc().await;
    c.put("k", "v").await;
    let file = dir.path().join("backup.db");
    server.etcdctl().ok(&["snapshot", "save", text(&file)]);
    let data = dir.path().join("data");
    let alone = keyport(&["restore", text(&file), "--data-dir", text(&data), "--bump-revision", "1000"]);
    assert!(String::from_utf8_lossy(&alone.stderr).contains("--mark-compacted"), "{alone:?}");
    let bump = ["--data-dir", text(&data), "--bump-revision", "1000", "--mark-compacted"];
    done(&keyport(&[&["restore", text(&file)], &bump[..]].concat()));
    let restored = Server::of(Flavor::Keyport).data_dir(&data).start();
    let mut c: Grpc = restored.grpc().await;
    let found = c.range(get("k")).await;
    assert_eq!((found.header.unwrap().revision, found.kvs.len()), (1002, 1));
    let mut events = c.watch();
    let mut from_before = watch("k");
    from_before.start_revision = 3;
    events.create(from_before).await;
    let told = events.next().await;
    assert!(told.canceled && told.compact_revision == 1002, "{told:?}");
    assert_eq!(c.put("k", "after").await, 1003);
}

#[tokio::test]
async fn what_cannot_be_restored_is_refused_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::of(Flavor::Keyport).start();
    server.grpc().await.put("k", "v").await;
    let file = dir.path().join("backup.db");
    server.etcdctl().ok(&["snapshot", "save", text(&file)]);
    let data = dir.path().join("data");
    let refused_with = |file: &Path, args: &[&str]| {
        let told = refused(&keyport(&[&["restore", text(file), "--data-dir", text(&data)], args].concat()));
        assert!(!data.exists() && !data.with_extension("restoring").exists(), "{told}");
        told
    };
    // A byte in the middle, and one behind it all.
    let whole = fs::read(&file).unwrap();
    let damaged = dir.path().join("damaged.db");
    fs::write(&damaged, &whole).unwrap();
    fs::File::options().write(true).open(&damaged).unwrap().write_all_at(b"!", 2 * 4096 + 20).unwrap();
    assert!(refused_with(&damaged, &[]).contains("expected sha256 "));
    let told = refused_with(&damaged, &["--skip-hash-check"]);
    assert!(told.contains("damaged: page 2"), "{told}");
    let told = refused(&keyport(&["status", text(&damaged)]));
    assert!(told.contains("damaged: page 2 of bucket \""), "{told}");
    fs::write(&damaged, &whole[..whole.len() - 32]).unwrap();
    assert!(refused_with(&damaged, &[]).contains("--skip-hash-check"));
    fs::write(&damaged, &whole[..whole.len() / 2 / 4096 * 4096]).unwrap();
    assert!(refused_with(&damaged, &["--skip-hash-check"]).contains("truncated: "));
    fs::write(&damaged, b"nothing").unwrap();
    assert!(refused_with(&damaged, &["--skip-hash-check"]).contains("not a bbolt file"));
    assert!(refused_with(&dir.path().join("none"), &[]).contains("No such file"));
    assert!(refused_with(&file, &["--name", "x"]).contains("couldn't find local name \"x\""));
    let elsewhere = ["--initial-advertise-peer-urls", "http://elsewhere:2380"];
    assert!(refused_with(&file, &elsewhere).contains("missing from --initial-"));
    // What is there is nobody's to overwrite; a directory with nothing in it is.
    fs::create_dir(&data).unwrap();
    done(&keyport(&["restore", text(&file), "--data-dir", text(&data)]));
    let again = refused(&keyport(&["restore", text(&file), "--data-dir", text(&data)]));
    assert!(again.contains("not empty"), "{again}");
    let told = refused(&keyport(&["status", text(&dir.path().join("none"))]));
    assert!(told.contains("No such file"), "{told}");
}
