//! A snapshot on its way out: the image of now, to the peer that fell too far behind.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Method, Request, StatusCode};
use keyport_api::raftpb::{Message, Snapshot};
use tokio::sync::mpsc;

use super::super::connection::{self, ConnectError, Connection};
use super::super::dial::DialError;
use super::super::link::Link;
use super::super::{SNAPSHOT_PATH, Shared};
use super::body::{ChannelBody, Progress};
use super::image;

/// Transfers at once; a leader has other things to do.
const MAX_TRANSFERS: usize = 2;
/// A quarter of what a fast disk or a 10 Gbit/s network does: the members that are not behind share both.
const BYTES_PER_SECOND: u64 = 256 << 20;
/// Pieces between the image's thread and the connection: header and payload of two chunks.
const PIECES: usize = 4;
/// How long the peer may take to make the whole image durable.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(300);

/// Why a snapshot was not delivered.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error("another transfer is going on")]
    Busy,
    #[error("read the image: {0}")]
    Image(#[source] io::Error),
    #[error("{0}")]
    Peer(#[from] ConnectError),
    #[error("the peer takes nothing")]
    Stalled,
    #[error("not wanted any more")]
    Cancelled,
}

impl Shared {
    /// Starts a transfer, or makes Raft try again later. Called on the node's thread.
    pub(in super::super) fn send_snapshot(self: &Arc<Self>, link: Option<Arc<Link>>, message: Message) {
        let shared = Arc::clone(self);
        let to = message.to();
        let begun = link.filter(|_| {
            let mut transfers = self.transfers.lock();
            transfers.len() < MAX_TRANSFERS && transfers.insert(to)
        });
        self.runtime.spawn(async move {
            let result = match begun {
                Some(link) => {
                    let result = shared.transfer_observed(&link, message).await;
                    shared.transfers.lock().remove(&to);
                    result
                }
                None => Err(SendError::Busy),
            };
            if result.is_err() {
                // Raft asks again at once, and the next attempt costs as much as this one.
                tokio::select! {
                    () = shared.cancel.cancelled() => return,
                    () = tokio::time::sleep(shared.options.snapshot_retry) => {}
                }
            }
            shared.report_snapshot(to, result.is_ok()).await;
        });
    }

    async fn transfer_observed(&self, link: &Link, message: Message) -> Result<(), SendError> {
        let start = Instant::now();
        let index = message.snapshot.as_ref().and_then(|snapshot| snapshot.metadata.as_ref()).map(|it| it.index());
        self.observer.snapshot_send_started(link.id);
        tracing::info!(peer = %format_args!("{:x}", link.id), index, "sending a snapshot");
        let result = tokio::select! {
            () = link.cancel.cancelled() => Err(SendError::Cancelled),
            result = self.transfer(link, message) => result,
        };
        self.observer.snapshot_send_ended(link.id, start.elapsed(), result.is_ok());
        match &result {
            Ok(()) => {
                let took_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
                tracing::info!(peer = %format_args!("{:x}", link.id), took_ms, "sent a snapshot");
            }
            Err(error) => tracing::warn!(peer = %format_args!("{:x}", link.id), %error, "could not send a snapshot"),
        }
        result
    }

    async fn transfer(&self, link: &Link, message: Message) -> Result<(), SendError> {
        let mut connection = self.connect_for_snapshot(link).await?;
        let (frames, body) = mpsc::channel(PIECES);
        let progress = Progress::default();
        let store = Arc::clone(&self.snapshots);
        // Ends by itself when the body is dropped.
        let image = tokio::task::spawn_blocking(move || {
            let mut image = store.read()?;
            let written = newer(message, image.metadata())
                .and_then(|message| image::write_frames(&message, image.as_mut(), BYTES_PER_SECOND, &frames));
            if let Err(error) = &written {
                // Without it the body would seem complete.
                let _ = frames.blocking_send(Err(error.kind().into()));
            }
            written
        });
        let mut request = Request::new(ChannelBody { frames: body, progress: progress.clone() });
        *request.method_mut() = Method::POST;
        *request.uri_mut() = http::Uri::from_static(SNAPSHOT_PATH);
        let octets = http::HeaderValue::from_static("application/octet-stream");
        request.headers_mut().insert(http::header::CONTENT_TYPE, octets);
        let local = self.local_now();
        let answer = tokio::select! {
            answer = connection.request(request, &local, link.id) => answer,
            () = self.stalled(&progress, &image) => return Err(SendError::Stalled),
        };
        match answer {
            Ok(answer) if answer.status() == StatusCode::NO_CONTENT => Ok(()),
            Ok(answer) => {
                let error = connection::refused(answer, &self.local).await;
                if error.is_removed() {
                    self.learn_removed(link.id);
                }
                Err(error.into())
            }
            Err(error) => {
                drop(connection);
                match image.await {
                    Ok(Err(image)) if image.kind() != io::ErrorKind::BrokenPipe => Err(SendError::Image(image)),
                    Ok(_) => Err(error.into()),
                    Err(panicked) => Err(SendError::Image(io::Error::other(panicked))),
                }
            }
        }
    }

    async fn connect_for_snapshot(&self, link: &Link) -> Result<Connection<ChannelBody>, SendError> {
        let mut last = DialError::Timeout.into();
        for url in link.urls() {
            match Connection::open(self.dial.as_ref(), &url, self.options.connect_timeout).await {
                Ok(connection) => return Ok(connection),
                Err(error) => last = error,
            }
        }
        Err(last.into())
    }

    /// Done when nothing has moved for too long.
    async fn stalled<T>(&self, progress: &Progress, image: &tokio::task::JoinHandle<T>) {
        let mut before = progress.get();
        loop {
            // When everything is on its way, the peer has its own work to do.
            let patience = if image.is_finished() { ANSWER_TIMEOUT } else { self.options.snapshot_idle_timeout };
            tokio::time::sleep(patience).await;
            let now = progress.get();
            if now == before {
                return;
            }
            before = now;
        }
    }
}

/// The message with the image's own place in the log, which must not be behind what Raft promised.
fn newer(mut message: Message, image: keyport_api::raftpb::SnapshotMetadata) -> io::Result<Message> {
    let promised = message.snapshot.as_ref().and_then(|snapshot| snapshot.metadata.as_ref());
    if promised.is_some_and(|promised| image.index() < promised.index()) || image.index() == 0 {
        return Err(io::Error::other(format!("the image ends at index {}", image.index())));
    }
    if image.term() > message.term() {
        return Err(io::Error::other("the message is from an earlier term"));
    }
    message.snapshot = Some(Snapshot { data: None, metadata: Some(image) });
    Ok(message)
}
