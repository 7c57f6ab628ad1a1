//! Writes: from a command to its outcome, through the log.

use bytes::Bytes;
use keyport_api::error::Error;
use keyport_raft::{ProposeError, RaftHandle};
use prost::Message;
use tokio::sync::oneshot::Receiver;

use super::Node;
use super::timeouts::Circumstances;
use crate::apply::waiters::Outcome;
use crate::apply::{Command, Proposal, Reply};

/// Where the outcome of a command will be told, if it was taken.
pub(super) type Offered = Result<Receiver<Outcome>, Error>;

/// Entries that may be committed and not yet applied before new proposals are refused.
const MAX_APPLY_GAP: u64 = 5000;

impl Node {
    /// Proposes `command` and waits until it is applied here. Dropping the future gives up the answer, not the
    /// proposal: it may still take effect.
    ///
    /// # Errors
    /// What the state machine answers; `TooManyRequests`, `RequestTooLarge`, `Timeout`, `Stopped`.
    pub(crate) async fn propose(&self, command: Command) -> Result<Reply, Error> {
        outcome(self.offer(command, |raft, entry| raft.propose(entry))).await
    }

    /// As [`Node::propose`], for what this member decides on as the leader of `term`: nothing comes of it once that term is
    /// over. Another leader may have decided otherwise by then, or may have prolonged the lease that this would end.
    ///
    /// # Errors
    /// The same; `LeaderChanged`.
    pub(crate) async fn propose_in_term(&self, term: u64, command: Command) -> Result<Reply, Error> {
        outcome(self.offer_in_term(term, command)).await
    }

    /// The part of it that does not wait: what is offered later comes later in the log.
    pub(super) fn offer_in_term(&self, term: u64, command: Command) -> Offered {
        self.offer(command, |raft, entry| raft.propose_in_term(term, entry))
    }

    /// What this member finds out by itself: bound to the term if it leads, and passed on to the leader if it does not.
    ///
    /// # Errors
    /// As above.
    pub(crate) async fn propose_own(&self, term: Option<u64>, command: Command) -> Result<Reply, Error> {
        match term {
            Some(term) => self.propose_in_term(term, command).await,
            None => self.propose(command).await,
        }
    }

    fn offer(&self, command: Command, propose: impl FnOnce(&RaftHandle, Bytes) -> Result<(), ProposeError>) -> Offered {
        let node = &*self.0;
        let committed = node.raft.commit();
        if committed > node.state.applied.index().saturating_add(MAX_APPLY_GAP) {
            return Err(Error::RequestTooManyRequests);
        }
        let id = node.ids.next();
        let entry = Proposal { id, command }.encode();
        let size = entry.encoded_len();
        if size > node.limits.request_bytes {
            return Err(Error::RequestTooLarge);
        }
        let waiter = node.waiters.register(id);
        if let Err(error) = propose(&node.raft, entry.encode_to_vec().into()) {
            node.waiters.forget(id);
            node.metrics.proposals_failed.inc();
            return Err(match error {
                ProposeError::Busy => Error::RequestTooManyRequests,
                ProposeError::Stopped => Error::Stopped,
            });
        }
        Ok(waiter)
    }

    /// # Errors
    /// `NoSpace` when `command` would not fit; the alarm is raised on the way.
    pub(crate) fn check_quota(&self, command: &Command) -> Result<(), Error> {
        if self.0.quota.fits(command) {
            return Ok(());
        }
        self.raise_out_of_space();
        Err(Error::NoSpace)
    }

    /// Fails proposals that wait for longer than the request timeout.
    pub(super) fn sweep_waiters(&self) {
        let node = &*self.0;
        let voters = node.raft.status().conf_state.voters;
        let circumstances = Circumstances {
            leader: node.state.leadership.leader(),
            election_timeout: node.state.leadership.election_timeout(),
            own_id: node.identity.member_id,
            voters: &voters,
            connected_since: |id| node.peers.active_since(id),
        };
        let late = node.waiters.expire(node.limits.request_timeout, |start| circumstances.explain(start));
        node.metrics.proposals_failed.inc_by(late as u64);
    }
}

/// Waits for what was offered.
///
/// # Errors
/// Why it was not taken; what the state machine answers; `Timeout`, `Stopped`.
pub(super) async fn outcome(offered: Offered) -> Result<Reply, Error> {
    // The sender is dropped without an answer only when the node goes down.
    offered?.await.unwrap_or(Err(Error::Stopped))
}
