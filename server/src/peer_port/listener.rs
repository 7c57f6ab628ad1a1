//! The sockets for peers: few connections, HTTP/1.1, some of which become Raft's streams.

use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::pages::Encrypted;
use super::places::{Place, Places};
use crate::http::answered::Answered;
use crate::http::vigil::Vigil;
use crate::http::{Deadlines, Unread};
use crate::net::{Arrival, Overheard, PeerListener, Ready, Stream};

/// Waits after a failed accept, such as for want of descriptors.
const BACKOFF: Duration = Duration::from_millis(100);
/// A peer sends the whole head of its request at once, and the first one as soon as it is connected. Other members let go
/// of idle connections well before they are closed here, so that none is closed under a request.
const DEADLINES: Deadlines =
    Deadlines { first: Duration::from_secs(5), head: Duration::from_secs(5), idle: Duration::from_secs(60) };

/// Serves `router` until told to stop. Streams that Raft has taken over belong to it.
pub(crate) async fn serve(listeners: Vec<PeerListener>, router: Router, stop: CancellationToken) {
    let places = Places::default();
    let mut acceptors = JoinSet::new();
    for listener in listeners {
        acceptors.spawn(run(listener, router.clone(), places.clone(), stop.clone()));
    }
    acceptors.join_all().await;
}

async fn run(listener: PeerListener, router: Router, places: Places, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok(arrival) => {
                    let from = arrival.remote.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |from| from.ip());
                    match places.take(from) {
                        Some(place) => _ = connections.spawn(connection(arrival, place, router.clone(), stop.clone())),
                        None => tracing::debug!(%from, "no place for a connection of a peer"),
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "failed to accept a connection of a peer, will retry");
                    tokio::time::sleep(BACKOFF).await;
                }
            },
        }
    }
    drop(listener);
    connections.join_all().await;
}

async fn connection(arrival: Arrival, place: Place, router: Router, stop: CancellationToken) {
    let taken = tokio::select! {
        taken = arrival.take() => taken,
        () = place.lost() => return,
        () = stop.cancelled() => return,
    };
    let (stream, encrypted) = match taken {
        Ok(Some(Ready { socket, identity })) => (Stream::from(socket), Encrypted(identity.is_some())),
        Ok(None) => return,
        Err(error) => {
            tracing::warn!(%error, "failed to take over a connection of a peer");
            return;
        }
    };
    let vigil = Arc::new(Vigil::default());
    let io = Overheard::new(stream.clone(), Arc::clone(&vigil));
    let unread = Arc::new(Unread::default());
    let service = service_fn(|mut request: Request<Incoming>| {
        let answering = vigil.answers();
        place.answers();
        request.extensions_mut().insert(place.clone());
        request.extensions_mut().insert(encrypted);
        let answer = unread.answer(request, true, |request| router.clone().oneshot(request.map(Body::new)));
        let place = place.clone();
        let answer = async move {
            let response = answer.await;
            place.has_answered();
            response
        };
        Answered::new(answer, Some(answering))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // See the vigil, which tells a connection that waits from one that is between two requests.
        .header_read_timeout(None)
        // Who has asked and says no more waits for an answer. Every one of them comes in bounded time.
        .half_close(true)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let outcome = tokio::select! {
        outcome = vigil.keep(DEADLINES, connection.as_mut()) => outcome,
        () = place.lost() => return,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            vigil.keep(DEADLINES, connection).await
        }
    };
    match outcome {
        // There may be more to come that would take the last words back.
        Ok(Ok(())) if unread.is_left() => tokio::select! {
            () = stream.linger() => {}
            () = place.lost() => {}
            () = stop.cancelled() => {}
        },
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "connection of a peer ended with an error"),
        // Who took too long is told nothing.
        Err(_) => {}
    }
}
