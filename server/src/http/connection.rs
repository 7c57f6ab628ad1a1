//! Connections: accepting, serving, draining.
//!
//! Every listener has a task that accepts, and every connection one that serves it, on one of the event loops. A
//! shutdown stops accepting, lets connections finish what they are answering, and after a deadline drops what is left.

use super::App;
use super::call::ConnInfo;
use super::stack::{Stack, StackOptions};
use crate::config::HttpConfig;
use crate::metrics::Metrics;
use crate::net::event_loops::{EventLoops, Seat};
use crate::net::{Face, ListenSocket, Listener, StdStream, Stream};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulConnection;
use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::{self, JoinSet};
use tokio_util::sync::CancellationToken;

/// How long a client may take to send the head of a request, or keep a connection without one.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(300);
/// The head of an HTTP/1.1 request, and what is read at once of its body.
const HTTP1_BUFFER_BYTES: usize = 128 * 1024;
const HTTP2_HEADER_LIST_BYTES: u32 = 64 * 1024;
/// What a client may send ahead on a stream, and on a connection: a whole small request, not many large ones.
const HTTP2_STREAM_WINDOW: u32 = 256 * 1024;
const HTTP2_CONNECTION_WINDOW: u32 = 2 * 1024 * 1024;
/// What is kept for a slow reader, a stream. Answers come in pieces, so that this bounds their memory.
const HTTP2_SEND_BUFFER_BYTES: usize = 64 * 1024;
/// Descriptors kept for files and peers, out of the process's limit.
const RESERVED_DESCRIPTORS: u64 = 150;
/// Waits after a failed accept, such as for want of descriptors.
const BACKOFF_FIRST: Duration = Duration::from_millis(5);
const BACKOFF_LONGEST: Duration = Duration::from_secs(1);

/// Serves `app` on the listeners until `shutdown` is done, then drains for at most `drain`.
///
/// # Errors
/// When the event loops cannot be started; or when one of them, or what accepts connections, has panicked. Then nothing
/// is drained.
pub async fn serve<A: App>(
    listeners: Vec<Listener>,
    config: &HttpConfig,
    options: StackOptions,
    app: Arc<A>,
    metrics: Arc<Metrics>,
    shutdown: impl Future<Output = ()>,
    drain: Duration,
) -> io::Result<()> {
    let stack = Arc::new(Stack::new(app, metrics, options));
    let slots = Arc::new(Semaphore::new(connection_limit()));
    let loops = Arc::new(EventLoops::start(thread::available_parallelism().map_or(1, usize::from))?);
    let stop = CancellationToken::new();
    let mut acceptors = JoinSet::new();
    for listener in listeners {
        let acceptor = Acceptor {
            builder: builder(config),
            stack: Arc::clone(&stack),
            slots: Arc::clone(&slots),
            loops: Arc::clone(&loops),
        };
        acceptors.spawn(acceptor.run(listener, stop.clone(), drain));
    }
    tokio::select! {
        () = shutdown => stop.cancel(),
        panic = loops.panicked() => return Err(io::Error::other(panic)),
        // They end when they are told to.
        Some(Err(error)) = acceptors.join_next() => return Err(error.into()),
    }
    while let Some(ended) = acceptors.join_next().await {
        ended?;
    }
    Ok(())
}

fn builder(config: &HttpConfig) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_READ_TIMEOUT).max_buf_size(HTTP1_BUFFER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(config.max_concurrent_streams)
        .keep_alive_interval(config.keepalive_interval)
        .keep_alive_timeout(config.keepalive_timeout)
        .initial_stream_window_size(HTTP2_STREAM_WINDOW)
        .initial_connection_window_size(HTTP2_CONNECTION_WINDOW)
        .max_header_list_size(HTTP2_HEADER_LIST_BYTES)
        .max_send_buf_size(HTTP2_SEND_BUFFER_BYTES);
    builder
}

/// How many connections are served at once; further ones wait to be accepted.
fn connection_limit() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let limit = limit.unwrap_or(u64::MAX).saturating_sub(RESERVED_DESCRIPTORS).max(16);
    usize::try_from(limit).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS)
}

struct Acceptor<A> {
    builder: auto::Builder<TokioExecutor>,
    stack: Arc<Stack<A>>,
    slots: Arc<Semaphore>,
    loops: Arc<EventLoops>,
}

