//! Everything a person does with `etcdctl` 3.5 at a server of one member.

use std::io::{BufRead, BufReader};
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};

use keyport_tests::Server;
use keyport_tests::wait::{PATIENCE, eventually_blocking};

/// The lines a running `etcdctl` prints, as they come.
fn lines(child: &mut Child) -> Receiver<String> {
    let (send, receive) = channel();
    let output = child.stdout.take().unwrap();
    std::thread::spawn(move || BufReader::new(output).lines().map_while(Result::ok).all(|l| send.send(l).is_ok()));
    receive
}

fn next(lines: &Receiver<String>) -> String {
    lines.recv_timeout(PATIENCE).expect("another line")
}

#[test]
fn put_get_del() {
    let server = Server::start();
    let ctl = server.etcdctl();
    for (key, value) in [("a", "1"), ("a/1", "2"), ("a/2", "3"), ("b", "4")] {
        assert_eq!(ctl.ok(&["put", key, value]), "OK\n");
    }
    assert_eq!(ctl.ok(&["get", "a"]), "a\n1\n");
    assert_eq!(ctl.ok(&["get", "--print-value-only", "b"]), "4\n");
    assert_eq!(ctl.ok(&["get", "--prefix", "--keys-only", "a"]), "a\n\na/1\n\na/2\n\n");
    assert_eq!(ctl.ok(&["get", "--from-key", "a/2"]), "a/2\n3\nb\n4\n");
    assert_eq!(ctl.ok(&["get", "a/1", "b"]), "a/1\n2\na/2\n3\n");
    assert_eq!(ctl.ok(&["get", "--prefix", "", "--limit=2"]), "a\n1\na/1\n2\n");
    assert_eq!(ctl.ok(&["get", "--prefix", "a", "--order=DESCEND", "--sort-by=VALUE"]), "a/2\n3\na/1\n2\na\n1\n");
    assert_eq!(ctl.ok(&["get", "--consistency=s", "a"]), "a\n1\n");
    assert!(ctl.ok(&["get", "--count-only", "--prefix", "a", "-w", "fields"]).contains("\"Count\" : 3"));
    assert_eq!(ctl.ok(&["put", "a", "new", "--prev-kv"]), "OK\na\n1\n");
    assert_eq!(ctl.ok(&["get", "--rev=2", "a"]), "a\n1\n");
    assert_eq!(ctl.ok(&["put", "a", "--ignore-value"]), "OK\n");
    let json: serde_json::Value = serde_json::from_str(&ctl.ok(&["get", "a", "-w", "json"])).unwrap();
    assert_eq!((&json["kvs"][0]["version"], &json["header"]["revision"]), (&3.into(), &7.into()));
    assert_eq!(ctl.ok(&["del", "--prefix", "a/"]), "2\n");
    assert_eq!(ctl.ok(&["del", "b", "--prev-kv"]), "1\nb\n4\n");
    assert_eq!(ctl.ok(&["del", "b"]), "0\n");
    let out = ctl.output(&["get", "--rev=999", "a"]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(!out.status.success() && said.contains("required revision is a future revision"), "{said}");
}

#[test]
fn txn() {
    let server = Server::start();
    let ctl = server.etcdctl();
    let script = "value(\"k\") = \"v\"\nmod(\"k\") > \"0\"\n\nput k changed\nget k\n\nput k made\n\n";
    assert_eq!(ctl.ok_of(&["txn"], script), "FAILURE\n\nOK\n");
    assert_eq!(ctl.ok_of(&["txn"], &script.replace("\"v\"", "\"made\"")), "SUCCESS\n\nOK\n\nk\nchanged\n");
}

#[test]
fn watch() {
    let server = Server::start();
    let ctl = server.etcdctl();
    ctl.ok(&["put", "w/0", "before"]);
    let mut history = ctl.start(&["watch", "--prefix", "--rev=2", "--prev-kv", "w/"]);
    let seen = lines(&mut history);
    assert_eq!([next(&seen), next(&seen), next(&seen)], ["PUT", "w/0", "before"]);
    ctl.ok(&["put", "w/0", "after"]);
    assert_eq!(
        [next(&seen), next(&seen), next(&seen), next(&seen), next(&seen)],
        ["PUT", "w/0", "before", "w/0", "after"]
    );
    ctl.ok(&["del", "w/0"]);
    assert_eq!([next(&seen), next(&seen), next(&seen), next(&seen)], ["DELETE", "w/0", "after", "w/0"]);
    history.kill().unwrap();
    history.wait().unwrap();
    // Below a compaction it ends with a word about it.
    ctl.ok(&["compaction", "4"]);
    let out = ctl.output(&["watch", "--rev=2", "w/0"]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(said.contains("required revision has been compacted"), "{said}");
}

#[test]
fn leases() {
    let server = Server::start();
    let ctl = server.etcdctl();
    let said = ctl.ok(&["lease", "grant", "60"]);
    let id = said.split(' ').nth(1).unwrap().to_string();
    assert_eq!(said, format!("lease {id} granted with TTL(60s)\n"));
    ctl.ok(&["put", "leased", "v", "--lease", &id]);
    let said = ctl.ok(&["lease", "timetolive", "--keys", &id]);
    assert!(said.starts_with(&format!("lease {id} granted with TTL(60s), remaining(")), "{said}");
    assert!(said.ends_with("attached keys([leased])\n"), "{said}");
    assert_eq!(ctl.ok(&["lease", "list"]), format!("found 1 leases\n{id}\n"));
    assert_eq!(ctl.ok(&["lease", "keep-alive", "--once", &id]), format!("lease {id} keepalived with TTL(60)\n"));
    let mut keeper = ctl.start(&["lease", "keep-alive", &id]);
    let kept = lines(&mut keeper);
    assert_eq!(next(&kept), format!("lease {id} keepalived with TTL(60)"));
    assert_eq!(ctl.ok(&["lease", "revoke", &id]), format!("lease {id} revoked\n"));
    assert_eq!(ctl.ok(&["get", "leased"]), "");
    assert_eq!(ctl.ok(&["lease", "timetolive", &id]), format!("lease {id} already expired\n"));
    keeper.kill().unwrap();
    keeper.wait().unwrap();
}

#[test]
fn lock() {
    let server = Server::start();
    let ctl = server.etcdctl();
    let mut first = ctl.start(&["lock", "mutex"]);
    let held = lines(&mut first);
    assert!(next(&held).starts_with("mutex/"));
    let mut second = ctl.start(&["lock", "mutex"]);
    let waiting = lines(&mut second);
    eventually_blocking("the second waits", || {
        (ctl.ok(&["get", "--prefix", "--keys-only", "mutex"]).lines().count() == 4).then_some(())
    });
    assert!(waiting.try_recv().is_err());
    interrupt(&first);
    first.wait().unwrap();
    assert!(next(&waiting).starts_with("mutex/"));
    interrupt(&second);
    second.wait().unwrap();
    assert_eq!(ctl.ok(&["lock", "mutex", "echo", "inside"]), "inside\n");
}

fn interrupt(child: &Child) {
    let _ = rustix::process::kill_process(rustix::process::Pid::from_child(child), rustix::process::Signal::INT);
}

#[test]
fn elect() {
    let server = Server::start();
    let ctl = server.etcdctl();
    let mut candidate = ctl.start(&["elect", "post", "me"]);
    let won = lines(&mut candidate);
    assert!(next(&won).starts_with("post/"));
    assert_eq!(next(&won), "me");
    let mut observer = ctl.start(&["elect", "-l", "post"]);
    let leader = lines(&mut observer);
    assert!(next(&leader).starts_with("post/"));
    assert_eq!(next(&leader), "me");
    interrupt(&candidate);
    candidate.wait().unwrap();
    observer.kill().unwrap();
    observer.wait().unwrap();
}

#[test]
fn maintenance() {
    let server = Server::start();
    let ctl = server.etcdctl();
    for i in 0..10 {
        ctl.ok(&["put", "k", &i.to_string()]);
    }
    assert_eq!(ctl.ok(&["compaction", "5"]), "compacted revision 5\n");
    assert!(ctl.ok(&["compaction", "--physical", "8"]).contains("compacted revision 8"));
    assert!(ctl.ok(&["defrag"]).starts_with("Finished defragmenting etcd member["));
    let health = ctl.output(&["endpoint", "health"]);
    let said = String::from_utf8_lossy(&[health.stdout, health.stderr].concat()).into_owned();
    assert!(health.status.success() && said.contains("is healthy: successfully committed proposal"), "{said}");
    let status: serde_json::Value = serde_json::from_str(&ctl.ok(&["endpoint", "status", "-w", "json"])).unwrap();
    let status = &status[0]["Status"];
    assert!(status["dbSize"].as_i64().unwrap() > 0 && status["leader"] == status["header"]["member_id"], "{status}");
    assert!(ctl.ok(&["endpoint", "status", "-w", "table"]).contains("true"), "it leads");
    let hash = ctl.ok(&["endpoint", "hashkv", "-w", "json"]);
    assert_eq!(hash, ctl.ok(&["endpoint", "hashkv", "-w", "json"]));
    assert_eq!(ctl.ok(&["alarm", "list"]), "");
    assert_eq!(ctl.ok(&["alarm", "disarm"]), "");
    let members = ctl.ok(&["member", "list"]);
    assert!(members.contains(", started, n0, http://127.0.0.1:"), "{members}");
    let file = server.scratch().join("snapshot");
    ctl.ok(&["snapshot", "save", file.to_str().unwrap()]);
    let size = std::fs::metadata(&file).unwrap().len();
    assert_eq!(size % 512, 32, "whole pages and a digest, as etcdctl checks: {size}");
}
