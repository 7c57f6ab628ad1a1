//! Who leads, in the one place where the whole process learns it. The Raft thread tells; anyone may look or wait.

use std::time::{Duration, Instant};

use keyport_raft::LeaderState;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::ending::{Ending, Waiter};

/// Election timeouts without a leader after which streams that insist on one are ended. Reconnecting costs a client far
/// more than a refused call, so an election that goes well ends none.
const PATIENCE: u32 = 3;

/// The leader as this member knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leader {
    /// 0 while none is known.
    pub(crate) id: u64,
    /// Whether it is this member.
    pub(crate) is_local: bool,
    pub(crate) term: u64,
    /// When it became known, or was lost.
    pub(crate) since: Instant,
    /// How many leaders have been seen.
    pub(crate) seen: u64,
    /// When this member was last elected.
    pub(crate) elected: Option<Instant>,
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Leadership {
    leader: watch::Sender<Leader>,
    /// Raised when the leader has been unknown for too long; another one for the time after that.
    lost: Mutex<Ending>,
    confirmed: Mutex<Option<Confirmed>>,
    election_timeout: Duration,
}

/// In this term a quorum has acknowledged this member as its leader, at this time or later.
#[derive(Clone, Copy, Debug)]
struct Confirmed {
    term: u64,
    at: Instant,
}

impl Leadership {
    pub(crate) fn new(election_timeout: Duration) -> Leadership {
        let nobody = Leader { id: 0, is_local: false, term: 0, since: Instant::now(), seen: 0, elected: None };
        Leadership {
            leader: watch::Sender::new(nobody),
            lost: Mutex::default(),
            confirmed: Mutex::default(),
            election_timeout,
        }
    }

    pub(crate) fn election_timeout(&self) -> Duration {
        self.election_timeout
    }

    /// What the Raft thread says, `now`.
    pub(crate) fn tell(&self, state: &LeaderState, now: Instant) {
        self.leader.send_if_modified(|leader| {
            let is_other = state.leader != leader.id || (state.leader != 0 && state.term != leader.term);
            leader.term = state.term;
            if is_other {
                leader.id = state.leader;
                leader.is_local = state.is_leader;
                leader.since = now;
                leader.seen += u64::from(state.leader != 0);
                if state.is_leader {
                    leader.elected = Some(now);
                }
            }
            is_other
        });
    }

    pub(crate) fn leader(&self) -> Leader {
        *self.leader.borrow()
    }

    /// Sees every change from now on.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Leader> {
        self.leader.subscribe()
    }

    /// For a stream that is to end when the leader is lost for long. To be asked for while there is one.
    pub(crate) fn lost(&self) -> Waiter {
        let mut lost = self.lost.lock();
        if lost.is_raised() && self.leader().id != 0 {
            *lost = Ending::default();
        }
        lost.wait()
    }

    /// Ends the streams that insist on a leader whenever there has been none for too long. Runs as long as the node.
    pub(crate) async fn end_leaderless_streams(&self) {
        let mut changes = self.subscribe();
        loop {
            let Ok(lost) = changes.wait_for(|leader| leader.id == 0).await.map(|leader| *leader) else { return };
            tokio::select! {
                found = changes.wait_for(|leader| leader.id != 0) => {
                    if found.is_err() {
                        return;
                    }
                    continue;
                }
                () = tokio::time::sleep_until((lost.since + PATIENCE * self.election_timeout).into()) => {}
            }
            // Between two looks a leader may have come and gone.
            let now = self.leader();
            if now.id != 0 || now.since != lost.since {
                continue;
            }
            tracing::warn!(without_leader_for = ?now.since.elapsed(), "no leader: ending the streams that insist on one");
            self.lost.lock().raise();
            if changes.wait_for(|leader| leader.id != 0).await.is_err() {
                return;
            }
        }
    }

    /// Remembers that a round which began at `at` has confirmed this member as the leader of `term`.
    pub(crate) fn confirm(&self, term: u64, at: Instant) {
        let mut confirmed = self.confirmed.lock();
        if confirmed.is_none_or(|known| known.term < term || (known.term == term && known.at < at)) {
            *confirmed = Some(Confirmed { term, at });
        }
    }

    /// Whether this member was confirmed as the leader of `term` a moment ago: within half an election timeout, before
    /// the end of which no other leader is elected, unless by this one's own wish.
    pub(crate) fn is_confirmed(&self, term: u64, now: Instant) -> bool {
        let confirmed = *self.confirmed.lock();
        let window = self.election_timeout / 2;
        confirmed.is_some_and(|known| known.term == term && now.saturating_duration_since(known.at) < window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn state(leader: u64, term: u64) -> LeaderState {
        LeaderState { leader, term, is_leader: leader == 1 }
    }

    #[test]
    fn a_loss_dates_from_its_beginning_whatever_the_terms_do() {
        let leadership = Leadership::new(Duration::from_secs(1));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        leadership.tell(&state(2, 3), at(1));
        leadership.tell(&state(0, 3), at(2));
        leadership.tell(&state(0, 4), at(3));
        assert_eq!(
            leadership.leader(),
            Leader { id: 0, is_local: false, term: 4, since: at(2), seen: 1, elected: None }
        );
        leadership.tell(&state(2, 5), at(4));
        // Elected again without having been missed.
        leadership.tell(&state(2, 6), at(5));
        assert_eq!(
            leadership.leader(),
            Leader { id: 2, is_local: false, term: 6, since: at(5), seen: 3, elected: None }
        );
    }

    #[test]
    fn a_confirmation_holds_for_its_term_and_a_while() {
        let leadership = Leadership::new(Duration::from_secs(2));
        let start = Instant::now();
        let later = start + Duration::from_secs(1);
        assert!(!leadership.is_confirmed(1, start));
        leadership.confirm(1, start);
        assert!(leadership.is_confirmed(1, start));
        assert!(!leadership.is_confirmed(1, later));
        assert!(!leadership.is_confirmed(2, start));
        leadership.confirm(1, later);
        // A round that began earlier may end later.
        leadership.confirm(1, start);
        assert!(leadership.is_confirmed(1, later));
    }

    #[tokio::test(start_paused = true)]
    async fn streams_end_after_three_election_timeouts_without_a_leader() {
        let election = Duration::from_secs(1);
        let leadership = Arc::new(Leadership::new(election));
        let told = |leader, term| leadership.tell(&state(leader, term), tokio::time::Instant::now().into_std());
        told(2, 1);
        let watcher = Arc::clone(&leadership);
        tokio::spawn(async move { watcher.end_leaderless_streams().await });
        let mut lost = leadership.lost();

        told(0, 2);
        assert!(tokio::time::timeout(election * 2, lost.raised()).await.is_err());
        told(3, 2);
        tokio::time::sleep(election * 4).await;
        assert!(!lost.is_raised(), "an election is no loss");

        told(0, 3);
        let start = tokio::time::Instant::now();
        lost.raised().await;
        assert!(start.elapsed() >= election * 3);
        told(2, 4);
        assert!(!leadership.lost().is_raised(), "a new leader, a new stream");
    }
}
