//! What is found out about one request on its way, for its line.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use keyport_api::error::Error;
use keyport_storage::KeyRange;
use tonic::Code;

use super::AuditLog;
use super::line::{Line, Outcome};

/// See the module's text. Shared by all who learn something.
#[derive(Debug)]
pub(crate) struct Trail {
    log: AuditLog,
    from: Option<IpAddr>,
    call: Cow<'static, str>,
    user: OnceLock<Arc<str>>,
    keys: OnceLock<Vec<KeyRange>>,
    revision: OnceLock<i64>,
}

impl Trail {
    /// Of a request for `call`, the path of an RPC, or a method and a path.
    pub(crate) fn new(log: &AuditLog, from: Option<IpAddr>, call: impl Into<Cow<'static, str>>) -> Trail {
        let (log, call) = (log.clone(), call.into());
        Trail { log, from, call, user: OnceLock::new(), keys: OnceLock::new(), revision: OnceLock::new() }
    }

    /// Whose it is, or whose it says to be where that is what it is about.
    pub(crate) fn set_user(&self, user: &str) {
        self.user.get_or_init(|| user.into());
    }

    pub(crate) fn set_keys(&self, keys: impl FnOnce() -> Vec<KeyRange>) {
        self.keys.get_or_init(keys);
    }

    /// At which revision of the store it was done.
    pub(crate) fn set_revision(&self, revision: i64) {
        self.revision.get_or_init(|| revision);
    }

    /// The request is answered.
    pub(crate) fn end(&self, code: Code, error: Option<Error>) {
        let keys = self.keys.get().map(Vec::as_slice).unwrap_or_default();
        let outcome = match code {
            Code::Ok => Outcome::Done(self.revision.get().copied()),
            code => Outcome::Refused(code, error),
        };
        self.write(keys, outcome);
    }

    /// Something was asked for in a stream that goes on.
    pub(crate) fn asked(&self, keys: &[KeyRange], outcome: Result<(), Error>) {
        self.write(
            keys,
            match outcome {
                Ok(()) => Outcome::Done(None),
                Err(error) => Outcome::of(error),
            },
        );
    }

    fn write(&self, keys: &[KeyRange], outcome: Outcome) {
        let user = self.user.get().map(|user| &**user);
        self.log.write(&Line { user, from: self.from, call: &self.call, keys, outcome });
    }
}