impl<A: App> Acceptor<A> {
    async fn run(self, listener: Listener, stop: CancellationToken, drain: Duration) {
        let mut connections = JoinSet::new();
        let mut open: HashMap<task::Id, oneshot::Sender<()>> = HashMap::new();
        let mut backoff = BACKOFF_FIRST;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = connections.join_next_with_id(), if !connections.is_empty() => {
                    open.remove(&ended_id(ended));
                }
                accepted = accept(&listener.socket, &self.slots) => match accepted {
                    Ok((stream, remote, slot)) => {
                        backoff = BACKOFF_FIRST;
                        let Some((event_loop, seat)) = self.loops.seat() else { continue };
                        let (close, closing) = oneshot::channel();
                        let conn = ConnInfo { remote, face: listener.face };
                        let connection = self.connection(stream, conn, closing, (slot, seat));
                        open.insert(connections.spawn_on(connection, event_loop).id(), close);
                    }
                    Err(error) if is_of_the_peer(&error) => {}
                    Err(error) => {
                        tracing::warn!(url = %listener.url, %error, ?backoff, "failed to accept a connection, will retry");
                        tokio::time::sleep(backoff).await;
                        backoff = (backoff * 2).min(BACKOFF_LONGEST);
                    }
                },
            }
        }
        drop(listener);
        for close in open.into_values() {
            let _ = close.send(());
        }
        let drained = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(drain, drained).await.is_err() {
            tracing::info!(connections = connections.len(), "closing connections that did not end in time");
        }
        connections.shutdown().await;
    }

    fn connection(
        &self,
        stream: StdStream,
        conn: ConnInfo,
        closing: oneshot::Receiver<()>,
        places: (OwnedSemaphorePermit, Seat),
    ) -> impl Future<Output = ()> + Send + 'static {
        let face = conn.face;
        let served = Arc::new((Arc::clone(&self.stack), conn));
        let service = service_fn(move |request| {
            let served = Arc::clone(&served);
            // Ten kilobytes, which would be copied again and again on their way into a task.
            Box::pin(async move {
                let (stack, conn) = &*served;
                Ok::<_, Infallible>(stack.serve(request, conn).await)
            })
        });
        let builder = self.builder.clone();
        async move {
            // From here on the connection belongs to the loop that runs this.
            let stream = match Stream::try_from(stream) {
                Ok(stream) => TokioIo::new(stream),
                Err(error) => {
                    tracing::warn!(%error, "failed to take over a connection");
                    return;
                }
            };
            let outcome = if face == Face::Grpc {
                // Whoever speaks HTTP/1.1 here gets no answer.
                drive(builder.http2_only().serve_connection(stream, service), closing).await
            } else {
                drive(builder.serve_connection_with_upgrades(stream, service), closing).await
            };
            if let Err(error) = outcome {
                tracing::debug!(%error, "connection ended with an error");
            }
            drop(places);
        }
    }
}

/// Serves until the connection ends, or until it is told to finish what it is answering.
async fn drive<C: GracefulConnection>(connection: C, closing: oneshot::Receiver<()>) -> Result<(), C::Error> {
    let mut connection = pin!(connection);
    tokio::select! {
        biased;
        outcome = connection.as_mut() => outcome,
        _ = closing => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    }
}

fn ended_id(ended: Result<(task::Id, ()), task::JoinError>) -> task::Id {
    match ended {
        Ok((id, ())) => id,
        Err(error) => {
            if error.is_panic() {
                tracing::error!(%error, "a connection's task panicked");
            }
            error.id()
        }
    }
}

type Accepted = (StdStream, Option<SocketAddr>, OwnedSemaphorePermit);

/// The next connection, once there is room for it.
async fn accept(socket: &ListenSocket, slots: &Arc<Semaphore>) -> io::Result<Accepted> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(io::Error::other)?;
    match socket {
        ListenSocket::Tcp(listener) => {
            let (stream, remote) = listener.accept().await?;
            Ok((StdStream::Tcp(stream.into_std()?), Some(remote), slot))
        }
        ListenSocket::Unix(listener) => {
            let (stream, _) = listener.accept().await?;
            Ok((StdStream::Unix(stream.into_std()?), None, slot))
        }
    }
}

/// Connections that went away before they were accepted say nothing about us.
fn is_of_the_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}
