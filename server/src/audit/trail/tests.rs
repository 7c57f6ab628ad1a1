//! What comes of a trail, in the file.

use super::super::limits::MOST_LINES;
use super::*;
use crate::metrics::IntCounter;
use bytes::Bytes;
use serde_json::{Value, json};
use std::fs;
use tempfile::TempDir;

struct World {
    dir: TempDir,
    log: AuditLog,
}

impl World {
    fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let lost = IntCounter::new("lost", "Lines that are lost.").unwrap();
        let log = AuditLog::open(&dir.path().join("audit"), lost).unwrap();
        World { dir, log }
    }

    fn trail(&self, method: Method) -> Trail {
        Trail::of_method(&self.log, None, method)
    }

    /// Without what is the same everywhere.
    fn lines(&self) -> Vec<Value> {
        self.log.flush();
        let text = fs::read_to_string(self.dir.path().join("audit")).unwrap();
        let lines = text.lines().map(|line| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            line.as_object_mut().unwrap().retain(|name, value| name != "ts" && name != "call" && !value.is_null());
            line
        });
        lines.collect()
    }
}

fn key(name: &'static str) -> Vec<KeyRange> {
    vec![KeyRange::single(Bytes::from(name))]
}

#[test]
fn a_change_whose_outcome_is_not_known_may_be_done() {
    let world = World::new();
    let put = || {
        let trail = world.trail(Method::Put);
        trail.changes(&(), key("k"));
        trail.change_begins();
        trail
    };
    put().end(Code::Cancelled, Some(Error::ContextCanceled));
    let trail = put();
    trail.change_ends(Err(Error::Timeout));
    trail.end(Code::Unavailable, Some(Error::Timeout));
    let trail = put();
    trail.change_ends(Err(Error::LeaseNotFound));
    trail.end(Code::NotFound, Some(Error::LeaseNotFound));
    let trail = put();
    trail.change_ends(Ok(Some(7)));
    trail.end(Code::Ok, None);
    let keys = json!([{ "key": "k" }]);
    assert_eq!(
        world.lines(),
        [
            json!({ "keys": keys, "code": "Canceled", "error": "context canceled", "may_be_done": true }),
            json!({
                "keys": keys, "code": "Unavailable", "error": "etcdserver: request timed out", "may_be_done": true
            }),
            json!({ "keys": keys, "code": "NotFound", "error": "etcdserver: requested lease not found" }),
            json!({ "keys": keys, "code": "OK", "revision": 7 }),
        ]
    );
}

#[test]
fn what_is_changed_after_the_line_has_one_of_its_own() {
    let world = World::new();
    let trail = world.trail(Method::Lock);
    trail.asks_for_keys(|| key("line"));
    trail.change_begins();
    trail.change_ends(Ok(Some(1)));
    trail.changes(&(), key("line/1"));
    trail.change_begins();
    trail.end(Code::DeadlineExceeded, Some(Error::ContextDeadlineExceeded));
    trail.change_ends(Ok(Some(2)));
    trail.changes(&(), key("line/1"));
    trail.change_begins();
    trail.change_ends(Ok(Some(3)));
    let keys = json!([{ "key": "line/1" }]);
    assert_eq!(
        world.lines(),
        [
            json!({
                "keys": keys, "code": "DeadlineExceeded", "error": "context deadline exceeded", "revision": 1,
                "may_be_done": true
            }),
            json!({ "keys": keys, "code": "OK", "revision": 2, "late": true }),
            json!({ "keys": keys, "code": "OK", "revision": 3, "late": true }),
        ]
    );
}

#[test]
fn a_change_has_the_revision_it_was_made_at_whatever_was_read() {
    let world = World::new();
    let trail = world.trail(Method::Lock);
    trail.change_begins();
    trail.change_ends(Ok(Some(1)));
    trail.change_begins();
    trail.change_ends(Ok(Some(2)));
    trail.set_revision(9);
    trail.end(Code::Ok, None);
    assert_eq!(world.lines(), [json!({ "code": "OK", "revision": 2 })]);
}

#[test]
fn who_proves_nothing_has_so_many_lines_but_no_change_is_left_out() {
    let world = World::new();
    let many = MOST_LINES * 10;
    for n in 0..many {
        let login = world.trail(Method::Authenticate);
        login.set_claimed_user(&"x".repeat(1_500_000));
        login.end(Code::InvalidArgument, Some(Error::AuthFailed));
        let put = world.trail(Method::Put);
        put.changes(&(), key("k"));
        put.change_begins();
        if n % 2 == 0 {
            put.change_ends(Ok(Some(2)));
        }
        put.end(Code::Ok, None);
        let of_somebody = world.trail(Method::Range);
        of_somebody.set_user("alice");
        of_somebody.end(Code::PermissionDenied, Some(Error::PermissionDenied));
    }
    let lines = world.lines();
    let count = |code: &str| lines.iter().filter(|line| line["code"] == code).count();
    assert_eq!((count("OK"), count("PermissionDenied")), (many as usize, many as usize));
    let logins = lines.iter().filter(|line| line["code"] == "InvalidArgument");
    let (told, withheld): (Vec<_>, Vec<_>) = logins.partition(|line| line["more"].is_null());
    let more: u64 = withheld.iter().map(|line| line["more"].as_u64().unwrap()).sum();
    // More than one second may have gone by, but not ten.
    assert!(told.len() >= MOST_LINES as usize && more > 0, "{} and {more}", told.len());
    assert_eq!(told.len() as u64 + more, u64::from(many));
    assert!(told.iter().all(|line| line["user"].as_str().unwrap().len() == 1024 && line["user_bytes"] == 1_500_000));
}

#[test]
fn nobody_waits_for_another_request() {
    let world = World::new();
    let trail = world.trail(Method::Watch);
    trail.set_user("alice");
    trail.asked(key("a"), Ok(()));
    trail.asked(key("b"), Err(Error::PermissionDenied));
    let lines = world.lines();
    assert_eq!(lines[0], json!({ "user": "alice", "keys": [{ "key": "a" }], "code": "OK" }));
    assert_eq!((&lines[1]["keys"], &lines[1]["code"]), (&json!([{ "key": "b" }]), &json!("PermissionDenied")));
}
