//! Connections: accepting, serving, draining.
//!
//! Every listener has a task that accepts, and every connection one that serves it, on one of the event loops. A
//! shutdown stops accepting, lets connections finish what they are answering, and after a deadline drops what is left.

mod entry;
mod leave;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use std::{io, thread};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use parking_lot::Mutex;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use super::crowd::{Crowd, Place};
use super::line::Line;
use super::listening::Listening;
use super::unheard::{HEAD_BYTES, told};
use super::vigil::{Deadlines, Vigil};
use super::{BoxError, Connection, RequestBody};
use crate::config::HttpConfig;
use crate::metrics::Metrics;
use crate::net::event_loops::{EventLoops, Seat};
use crate::net::turn::{InTurn, LoopExecutor};
use crate::net::{Arrival, Face, Listener, Overheard, Ready, Stream};
use entry::Entry;
use leave::{Leave, Spoken, see_off, wanted};

/// What is said to a client from whose address there are as many connections as there may be.
const TOO_MANY_CONNECTIONS: &[u8] =
    b"HTTP/1.1 429 Too Many Requests\r\nconnection: close\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n";
/// To so many of them at once.
const TURNED_AWAY: usize = 64;
const HTTP2_HEADER_LIST_BYTES: u32 = 64 * 1024;
/// What a client may send ahead on a stream, and on a connection: a whole small request, not many large ones.
const HTTP2_STREAM_WINDOW: u32 = 256 * 1024;
const HTTP2_CONNECTION_WINDOW: u32 = 2 * 1024 * 1024;
/// Bounds of what a client may give up at once.
const LEAST_RESETS: usize = 1024;
const MOST_RESETS: usize = 16 * 1024;
/// What is kept for a slow reader, a stream. Answers come in pieces, so that this bounds their memory.
const HTTP2_SEND_BUFFER_BYTES: usize = 64 * 1024;
/// Descriptors kept for files and peers, out of the process's limit.
const RESERVED_DESCRIPTORS: u64 = 150;
/// Waits after a failed accept, such as for want of descriptors.
const BACKOFF_FIRST: Duration = Duration::from_millis(5);
const BACKOFF_LONGEST: Duration = Duration::from_secs(1);

/// What serves connections: the event loops, and the bounds on what they take.
#[derive(Clone, Debug)]
pub struct Server {
    loops: Arc<EventLoops>,
    slots: Arc<Semaphore>,
    crowd: Crowd,
    /// The least between pings while there are calls.
    ping_time: Duration,
    /// Requests worked on at once of one HTTP/2 connection; 0 for all of them.
    at_once: usize,
    /// Places for those who are told that there is none.
    turned_away: Arc<Semaphore>,
    /// Speaks HTTP of any version.
    any: Arc<auto::Builder<LoopExecutor>>,
    /// Speaks HTTP/2 alone.
    http2: Arc<auto::Builder<LoopExecutor>>,
    deadlines: Deadlines,
}

impl Server {
    /// # Errors
    /// When the event loops cannot be started.
    pub fn start(config: &HttpConfig, metrics: &Metrics) -> io::Result<Server> {
        let loops = EventLoops::start(thread::available_parallelism().map_or(1, usize::from), metrics)?;
        loops.count_tasks(metrics);
        Ok(Server {
            loops: Arc::new(loops),
            slots: Arc::new(Semaphore::new(connection_limit())),
            crowd: Crowd::new(config.max_connections_per_address, metrics),
            ping_time: config.keepalive_min_time,
            at_once: config.max_concurrent_requests,
            turned_away: Arc::new(Semaphore::new(TURNED_AWAY)),
            any: Arc::new(builder(config)),
            http2: Arc::new(builder(config).http2_only()),
            deadlines: Deadlines { head: config.request_head_timeout, ..Deadlines::default() },
        })
    }

    /// How long clients may take, if not as long as usual.
    #[must_use]
    pub fn waiting(mut self, deadlines: Deadlines) -> Server {
        self.deadlines = deadlines;
        self
    }

    /// What runs the connections.
    pub(crate) fn loops(&self) -> &Arc<EventLoops> {
        &self.loops
    }

