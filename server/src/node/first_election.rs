//! The first election after a start: nobody needs to be waited for as long as for a leader that was lost.

use std::time::Duration;

use super::Node;

/// etcd's wait for connections; later than that the election is on its way anyhow.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(50);
/// A leader that is there has this long to make itself heard.
const HEARTBEATS_LEFT: usize = 2;

impl Node {
    /// Once a majority is connected, lets most of the first election timeout pass at once.
    pub(crate) async fn hasten_first_election(self, election_ticks: usize) {
        let mut clock = tokio::time::interval(LOOK);
        let connected = async {
            loop {
                clock.tick().await;
                let own = self.identity().member_id;
                let voters: Vec<u64> = self.state().membership.look(|r| r.voters().map(|member| member.id).collect());
                let others = voters.iter().filter(|id| **id != own);
                let active = others.filter(|id| self.peers().active_since(**id).is_some()).count();
                if voters.len() > 1 && active >= voters.len() / 2 {
                    return;
                }
            }
        };
        if tokio::time::timeout(PATIENCE, connected).await.is_ok() {
            let ticks = election_ticks.saturating_sub(HEARTBEATS_LEFT);
            // Refused only where nothing more is to be elected.
            if self.raft().advance_ticks(ticks).is_ok() {
                tracing::info!(forward_ticks = ticks, "initialized peer connections; fast-forwarding election ticks");
            }
        }
    }
}
