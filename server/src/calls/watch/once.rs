//! The next change of some keys, for who asks for no more than one.

use keyport_api::error::Error;
use keyport_storage::KeyRange;
use keyport_storage::watch::{WatchMessage, WatchSpec};

use super::{Subscription, Watch};
use crate::gate::Caller;

impl Watch {
    /// Returns once a key of the range is changed after a revision, or may have been: the change is no longer known.
    ///
    /// # Errors
    /// As the RPC; why the caller may watch no longer.
    pub async fn changed(&self, caller: &Caller, range: KeyRange, revision: i64) -> Result<(), Error> {
        let mut subscription = self.subscribe(caller, std::slice::from_ref(&range))?;
        let spec = WatchSpec { start_revision: revision + 1, ..WatchSpec::new(range) };
        if subscription.stream.create(spec).is_err() {
            return Ok(());
        }
        let mut messages = Vec::new();
        loop {
            let Subscription { stream, end, rules_changed, .. } = &mut subscription;
            tokio::select! {
                count = stream.next_batch(&mut messages, 1) => {
                    if count == 0 || !messages.drain(..).all(|message| says_nothing(&message)) {
                        return Ok(());
                    }
                }
                reason = end.reached() => return Err(reason),
                () = rules_changed.again() => self.still_may(&subscription)?,
            }
        }
    }
}

fn says_nothing(message: &WatchMessage) -> bool {
    matches!(message, WatchMessage::Created { .. } | WatchMessage::Progress { .. })
}