    /// Has `service` answer on the listeners until `stop`, then drains for at most `drain`. Each event loop gets a clone.
    ///
    /// # Errors
    /// When an event loop, or what accepts connections, has panicked. Then nothing is drained.
    pub async fn serve<S, B>(
        &self,
        listeners: Vec<Listener>,
        service: S,
        stop: CancellationToken,
        drain: Duration,
    ) -> io::Result<()>
    where
        S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible, Future: Send>
            + Clone
            + Send
            + 'static,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let mut acceptors = JoinSet::new();
        for listener in listeners {
            let services = (0..self.loops.count()).map(|_| Arc::new(Mutex::new(service.clone()))).collect();
            let acceptor = Acceptor { server: self.clone(), services };
            acceptors.spawn(acceptor.run(listener, stop.clone(), drain));
        }
        loop {
            tokio::select! {
                panic = self.loops.panicked() => return Err(io::Error::other(panic)),
                ended = acceptors.join_next() => match ended {
                    Some(ended) => ended?,
                    // They end when they are told to.
                    None => return Ok(()),
                },
            }
        }
    }
}

fn builder(config: &HttpConfig) -> auto::Builder<LoopExecutor> {
    let mut builder = auto::Builder::new(LoopExecutor);
    builder
        .http1()
        .timer(TokioTimer::new())
        // See the vigil, which tells a connection that waits from one that is between two requests.
        .header_read_timeout(None)
        .max_buf_size(HEAD_BYTES)
        // A client that has said all it has to say still wants its answer; see the layer of attendance for the others.
        .half_close(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(config.max_concurrent_streams)
        .max_pending_accept_reset_streams(resets(config.max_concurrent_streams))
        .max_local_error_reset_streams(resets(config.max_concurrent_streams))
        .keep_alive_interval(config.keepalive_interval)
        .keep_alive_timeout(config.keepalive_timeout)
        .initial_stream_window_size(HTTP2_STREAM_WINDOW)
        .initial_connection_window_size(HTTP2_CONNECTION_WINDOW)
        .max_header_list_size(HTTP2_HEADER_LIST_BYTES)
        .max_send_buf_size(HTTP2_SEND_BUFFER_BYTES);
    builder
}

/// How many streams may have been given up by the client before anybody has looked at them: as many as a client may
/// have open and give up in one burst, such as after a pause of the network.
fn resets(max_concurrent_streams: u32) -> usize {
    usize::try_from(max_concurrent_streams).map_or(MOST_RESETS, |streams| streams.clamp(LEAST_RESETS, MOST_RESETS))
}

/// How many connections are served at once; further ones wait to be accepted.
fn connection_limit() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let limit = limit.unwrap_or(u64::MAX).saturating_sub(RESERVED_DESCRIPTORS).max(16);
    usize::try_from(limit).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS)
}

struct Acceptor<S> {
    server: Server,
    /// One for each event loop: what requests count and lock is shared by those of one loop alone.
    services: Vec<Arc<Mutex<S>>>,
}

/// A connection that nobody has spoken on.
struct Newcomer<S> {
    arrival: Arrival,
    face: Face,
    vigil: Arc<Vigil>,
    service: Arc<Mutex<S>>,
}

