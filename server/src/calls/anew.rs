//! Calls of who was known by users and roles that have changed since. They are judged anew by who he is now: that somebody
//! else was given a role a moment ago is not his business.

use futures_util::future::BoxFuture;
use keyport_api::error::Error;

use super::Desk;
use crate::gate::Pass;

/// Each of them has lost against another change of users and roles. Beside a script that makes one after the other, a member
/// that is some milliseconds behind loses most of the time.
const ATTEMPTS: usize = 100;

impl Desk {
    /// Makes a call that `AuthOldRevision` was the answer to once more, as whoever makes it is known by now, and again while
    /// that is newer each time. A token that says a revision itself stays as old as it is.
    ///
    /// # Errors
    /// `AuthOldRevision`; the call's own.
    pub(super) async fn anew<'a, T>(
        &self,
        pass: &Pass,
        call: impl Fn(Pass) -> BoxFuture<'a, Result<T, Error>>,
    ) -> Result<T, Error> {
        let mut known = pass.clone();
        for _ in 0..ATTEMPTS {
            let Some(newer) = self.gate.newer(&known) else { break };
            known = newer;
            match call(known.clone()).await {
                Err(Error::AuthOldRevision) => {}
                outcome => return outcome,
            }
        }
        Err(Error::AuthOldRevision)
    }
}
