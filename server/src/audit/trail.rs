//! What is found out about one request on its way, for its line.

use std::borrow::Cow;
use std::net::IpAddr;

use keyport_api::error::Error;
use keyport_api::methods::Method;
use keyport_storage::KeyRange;
use parking_lot::Mutex;
use tonic::Code;

use super::AuditLog;
use super::about::{About, Subject};
use super::limits::Kind;
use super::line::{Line, Outcome};
use super::short::{Keys, Short};

/// See the module's text. Shared by all who learn something.
#[derive(Debug)]
pub(crate) struct Trail {
    log: AuditLog,
    from: Option<IpAddr>,
    /// The RPC, or a method and a path.
    method: Option<Method>,
    call: Cow<'static, str>,
    facts: Mutex<Facts>,
}

#[derive(Clone, Debug, Default)]
struct Facts {
    user: Option<Short>,
    /// The user is who he says.
    is_proven: bool,
    keys: Keys,
    about: About,
    read_at: Option<i64>,
    /// Something was changed, and where it has one, at this revision.
    changed: Option<Option<i64>>,
    /// Something was handed to the log, and what came of it is not known yet.
    is_under_way: bool,
    /// Its line is written.
    has_ended: bool,
}

impl Trail {
    /// Of a request for an RPC, whatever face it came by.
    pub(crate) fn of_method(log: &AuditLog, from: Option<IpAddr>, method: Method) -> Trail {
        Trail { log: log.clone(), from, method: Some(method), call: method.path().into(), facts: Mutex::default() }
    }

    /// Of a request beside the RPCs.
    pub(crate) fn of_resource(log: &AuditLog, from: Option<IpAddr>, call: String) -> Trail {
        Trail { log: log.clone(), from, method: None, call: call.into(), facts: Mutex::default() }
    }

    /// Whose it is.
    pub(crate) fn set_user(&self, user: &str) {
        let mut facts = self.facts.lock();
        if !facts.is_proven {
            (facts.user, facts.is_proven) = (Some(Short::of(user)), true);
        }
    }

    /// Whose it says to be, where that is what it is about. Who is somebody already may try to be somebody else.
    pub(crate) fn set_claimed_user(&self, user: &str) {
        let mut facts = self.facts.lock();
        if facts.is_proven {
            facts.about = About::default().text("user", user);
        } else {
            facts.user = Some(Short::of(user));
        }
    }

    /// He is.
    pub(crate) fn user_is_proven(&self) {
        self.facts.lock().is_proven = true;
    }

    /// What is asked for, as far as it was not known.
    pub(crate) fn asks_for(&self, request: &impl Subject, keys: impl FnOnce() -> Vec<KeyRange>) {
        let mut facts = self.facts.lock();
        if facts.keys.is_empty() {
            facts.keys = Keys::of(keys());
        }
        if facts.about.is_empty() {
            facts.about = request.about();
        }
    }

    pub(crate) fn asks_for_keys(&self, keys: impl FnOnce() -> Vec<KeyRange>) {
        self.asks_for(&(), keys);
    }

    /// Which keys are changed: one call may change several things, one after the other, and not say itself which.
    pub(crate) fn changes(&self, request: &impl Subject, keys: Vec<KeyRange>) {
        let keys = Keys::of(keys);
        let mut facts = self.facts.lock();
        if facts.about.is_empty() {
            facts.about = request.about();
        }
        if !keys.is_empty() {
            facts.keys = keys;
        }
    }

    /// The member that is asked for has an id by now.
    pub(crate) fn adds_member(&self, id: u64) {
        let mut facts = self.facts.lock();
        facts.about = std::mem::take(&mut facts.about).member(id);
    }

    /// At which revision of the store was read.
    pub(crate) fn set_revision(&self, revision: i64) {
        self.facts.lock().read_at.get_or_insert(revision);
    }

    /// A change is handed to the log.
    pub(crate) fn change_begins(&self) {
        self.facts.lock().is_under_way = true;
    }

    /// What came of it: done, at a revision of the store where it has one; refused; or that nobody knows. If the call has
    /// its line already, that is a line of its own.
    pub(crate) fn change_ends(&self, outcome: Result<Option<i64>, Error>) {
        let mut facts = self.facts.lock();
        match outcome {
            Ok(revision) => {
                facts.changed = Some(revision.max(facts.changed.flatten()));
                facts.is_under_way = false;
            }
            // The log does not say that something is not available: it has not answered.
            Err(error) if error.code() == Code::Unavailable => {}
            Err(_) => facts.is_under_way = false,
        }
        if facts.has_ended {
            self.write(&facts, outcome.map_or_else(Outcome::of, |_| Outcome::Done), true);
        }
    }

    /// The request is answered, or given up.
    pub(crate) fn end(&self, code: Code, error: Option<Error>) {
        let outcome = match code {
            Code::Ok => Outcome::Done,
            code => Outcome::Refused(code, error),
        };
        let mut facts = self.facts.lock();
        self.write(&facts, outcome, false);
        facts.has_ended = true;
        (facts.changed, facts.is_under_way) = (None, false);
    }

    /// Something was asked for in a stream that goes on.
    pub(crate) fn asked(&self, keys: Vec<KeyRange>, outcome: Result<(), Error>) {
        let Facts { user, is_proven, .. } = self.facts.lock().clone();
        let facts = Facts { user, is_proven, keys: Keys::of(keys), ..Facts::default() };
        self.write(&facts, outcome.map_or_else(Outcome::of, |()| Outcome::Done), false);
    }

    fn write(&self, facts: &Facts, outcome: Outcome, is_late: bool) {
        let Facts { user, is_proven, keys, about, read_at, changed, is_under_way, .. } = facts;
        let writes = self.method.is_none_or(|method| method.info().writes());
        let is_done = matches!(outcome, Outcome::Done);
        let may_be_done = *is_under_way && writes && !is_done;
        let line = Line {
            user: user.as_ref(),
            from: self.from,
            call: &self.call,
            keys,
            about,
            outcome,
            // Of what was refused it is that of what was changed before.
            revision: if is_done { changed.unwrap_or(*read_at) } else { changed.flatten().filter(|_| writes) },
            may_be_done,
            is_late,
        };
        let is_change = writes && (changed.is_some() || may_be_done);
        let is_something = is_done && !(keys.is_empty() && about.is_empty());
        if *is_proven || is_change || is_something {
            self.log.write(&line, is_change);
        } else {
            self.log.write_one_of_many(&line, Kind::new(self.method, outcome.code()));
        }
    }
}

#[cfg(test)]
mod tests {
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
        assert!(
            told.iter().all(|line| line["user"].as_str().unwrap().len() == 1024 && line["user_bytes"] == 1_500_000)
        );
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
}
