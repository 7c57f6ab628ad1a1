//! A permission that remembers what it permitted, and refuses what a test wants refused.

use std::sync::Arc;

use keyport_api::error::Error;
use keyport_api::methods::Method;
use parking_lot::Mutex;

use crate::gate::{Caller, Permission};

/// See the module's text. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Admissions(Arc<Mutex<Book>>);

#[derive(Debug, Default)]
struct Book {
    admitted: Vec<Method>,
    refusal: Option<Error>,
}

impl Admissions {
    /// What was asked for since the last look, in that order, refused or not.
    pub(crate) fn take(&self) -> Vec<Method> {
        std::mem::take(&mut self.0.lock().admitted)
    }

    /// Answers everything with this from now on; with `None` all is permitted again.
    pub(crate) fn refuse(&self, refusal: Option<Error>) {
        self.0.lock().refusal = refusal;
    }
}

impl Permission for Admissions {
    fn permit(&self, _: &Caller, method: Method) -> Result<(), Error> {
        let mut book = self.0.lock();
        book.admitted.push(method);
        book.refusal.map_or(Ok(()), Err)
    }
}
