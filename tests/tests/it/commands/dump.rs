//! `keyport dump`: what is in a log and in a database, without what nobody may see.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use keyport_api::etcdserverpb::HashKvRequest;
use keyport_tests::http::b64;
use keyport_tests::{Flavor, Server};
use serde_json::{Value, json};

use super::{ended, files, keyport, text};
use crate::backups::{ask, fill, token};

fn dump(what: &str, data: &Path, flags: &[&str]) -> String {
    ended(&keyport(&[&["dump", what, text(data)], flags].concat()), 0)
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

fn by_key(mut kvs: Vec<Value>) -> Vec<Value> {
    kvs.sort_by_key(|kv| kv["key"].to_string());
    kvs
}

/// What a client has of a server, with numbers as `etcdctl` writes them.
async fn got(server: &Server, root: &str, range: Value) -> Vec<Value> {
    let answer = ask(server, root, "/v3/kv/range", range).await;
    let mut kvs = answer["kvs"].as_array().cloned().unwrap_or_default();
    for kv in &mut kvs {
        for name in ["create_revision", "mod_revision", "version", "lease"] {
            if let Some(number) = kv[name].as_str().map(|text| text.parse::<i64>().unwrap()) {
                kv[name] = number.into();
            }
        }
        // Looking for a field has made one.
        kv.as_object_mut().unwrap().retain(|_, field| !field.is_null());
    }
    by_key(kvs)
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_those_that_a_client_gets() {
    for flavor in [Flavor::Keyport].into_iter().chain(Flavor::peers()) {
        let mut server = Server::of(flavor).start();
        fill(&server).await;
        let root = token(&server, "root").await;
        let everything = json!({ "key": b64("\0"), "range_end": b64("\0") });
        let all = got(&server, &root, everything.clone()).await;
        let prefixed = got(&server, &root, json!({ "key": b64("k1"), "range_end": b64("k2") })).await;
        let mut before = everything;
        before["revision"] = 30.into();
        let before = got(&server, &root, before).await;
        let (mut c, mut hashes) = (server.grpc().await, Vec::new());
        for revision in [20, 30, 0] {
            let mut request = tonic::Request::new(HashKvRequest { revision });
            request.metadata_mut().insert("token", root.parse().unwrap());
            let found = c.maintenance.hash_kv(request).await.unwrap().into_inner();
            let at = if revision > 0 { revision } else { found.header.unwrap().revision };
            hashes.push(json!({ "hash": found.hash, "hashRevision": at, "compactRevision": found.compact_revision }));
        }
        server.stop();
        let data = server.data_dir().to_owned();
        let left = files(&data);
        let of = |flags: &[&str]| by_key(lines(&dump("keys", &data, flags)));
        assert!(all.len() > 15 && before != all);
        assert_eq!(of(&[]), all, "{flavor:?}");
        assert_eq!(of(&["--prefix", "k1"]), prefixed, "{flavor:?}");
        assert_eq!(of(&["--rev", "30"]), before, "{flavor:?}");
        let only = of(&["--keys-only"]);
        assert!(only.len() == all.len() && only.iter().all(|kv| kv["value"].is_null()));
        assert_eq!(lines(&dump("hashes", &data, &["--rev=20", "--rev=30", "--rev=0"])), hashes, "{flavor:?}");
        assert_eq!(lines(&dump("hashes", &data, &[])), hashes[2..], "{flavor:?}");
        assert!(ended(&keyport(&["dump", "hashes", text(&data), "--rev=5"]), 1).contains("has been compacted"));
        assert!(ended(&keyport(&["dump", "hashes", text(&data), "--rev=100000"]), 1).contains("future revision"));
        let refused = |rev: &str| ended(&keyport(&["dump", "keys", text(&data), "--rev", rev]), 1);
        assert!(refused("5").contains("has been compacted: the first that is left is 15"), "{}", refused("5"));
        assert!(refused("100000").contains("is to come"));
        assert!(files(&data) == left, "{flavor:?}: nothing is written");
    }
}

/// Transactions of the database's file come by themselves only after an hour here, and others have it open at the end.
#[tokio::test(flavor = "multi_thread")]
async fn the_database_of_a_stopped_member_has_all_that_was_answered() {
    let mut server = Server::of(Flavor::Keyport).args(["--backend-batch-interval=1h"]).start();
    for n in 0..5 {
        let mut c = server.grpc().await;
        let _watch = c.watch();
        for key in 0..40 {
            c.put(&format!("k{key}"), &n.to_string()).await;
        }
        let saved = server.http().stream("/v3/maintenance/snapshot", "{}").await;
        server.stop();
        drop(saved);
        let kvs = lines(&dump("keys", server.data_dir(), &[]));
        assert_eq!(kvs.len(), 40);
        assert!(kvs.iter().all(|kv| kv["value"] == b64(n.to_string())), "start {n}: {kvs:?}");
        server.restart();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_shown_entry_by_entry() {
    for flavor in [Flavor::Keyport].into_iter().chain(Flavor::peers()) {
        let mut server = Server::of(flavor).start();
        let mut c = server.grpc().await;
        c.put("in\nthe log", "hush-value").await;
        ask(&server, "", "/v3/lease/grant", json!({ "ID": 77, "TTL": 600 })).await;
        let put = json!({ "key": b64("t"), "value": b64("hush-value") });
        ask(&server, "", "/v3/kv/txn", json!({ "success": [{ "request_put": put }] })).await;
        server.stop();
        let data = server.data_dir().to_owned();
        let readable = dump("wal", &data, &[]);
        for line in ["metadata member ", " cluster ", "segment ", "state term "] {
            assert!(readable.contains(line), "{flavor:?}, {line}: {readable}");
        }
        let put = readable.lines().find(|line| line.contains(" Put ")).unwrap_or_else(|| panic!("{readable}"));
        assert!(
            put.starts_with("entry ") && put.contains(r#""key":"in\\nthe log""#) && put.contains(r#""valueBytes":10"#),
            "{put}"
        );
        assert!(readable.contains(" LeaseGrant ") && readable.contains(" Txn ") && readable.contains(" ConfChange "));
        assert!(!readable.contains("hush-value") && !readable.contains(&b64("hush-value")), "{readable}");
        assert!(dump("wal", &data, &["--values"]).contains(r#""value":"hush-value""#));

        let all = lines(&dump("wal", &data, &["--json", "--values"]));
        let entries: Vec<&Value> = all.iter().filter(|line| line["index"].is_u64()).collect();
        let indexes: Vec<u64> = entries.iter().map(|entry| entry["index"].as_u64().unwrap()).collect();
        assert!(indexes.windows(2).all(|pair| pair[0] + 1 == pair[1]) && indexes[0] == 1, "{flavor:?} {indexes:?}");
        let put = entries.iter().find(|entry| entry["kind"] == "Put").unwrap();
        assert_eq!(put["request"], json!({ "key": b64("in\nthe log"), "value": b64("hush-value") }));
        let from = indexes[indexes.len() - 1].to_string();
        let last = lines(&dump("wal", &data, &["--json", "--from", &from]));
        assert_eq!(last.iter().filter(|line| line["index"].is_u64()).count(), 1);
    }
}

/// Passwords, their hashes and tokens are in the log, and in the database.
#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_in_no_dump() {
    for flavor in [Flavor::Keyport].into_iter().chain(Flavor::peers()) {
        let mut server = Server::of(flavor).start();
        fill(&server).await;
        let root = token(&server, "root").await;
        let change = json!({ "name": "alice", "password": "another-hush" });
        ask(&server, &root, "/v3/auth/user/changepw", change).await;
        server.stop();
        let data = server.data_dir().to_owned();
        let letters = root.split('.').next().unwrap();
        for flags in [&["--values"][..], &["--json", "--values"], &[]] {
            let all = dump("wal", &data, flags);
            assert!(
                all.contains("AuthUserAdd") && all.contains("AuthUserChangePassword") && all.contains("Authenticate")
            );
            for secret in ["$2a$", "$2b$", "$2y$", "JDJ", "another-hush", "root's", letters] {
                assert!(!all.contains(secret), "{flavor:?} {flags:?}: {secret} in {all}");
            }
        }
        let keys = dump("keys", &data, &[]);
        assert!(!keys.contains("JDJ"), "{keys}");
    }
}

/// `keyport dump … | head` is no failure, and a large log needs no more memory than a small one.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_read_enough_may_go_and_memory_stays_flat() {
    let mut server = Server::of(Flavor::Keyport).start();
    let mut c = server.grpc().await;
    let value = "x".repeat(100_000);
    for n in 0..400 {
        c.put(&format!("k{n}"), &value).await;
    }
    server.stop();
    let data = server.data_dir();
    for (what, flags) in [("wal", &["--values"][..]), ("keys", &[])] {
        let mut command = Command::new(Flavor::Keyport.binary());
        command.args(["dump", what, text(data)]).args(flags).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let (mut line, mut read) = (String::new(), 0);
        while read < 5_000_000 {
            line.clear();
            read += out.read_line(&mut line).unwrap();
        }
        // It waits for room in the pipe now.
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(peak < 120_000, "{what}: {peak} kB at most for 40 MB");
        drop(out);
        let out = child.wait_with_output().unwrap();
        assert!(out.status.success() && out.stderr.is_empty(), "{what}: {}", super::told(&out.stderr));
    }
    let whole = dump("keys", data, &[]);
    assert_eq!(whole.lines().count(), 400);
}

#[test]
fn what_cannot_be_shown_is_said() {
    let nothing = tempfile::tempdir().unwrap();
    for what in ["wal", "keys"] {
        let told = ended(&keyport(&["dump", what, text(nothing.path())]), 1);
        assert!(told.contains("No such file"), "{told}");
    }
    assert!(ended(&keyport(&["dump", "nonsense", "x"]), 1).contains("nonsense"));
    assert!(files(nothing.path()).is_empty());
    let server = Server::of(Flavor::Keyport).start();
    for what in ["wal", "keys"] {
        let told = ended(&keyport(&["dump", what, text(server.data_dir())]), 1);
        assert!(told.contains("in use") || told.contains("locked"), "{told}");
    }
}
