//! When somebody has to be judged anew who was let in before and goes on: he holds something, or looks on.

use keyport_api::error::Error;

use super::Desk;
use crate::gate::{Heard, Pass, StreamEnd};

/// See the module's text.
#[derive(Debug)]
pub(crate) struct JudgedAnew {
    rules_changed: Heard,
    end: StreamEnd,
}

impl Desk {
    /// Hears of it from now on.
    pub(super) fn judged_anew(&self, pass: &Pass) -> JudgedAnew {
        JudgedAnew { rules_changed: self.gate.rules_changed(), end: self.gate.end_of(pass) }
    }
}

impl JudgedAnew {
    /// Returns when users or roles have changed: whether he may go on is to be asked again.
    ///
    /// # Errors
    /// Why he may not, whatever they say: what he is known by has ended, or the server stops.
    pub(crate) async fn is_due(&mut self) -> Result<(), Error> {
        tokio::select! {
            reason = self.end.reached() => Err(reason),
            () = self.rules_changed.again() => Ok(()),
        }
    }
}
