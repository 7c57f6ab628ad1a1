//! What the metadata of a call says of its caller.

use std::future::poll_fn;
use std::task::{Context, Poll};

use http::HeaderMap;
use keyport_api::error::Error;

use crate::node::Node;
use crate::state::ending::Waiter;

/// Refuses what a learner does not serve, and a caller who would rather be refused than be served by a member without a
/// leader. What every call but the few of [`admit_to_any_member`] passes first.
///
/// # Errors
/// `NotSupportedForLearner`, `NoLeader`.
pub(crate) fn admit(node: &Node, metadata: &HeaderMap) -> Result<(), Error> {
    refuse_on_learner(node)?;
    admit_to_any_member(node, metadata)
}

/// As [`admit`], for calls that a learner serves too: its status, serializable ranges, snapshots.
///
/// # Errors
/// `NoLeader`.
pub(crate) fn admit_to_any_member(node: &Node, metadata: &HeaderMap) -> Result<(), Error> {
    if wants_leader(metadata) { node.require_leader() } else { Ok(()) }
}

/// A learner may be far behind, so it says that it does not serve instead.
///
/// # Errors
/// `NotSupportedForLearner`.
pub(crate) fn refuse_on_learner(node: &Node) -> Result<(), Error> {
    if node.raft().is_learner() { Err(Error::NotSupportedForLearner) } else { Ok(()) }
}

/// Whether the call carries `hasleader: true`.
pub(crate) fn wants_leader(metadata: &HeaderMap) -> bool {
    metadata.get("hasleader").is_some_and(|value| value == "true")
}

/// What ends a stream, or a call that may wait for long, though its caller would go on.
#[derive(Debug)]
pub(crate) struct StreamEnd {
    stopped: Waiter,
    /// For callers who insist on a leader.
    leader_lost: Option<Waiter>,
}

impl StreamEnd {
    /// Admits a stream as [`admit`] admits a call, and says when it has to end.
    ///
    /// # Errors
    /// As [`admit`].
    pub(crate) fn admit(node: &Node, metadata: &HeaderMap) -> Result<StreamEnd, Error> {
        admit(node, metadata)?;
        let insists = wants_leader(metadata);
        Ok(StreamEnd { stopped: node.stopping().wait(), leader_lost: insists.then(|| node.state().leadership.lost()) })
    }

    /// The reason to end now, if there is one.
    pub(crate) fn reason(&self) -> Option<Error> {
        if self.stopped.is_raised() {
            return Some(Error::Stopped);
        }
        self.leader_lost.as_ref().filter(|lost| lost.is_raised()).map(|_| Error::NoLeader)
    }

    /// The reason to end, once there is one.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        if self.stopped.poll(cx).is_ready() {
            return Poll::Ready(Error::Stopped);
        }
        match &mut self.leader_lost {
            Some(lost) => lost.poll(cx).map(|()| Error::NoLeader),
            None => Poll::Pending,
        }
    }

    /// See [`StreamEnd::poll`].
    pub(crate) async fn reached(&mut self) -> Error {
        poll_fn(|cx| self.poll(cx)).await
    }

    /// The reason that is left to a stream which ends without a word when the server stops.
    pub(crate) async fn leader_lost(&mut self) -> Error {
        match &mut self.leader_lost {
            Some(lost) => lost.raised().await,
            None => std::future::pending().await,
        }
        Error::NoLeader
    }

    /// Runs a call that may wait for long, and gives it up when there is a reason.
    ///
    /// # Errors
    /// The call's own, or the reason.
    pub(crate) async fn unless_ended<T, E: From<Error>>(
        mut self,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        tokio::select! {
            biased;
            outcome = call => outcome,
            reason = self.reached() => Err(reason.into()),
        }
    }
}
