//! What a caller is told when a proposal took too long: etcd's texts, by which clients decide whether to try again
//! elsewhere.

use std::time::{Duration, Instant};

use keyport_api::error::Error;

use crate::state::leadership::Leader;

/// What is known about the cluster when the patience ends.
pub(super) struct Circumstances<'a, F> {
    pub(super) leader: Leader,
    pub(super) election_timeout: Duration,
    pub(super) own_id: u64,
    pub(super) voters: &'a [u64],
    /// Since when messages to a peer have got through.
    pub(super) connected_since: F,
}

impl<F: Fn(u64) -> Option<Instant>> Circumstances<'_, F> {
    /// Why what began at `start` is not done yet.
    pub(super) fn explain(&self, start: Instant) -> Error {
        let leader = self.leader;
        // Nobody has seen it.
        if leader.id == 0 && leader.since <= start {
            return Error::ContextDeadlineExceeded;
        }
        // It began under the leader before this member, or between the two.
        if let Some(elected) = leader.elected
            && start < elected
            && elected < start + 2 * self.election_timeout
        {
            return Error::TimeoutDueToLeaderFail;
        }
        let is_connected = |id| id == self.own_id || (self.connected_since)(id).is_some_and(|since| since < start);
        let connected = match leader.id {
            0 => true,
            id if id == self.own_id => {
                self.voters.iter().filter(|id| is_connected(**id)).count() > self.voters.len() / 2
            }
            id => is_connected(id),
        };
        if connected { Error::Timeout } else { Error::TimeoutDueToConnectionLost }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ELECTION: Duration = Duration::from_secs(1);

    /// `connected`: peers and since which second.
    fn explain(leader: Leader, connected: &[(u64, Instant)], start: Instant) -> Error {
        let connected_since = |id| connected.iter().find(|(connected, _)| *connected == id).map(|(_, since)| *since);
        Circumstances { leader, election_timeout: ELECTION, own_id: 1, voters: &[1, 2, 3], connected_since }
            .explain(start)
    }

    #[test]
    fn a_late_proposal_is_explained_as_etcd_does() {
        let epoch = Instant::now();
        let at = |seconds| epoch + Duration::from_secs(seconds);
        let lost = Leader { id: 0, is_local: false, term: 5, since: at(10), seen: 1, elected: None };
        assert_eq!(explain(lost, &[], at(11)), Error::ContextDeadlineExceeded);
        assert_eq!(explain(lost, &[], at(9)), Error::Timeout);

        let local = Leader { id: 1, is_local: true, since: at(10), elected: Some(at(10)), ..lost };
        let all = [(2, at(0)), (3, at(0))];
        assert_eq!(explain(local, &all, at(9)), Error::TimeoutDueToLeaderFail);
        assert_eq!(explain(local, &all, at(8)), Error::Timeout, "long before the election");
        assert_eq!(explain(local, &all, at(11)), Error::Timeout);
        assert_eq!(explain(local, &[(2, at(0))], at(11)), Error::Timeout, "a quorum is enough");
        assert_eq!(explain(local, &[(2, at(12))], at(11)), Error::TimeoutDueToConnectionLost, "the link was down");
        assert_eq!(explain(local, &[], at(11)), Error::TimeoutDueToConnectionLost);

        let other = Leader { id: 2, is_local: false, elected: None, ..local };
        assert_eq!(explain(other, &all, at(9)), Error::Timeout, "only who was elected knows when");
        assert_eq!(explain(other, &[(3, at(0))], at(11)), Error::TimeoutDueToConnectionLost);
    }
}
