//! Tokens that nobody has used for long are dropped.

use std::time::Duration;

use super::Node;

const SWEEP_EVERY: Duration = Duration::from_secs(1);

impl Node {
    /// Runs for as long as the node.
    pub(crate) async fn sweep_tokens(self) {
        let mut every = tokio::time::interval(SWEEP_EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            self.state().tokens.sweep();
        }
    }
}
