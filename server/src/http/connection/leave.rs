//! How a connection goes on, and what ends it before its client does: the server that stops, and another connection that
//! gets its place.

use std::future::pending;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::server::graceful::GracefulConnection;
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::super::crowd::Place;
use super::super::vigil::Vigil;

/// How long a connection may finish what it is answering when another one gets its place.
const LEAVING: Duration = Duration::from_secs(5);

/// A connection that goes on until it ends, or until it is told to finish what it is answering.
pub(super) struct Spoken<'a, C> {
    pub(super) connection: Pin<Box<C>>,
    pub(super) leave: Leave,
    pub(super) vigil: &'a Vigil,
}

/// What may tell a connection to end.
pub(super) struct Leave {
    /// The server does.
    closing: oneshot::Receiver<()>,
    /// Another connection gets its place.
    wanted: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// Until when what is being answered may be finished then.
    until: Option<Pin<Box<Sleep>>>,
}

impl Leave {
    pub(super) fn new(closing: oneshot::Receiver<()>, place: Option<&Place>) -> Leave {
        let wanted = place.map(|place| Box::pin(place.wanted().clone().cancelled_owned()));
        Leave { closing, wanted, until: None }
    }

    /// Whether it has just been told.
    fn is_told(&mut self, cx: &mut Context<'_>) -> bool {
        let closes = !self.closing.is_terminated() && Pin::new(&mut self.closing).poll(cx).is_ready();
        let is_wanted = self.wanted.as_mut().is_some_and(|wanted| wanted.as_mut().poll(cx).is_ready());
        if is_wanted {
            self.wanted = None;
            self.until = Some(Box::pin(sleep(LEAVING)));
        }
        closes || is_wanted
    }

    /// Whether somebody waits for its place, and nothing of this connection is waited for.
    fn is_due(&mut self, vigil: &Vigil, cx: &mut Context<'_>) -> bool {
        self.until.as_mut().is_some_and(|until| vigil.idle_since().is_some() || until.as_mut().poll(cx).is_ready())
    }
}

impl<C: GracefulConnection> Future for Spoken<'_, C> {
    type Output = Result<(), C::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.leave.is_told(cx) {
            this.connection.as_mut().graceful_shutdown();
        }
        let outcome = this.connection.as_mut().poll(cx);
        if outcome.is_pending() && (this.vigil.given_up().is_some() || this.leave.is_due(this.vigil, cx)) {
            return Poll::Ready(Ok(()));
        }
        outcome
    }
}

/// Returns when another connection gets the place.
pub(super) async fn wanted(place: Option<&Place>) {
    match place {
        Some(place) => place.wanted().cancelled().await,
        None => pending().await,
    }
}
