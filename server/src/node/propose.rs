//! Writes: from a command to its outcome, through the log.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use keyport_api::error::Error;
use keyport_raft::{ProposeError, RaftHandle};
use tokio::sync::oneshot::Receiver;
use tonic::Code;

use super::timeouts::Circumstances;
use super::{Node, raft_error};
use crate::apply::waiters::{Answer, Outcome};
use crate::apply::{Command, Cost, Proposal, Replicated};
use crate::gate::{Pass, Trail};
use crate::metrics::RequestTimer;
use crate::steps;

/// Where the outcome of a request will be told, if it was taken.
pub(super) struct Offered<'a, R> {
    timer: RequestTimer<'a>,
    outcome: Result<Receiver<Outcome>, Error>,
    trail: Option<Arc<Trail>>,
    request: PhantomData<fn() -> R>,
}

/// Entries that may be committed and not yet applied before new proposals are refused.
const MAX_APPLY_GAP: u64 = 5000;

impl Node {
    /// Proposes `request` and waits until it is applied here. Dropping the future gives up the answer, not the proposal:
    /// it may still take effect.
    ///
    /// # Errors
    /// What the state machine answers; `TooManyRequests`, `RequestTooLarge`, `Timeout`, `Stopped`.
    pub(crate) async fn propose<R: Replicated>(&self, pass: &Pass, request: R) -> Result<Answer<R::Reply>, Error> {
        self.offer(pass, request, |raft, entry| raft.propose(entry)).outcome().await
    }

    /// As [`Node::propose`], for what this member decides on as the leader of `term`: nothing comes of it once that term is
    /// over. Another leader may have decided otherwise by then, or may have prolonged the lease that this would end.
    ///
    /// # Errors
    /// The same; `LeaderChanged`.
    pub(crate) async fn propose_in_term<R: Replicated>(
        &self,
        term: u64,
        pass: &Pass,
        request: R,
    ) -> Result<Answer<R::Reply>, Error> {
        self.offer_in_term(term, pass, request).outcome().await
    }

    /// The part of it that does not wait: what is offered later comes later in the log.
    pub(super) fn offer_in_term<R: Replicated>(&self, term: u64, pass: &Pass, request: R) -> Offered<'_, R> {
        self.offer(pass, request, |raft, entry| raft.propose_in_term(term, entry))
    }

    /// What this member finds out by itself: bound to the term if it leads, and passed on to the leader if it does not.
    ///
    /// # Errors
    /// As above.
    pub(crate) async fn propose_own<R: Replicated>(
        &self,
        term: Option<u64>,
        pass: &Pass,
        request: R,
    ) -> Result<Answer<R::Reply>, Error> {
        match term {
            Some(term) => self.propose_in_term(term, pass, request).await,
            None => self.propose(pass, request).await,
        }
    }

    fn offer<R: Replicated>(
        &self,
        pass: &Pass,
        request: R,
        propose: impl FnOnce(&RaftHandle, Bytes) -> Result<(), ProposeError>,
    ) -> Offered<'_, R> {
        let command = request.into_command();
        let timer = self.metrics().time_request(command.name());
        let outcome = self.offer_command(pass, command, propose);
        if let Err(error) = &outcome {
            tracing::debug!(caller = %pass.caller(), %error, "a proposal was not taken");
        }
        let trail = pass.caller().trail().filter(|_| outcome.is_ok()).cloned();
        if let Some(trail) = &trail {
            trail.change_begins();
        }
        Offered { timer, outcome, trail, request: PhantomData }
    }

    fn offer_command(
        &self,
        pass: &Pass,
        command: Command,
        propose: impl FnOnce(&RaftHandle, Bytes) -> Result<(), ProposeError>,
    ) -> Result<Receiver<Outcome>, Error> {
        let node = &*self.0;
        let committed = node.raft.commit();
        if committed > node.state.applied.index().saturating_add(MAX_APPLY_GAP) {
            return Err(Error::RequestTooManyRequests);
        }
        let id = node.ids.next();
        let entry = Proposal { id, author: pass.caller().author(), command }.encode();
        let size = entry.encoded_len();
        if size > node.limits.request_bytes {
            return Err(Error::RequestTooLarge);
        }
        let waiter = node.waiters.register(id);
        if let Err(error) = propose(&node.raft, entry.encode_to_vec().into()) {
            node.waiters.forget(id);
            node.metrics.proposals_failed.inc();
            return Err(raft_error::proposing(error));
        }
        Ok(waiter)
    }

    /// Whether there is room for what `request` would add.
    pub(crate) fn has_room_for(&self, request: &impl Cost) -> bool {
        self.0.quota.fits(request)
    }

    /// The same as of now, once the compaction that is under way has made what room it can; that may take as long as a request.
    pub(crate) async fn has_room_in_time_for(&self, request: &impl Cost) -> bool {
        // Another member may know of one that this one has not heard of yet. If nobody leads, it goes by what is here.
        let _ = self.read_barrier().await;
        let Some(compaction) = self.0.quota.compaction() else { return self.has_room_for(request) };
        // Whether it has failed is not what is asked here.
        let _ = tokio::time::timeout(self.limits().request_timeout, compaction.finished()).await;
        self.has_room_for(request)
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

impl<R: Replicated> Offered<'_, R> {
    /// Waits for it.
    ///
    /// # Errors
    /// Why it was not taken; what the state machine answers; `Timeout`, `Stopped`.
    pub(super) async fn outcome(self) -> Result<Answer<R::Reply>, Error> {
        let outcome = told(self.outcome?).await;
        let end = Instant::now();
        steps::note("propose until applied", self.timer.start(), end);
        if let Some(trail) = self.trail {
            trail.change_ends(outcome.as_ref().map(|answer| Some(answer.revision)).map_err(|error| *error));
        }
        // As etcd counts: a refusal by the state machine is an answer. None of those says that something is not available.
        if !outcome.as_ref().is_err_and(|error| error.code() == Code::Unavailable) {
            self.timer.succeeded_at(end);
        }
        let Answer { revision, reply } = outcome?;
        match R::reply(reply) {
            Some(reply) => Ok(Answer { revision, reply }),
            None => {
                tracing::error!("an answer is to another request than the one that waits for it");
                Err(Error::ReplyMismatch)
            }
        }
    }
}

/// What is told to a waiter.
///
/// # Errors
/// What the state machine answers; `Timeout`, `Stopped`.
pub(super) async fn told(waiter: Receiver<Outcome>) -> Outcome {
    // The sender is dropped without an answer only when the node goes down.
    waiter.await.unwrap_or(Err(Error::Stopped))
}