impl<S, B> Acceptor<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible, Future: Send> + Clone + Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    async fn run(self, listener: Listener, stop: CancellationToken, drain: Duration) {
        // Nothing of a connection's end comes back here: to be told of each costs as much as to accept one.
        let connections = TaskTracker::new();
        let (closing, ending) = (CancellationToken::new(), CancellationToken::new());
        let mut backoff = BACKOFF_FIRST;
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                accepted = accept(&listener, &self.server.slots) => accepted,
            };
            match accepted {
                Ok((arrival, slot)) => {
                    backoff = BACKOFF_FIRST;
                    let Some((event_loop, seat)) = self.server.loops.seat() else { continue };
                    let Some(service) = self.services.get(seat.event_loop()) else { continue };
                    let vigil = Arc::default();
                    let Ok(place) = self.server.crowd.enter(&arrival, listener.face, &vigil) else {
                        if let Ok(place) = Arc::clone(&self.server.turned_away).try_acquire_owned() {
                            let farewell = turn_away(arrival, (slot, seat, place));
                            connections.spawn_on(ending.clone().run_until_cancelled_owned(farewell), event_loop);
                        }
                        continue;
                    };
                    let newcomer = Newcomer { arrival, face: listener.face, vigil, service: Arc::clone(service) };
                    let connection = self.connection(newcomer, closing.clone(), (slot, seat, place));
                    let connection = ending.clone().run_until_cancelled_owned(InTurn::new(connection));
                    connections.spawn_on(connection, event_loop);
                }
                Err(error) if is_of_the_peer(&error) => {}
                Err(error) => {
                    tracing::warn!(url = %listener.url, %error, ?backoff, "failed to accept a connection, will retry");
                    tokio::time::sleep(backoff).await;
                    backoff = (backoff * 2).min(BACKOFF_LONGEST);
                }
            }
        }
        drop(listener);
        closing.cancel();
        connections.close();
        if tokio::time::timeout(drain, connections.wait()).await.is_err() {
            tracing::info!(connections = connections.len(), "closing connections that did not end in time");
            ending.cancel();
            connections.wait().await;
        }
    }

    fn connection(
        &self,
        newcomer: Newcomer<S>,
        closing: CancellationToken,
        places: (OwnedSemaphorePermit, Seat, Option<Place>),
    ) -> impl Future<Output = ()> + Send + 'static {
        let Newcomer { arrival, face, vigil, service } = newcomer;
        // Whoever speaks HTTP/1.1 where it is not spoken gets no answer. (What can be upgraded speaks all there is.)
        let builder = Arc::clone(if face == Face::Grpc { &self.server.http2 } else { &self.server.any });
        let Server { deadlines, at_once, ping_time, .. } = self.server;
        async move {
            let remote = arrival.remote;
            let Some(Ready { socket, identity }) = taken(arrival, &closing, places.2.as_ref()).await else {
                return;
            };
            let stream = Stream::from(socket);
            let connection = Arc::new(Connection::new(
                remote,
                face,
                identity,
                stream.clone(),
                Arc::clone(&vigil),
                Line::new(at_once),
            ));
            let (lent, mut returned) = stream.lend();
            let unread = Arc::clone(&connection.unread);
            let ear = Listening::new(Arc::clone(&vigil), Arc::clone(&unread), ping_time);
            let io = TokioIo::new(Overheard::new(lent, ear));
            let service = Entry { connection, service };
            let leave = Leave::new(closing, places.2.as_ref());
            // In a place of its own, which is given back before a WebSocket goes on.
            let outcome = if face == Face::Grpc {
                let connection = Box::pin(builder.serve_connection(io, service));
                vigil.keep(deadlines, Spoken { connection, leave, vigil: &vigil }).await
            } else {
                let connection = Box::pin(builder.serve_connection_with_upgrades(io, service));
                vigil.keep(deadlines, Spoken { connection, leave, vigil: &vigil }).await
            };
            // Somebody else speaks on it now: it is a WebSocket, and still a connection of this server.
            let handed_on = returned.try_recv() == Err(TryRecvError::Empty);
            if handed_on {
                let _serving = vigil.answers();
                let _ = returned.await;
            }
            see_off(&stream, &vigil, outcome, face, handed_on || unread.is_left()).await;
            drop(places);
        }
    }
}

/// What can be spoken on, if something comes of a connection. From here on it belongs to the loop that runs this.
async fn taken(arrival: Arrival, closing: &CancellationToken, place: Option<&Place>) -> Option<Ready> {
    let taken = tokio::select! {
        taken = arrival.take() => taken,
        // Nobody has asked anything so far.
        () = closing.cancelled() => return None,
        () = wanted(place) => return None,
    };
    taken.unwrap_or_else(|error| {
        tracing::warn!(%error, "failed to take over a connection");
        None
    })
}

/// Turns away a connection from where there are too many.
async fn turn_away(arrival: Arrival, places: (OwnedSemaphorePermit, Seat, OwnedSemaphorePermit)) {
    arrival.turn_away(&told(TOO_MANY_CONNECTIONS)).await;
    drop(places);
}

/// The next connection, once there is room for it.
async fn accept(listener: &Listener, slots: &Arc<Semaphore>) -> io::Result<(Arrival, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(io::Error::other)?;
    Ok((listener.accept().await?, slot))
}

/// Connections that went away before they were accepted say nothing about us.
fn is_of_the_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}
