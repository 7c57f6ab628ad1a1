//! The sockets for peers: few connections, HTTP/1.1, some of which become Raft's streams.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A few for each member of a large cluster; further ones wait to be accepted.
const MAX_CONNECTIONS: usize = 512;
/// A peer sends the head of its request at once.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(5);
/// Waits after a failed accept, such as for want of descriptors.
const BACKOFF: Duration = Duration::from_millis(100);

/// Serves `router` until told to stop. Streams that Raft has taken over belong to it.
pub(crate) async fn serve(listeners: Vec<TcpListener>, router: Router, stop: CancellationToken) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut acceptors = JoinSet::new();
    for listener in listeners {
        acceptors.spawn(run(listener, router.clone(), Arc::clone(&slots), stop.clone()));
    }
    acceptors.join_all().await;
}

async fn run(listener: TcpListener, router: Router, slots: Arc<Semaphore>, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = accept(&listener, &slots) => match accepted {
                Ok((stream, slot)) => {
                    connections.spawn(connection(stream, slot, router.clone(), stop.clone()));
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

async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(io::Error::other)?;
    listener.accept().await.map(|(stream, _)| (stream, slot))
}

async fn connection(stream: TcpStream, slot: OwnedSemaphorePermit, router: Router, stop: CancellationToken) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    let mut connection = pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "connection of a peer ended with an error");
    }
    drop(slot);
}
