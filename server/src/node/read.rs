//! Linearizable reads: wait until this member has applied all that was committed when the read began.

use keyport_api::error::Error;
use keyport_raft::ReadIndexError;
use tokio::time::timeout;

use super::Node;

impl Node {
    /// Returns once a read of the local store is linearizable.
    ///
    /// The sole voter needs no round: an answer to a write is only ever given after it was applied here.
    ///
    /// # Errors
    /// `Timeout`, `LeaderChanged`, `Stopped`.
    pub(crate) async fn read_barrier(&self) -> Result<(), Error> {
        if self.raft().is_single_voter_leader() {
            return Ok(());
        }
        let confirmed = async {
            let index = self.raft().read_index().await.map_err(|error| match error {
                ReadIndexError::Stopped => Error::Stopped,
                ReadIndexError::Busy => Error::RequestTooManyRequests,
            })?;
            self.state().applied.reached(index).await;
            Ok(())
        };
        match timeout(self.limits().request_timeout, confirmed).await {
            Ok(outcome) => outcome,
            Err(_) => {
                self.metrics().slow_read_indexes.inc();
                Err(Error::Timeout)
            }
        }
    }
}
