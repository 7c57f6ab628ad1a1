//! Linearizable reads: wait until this member has applied all that was committed when the read began.

use std::time::Instant;

use keyport_api::error::Error;
use tokio::time::timeout;

use super::{Node, raft_error};
use crate::steps;

impl Node {
    /// Returns once a read of the local store is linearizable.
    ///
    /// The sole voter needs no round, but has to have applied what others may have answered for while they voted, or this
    /// member itself before it was started again. Mostly there is nothing to wait for.
    ///
    /// A question that is under way when the leader changes is put to the new one; etcd would answer "leader changed"
    /// there, and here that is the answer only if the new one does not answer either.
    ///
    /// # Errors
    /// `Timeout`, `LeaderChanged`, `Stopped`, `RequestTooManyRequests`.
    pub(crate) async fn read_barrier(&self) -> Result<(), Error> {
        if self.raft().read_index_now().is_some_and(|index| index <= self.state().applied.index()) {
            return Ok(());
        }
        let start = Instant::now();
        let outcome = self.confirm().await;
        steps::note("read barrier", start, Instant::now());
        outcome
    }

    /// By a round among the members.
    async fn confirm(&self) -> Result<(), Error> {
        let leaders_seen = self.state().leadership.leader().seen;
        let confirmed = async {
            let index = self.raft().read_index().await.map_err(raft_error::reading)?;
            self.state().applied.reached(index).await;
            Ok(())
        };
        let Ok(outcome) = timeout(self.limits().request_timeout, confirmed).await else {
            if self.state().leadership.leader().seen != leaders_seen {
                self.metrics().read_indexes_failed.inc();
                return Err(Error::LeaderChanged);
            }
            self.metrics().slow_read_indexes.inc();
            return Err(Error::Timeout);
        };
        if outcome.is_err() {
            self.metrics().read_indexes_failed.inc();
        }
        outcome
    }
}
