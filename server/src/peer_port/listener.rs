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

use super::places::{Place, Places};
use crate::http::Deadlines;
use crate::http::vigil::{Answered, Vigil};
use crate::net::{ListenSocket, Overheard, Socket, StdSocket};

/// Waits after a failed accept, such as for want of descriptors.
const BACKOFF: Duration = Duration::from_millis(100);
/// A peer sends the whole head of its request at once, and the first one as soon as it is connected. Other members let go
/// of idle connections well before they are closed here, so that none is closed under a request.
const DEADLINES: Deadlines = Deadlines { head: Duration::from_secs(5), idle: Duration::from_secs(60) };

/// Serves `router` until told to stop. Streams that Raft has taken over belong to it.
pub(crate) async fn serve(listeners: Vec<ListenSocket>, router: Router, stop: CancellationToken) {
    let places = Places::default();
    let mut acceptors = JoinSet::new();
    for listener in listeners {
        acceptors.spawn(run(listener, router.clone(), places.clone(), stop.clone()));
    }
    acceptors.join_all().await;
}

async fn run(listener: ListenSocket, router: Router, places: Places, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((socket, from)) => match places.take(from.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |from| from.ip())) {
                    Some(place) => _ = connections.spawn(connection(socket, place, router.clone(), stop.clone())),
                    None => tracing::debug!(?from, "no place for a connection of a peer"),
                },
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

async fn connection(socket: StdSocket, place: Place, router: Router, stop: CancellationToken) {
    let stream = match Socket::try_from(socket) {
        Ok(stream) => stream,
        Err(error) => {
            tracing::warn!(%error, "failed to take over a connection of a peer");
            return;
        }
    };
    let vigil = Arc::new(Vigil::default());
    let stream = Overheard { stream, ear: Arc::clone(&vigil) };
    let service = service_fn(|request: Request<Incoming>| {
        let (router, place) = (router.clone(), place.clone());
        let answering = vigil.answers();
        Answered::new(
            async move {
                place.answers();
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(place.clone());
                let response = router.oneshot(request).await;
                place.has_answered();
                response
            },
            Some(answering),
        )
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // See the vigil, which tells a connection that waits from one that is between two requests.
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service)
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
    // Who took too long is told nothing.
    if let Ok(Err(error)) = outcome {
        tracing::debug!(%error, "connection of a peer ended with an error");
    }
}
