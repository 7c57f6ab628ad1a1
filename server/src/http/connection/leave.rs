//! How a connection goes on, and what ends it before its client does: the server that stops, and another connection that
//! gets its place.

use std::fmt::Display;
use std::future::pending;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::server::graceful::GracefulConnection;
use tokio::time::{Sleep, sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::super::crowd::Place;
use super::super::listening::too_many_pings;
use super::super::unheard::told;
use super::super::vigil::{Phase, Vigil};
use crate::net::{Face, Stream};

/// What is said to a client that has not sent the whole head of its request in time.
const REQUEST_TIMEOUT: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
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
    closing: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// Another connection gets its place.
    wanted: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// Until when what is being answered may be finished then.
    until: Option<Pin<Box<Sleep>>>,
}

impl Leave {
    pub(super) fn new(closing: CancellationToken, place: Option<&Place>) -> Leave {
        let wanted = place.map(|place| Box::pin(place.wanted().clone().cancelled_owned()));
        Leave { closing: Some(Box::pin(closing.cancelled_owned())), wanted, until: None }
    }

    /// Whether it has just been told.
    fn is_told(&mut self, cx: &mut Context<'_>) -> bool {
        let closes = has_told(&mut self.closing, cx);
        let is_wanted = has_told(&mut self.wanted, cx);
        if is_wanted {
            self.until = Some(Box::pin(sleep(LEAVING)));
        }
        closes || is_wanted
    }

    /// Whether somebody waits for its place, and nothing of this connection is waited for.
    fn is_due(&mut self, vigil: &Vigil, cx: &mut Context<'_>) -> bool {
        self.until.as_mut().is_some_and(|until| vigil.idle_since().is_some() || until.as_mut().poll(cx).is_ready())
    }
}

/// Whether what tells has just told; it does so once.
fn has_told(told: &mut Option<Pin<Box<WaitForCancellationFutureOwned>>>, cx: &mut Context<'_>) -> bool {
    let due = told.as_mut().is_some_and(|told| told.as_mut().poll(cx).is_ready());
    if due {
        *told = None;
    }
    due
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

/// Says what is left to be said at the end of a connection. `is_more` says that more may come, which would take the last words back.
pub(super) async fn see_off<E: Display>(
    stream: &Stream,
    vigil: &Vigil,
    outcome: Result<Result<(), E>, Phase>,
    face: Face,
    is_more: bool,
) {
    match (outcome, vigil.given_up()) {
        (Err(phase), _) => {
            tracing::debug!(?phase, "a client took too long");
            // What was answered before is on its way by now, or there is no room for this either.
            if phase == Phase::Head && face != Face::Grpc {
                stream.say(&told(REQUEST_TIMEOUT));
            }
        }
        (Ok(_), Some(last_stream)) => {
            tracing::debug!("a client pings too often");
            if !vigil.is_cut() {
                stream.say(&too_many_pings(last_stream));
            }
            stream.linger().await;
        }
        (Ok(Ok(())), None) if is_more => stream.linger().await,
        (Ok(Ok(())), None) => {}
        (Ok(Err(error)), None) => {
            tracing::debug!(%error, "connection ended with an error");
            if is_more {
                stream.linger().await;
            }
        }
    }
}
