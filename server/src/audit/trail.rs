//! What is found out about one request on its way, for its line.

#[cfg(test)]
mod tests;

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
