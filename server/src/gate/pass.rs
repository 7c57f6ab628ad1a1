//! What the gate gives to a call that it lets in.

use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use keyport_api::error::Error;
use tokio::time::{Sleep, sleep_until};

use super::Caller;
use crate::state::ending::Waiter;

/// The gate's word that a call was let in, and whose it is. The node asks for one before it changes anything, and so does what
/// works on behalf of a call, so that nothing can be changed around the gate.
#[derive(Clone, Debug)]
pub(crate) struct Pass {
    caller: Caller,
}

impl Pass {
    pub(super) fn new(caller: Caller) -> Pass {
        Pass { caller }
    }

    /// For a duty of the node's own, and for what another member asks in a call that passed the gate there.
    pub(crate) fn internal(reason: &'static str) -> Pass {
        Pass { caller: Caller::internal(reason) }
    }

    /// The same, for what is done because of a call: it is written down there.
    pub(crate) fn on_trail_of(self, caller: &Caller) -> Pass {
        Pass { caller: self.caller.on_trail(caller.trail().cloned()) }
    }

    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }
}

/// What ends a stream, or a call that may wait for long, though its caller would go on.
#[derive(Debug)]
pub(crate) struct StreamEnd {
    stopped: Waiter,
    /// For callers who insist on a leader.
    leader_lost: Option<Waiter>,
    /// For callers whom somebody vouches for, but not for ever.
    expired: Option<Pin<Box<Sleep>>>,
}

impl StreamEnd {
    pub(super) fn new(stopped: Waiter, leader_lost: Option<Waiter>, until: Option<Instant>) -> StreamEnd {
        StreamEnd { stopped, leader_lost, expired: until.map(|until| Box::pin(sleep_until(until.into()))) }
    }

    /// The reason to end now, if there is one.
    pub(crate) fn reason(&self) -> Option<Error> {
        if self.stopped.is_raised() {
            return Some(Error::Stopped);
        }
        if self.expired.as_ref().is_some_and(|end| end.deadline() <= tokio::time::Instant::now()) {
            return Some(Error::InvalidAuthToken);
        }
        self.leader_lost.as_ref().filter(|lost| lost.is_raised()).map(|_| Error::NoLeader)
    }

    /// The reason to end, once there is one.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        if self.stopped.poll(cx).is_ready() {
            return Poll::Ready(Error::Stopped);
        }
        self.poll_cut_short(cx)
    }

    fn poll_cut_short(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        if let Some(end) = &mut self.expired
            && end.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Error::InvalidAuthToken);
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
    pub(crate) async fn cut_short(&mut self) -> Error {
        poll_fn(|cx| self.poll_cut_short(cx)).await
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
