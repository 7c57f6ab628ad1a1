//! The sockets for peers: few connections, HTTP/1.1, some of which become Raft's streams.

use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
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
use crate::net::{ListenSocket, Overheard, Socket, StdSocket};

/// Waits after a failed accept, such as for want of descriptors.
const BACKOFF: Duration = Duration::from_millis(100);
/// How often a connection is looked at: what it is about, and with that its deadline, changes.
const LOOK: Duration = Duration::from_secs(1);

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
    let stream = Overheard { stream, ear: place.downgrade() };
    let service = service_fn(|request: Request<Incoming>| {
        let (router, place) = (router.clone(), place.clone());
        async move {
            place.answers();
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(place.clone());
            let response = router.oneshot(request).await;
            place.has_answered();
            response
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // A place has deadlines of its own, and tells a connection that waits from one that is between two requests.
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = place.lost() => return,
        () = overdue(&place) => return,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                outcome = connection => outcome,
                () = overdue(&place) => return,
            }
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "connection of a peer ended with an error");
    }
}

/// Done when the other side has taken too long for what it is about.
async fn overdue(place: &Place) {
    while place.time_left() != Some(Duration::ZERO) {
        tokio::time::sleep(LOOK).await;
    }
}
