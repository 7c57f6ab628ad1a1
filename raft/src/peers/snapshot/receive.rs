//! A snapshot on its way in: written as it arrives, handed to Raft when it is durable.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use keyport_api::raftpb::{ConfState, Message};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::super::Shared;
use super::super::frame::FrameError;
use super::super::handshake::{self, Refusal};
use super::body::Progress;
use super::image::{Part, Parts};
use super::pace::Pace;

/// Chunks between the connection and the thread that writes them.
const CHUNKS: usize = 4;
/// How long a reception that is replaced may take to let go.
const HANDOVER: Duration = Duration::from_secs(5);

/// The place for one reception at a time.
#[derive(Debug)]
pub(in super::super) struct Reception {
    /// Held by the writing thread until it has let go of its file.
    slot: Arc<Semaphore>,
    current: Mutex<Option<Current>>,
}

#[derive(Debug)]
struct Current {
    progress: Progress,
    /// What `progress` was, and when it was seen.
    seen: (u64, Instant),
    cancel: CancellationToken,
}

impl Default for Reception {
    fn default() -> Reception {
        Reception { slot: Arc::new(Semaphore::new(1)), current: Mutex::new(None) }
    }
}

/// Why a snapshot was discarded.
#[derive(Debug, thiserror::Error)]
enum ReceiveError {
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("message is from {0:x}")]
    Address(u64),
    #[error("the sender is no member that this one knows of, or that the snapshot names as a voter of this member")]
    Stranger,
    #[error("the body ended early: {0}")]
    Body(String),
    #[error("too little was heard for too long")]
    Idle,
    #[error("replaced by a newer transfer, or not wanted any more")]
    Cancelled,
    #[error("{0}")]
    Store(#[from] io::Error),
}

impl ReceiveError {
    fn refusal(&self) -> Refusal {
        match self {
            ReceiveError::Store(error) if error.kind() == io::ErrorKind::InvalidData => Refusal::BadSnapshot,
            ReceiveError::Store(_) => Refusal::Store,
            ReceiveError::Stranger => Refusal::NoMember,
            ReceiveError::Cancelled => Refusal::Busy,
            ReceiveError::Frame(_) | ReceiveError::Address(_) | ReceiveError::Body(_) | ReceiveError::Idle => {
                Refusal::BadSnapshot
            }
        }
    }
}

/// For the thread that writes.
enum Command {
    Chunk(Bytes),
    /// All of it was there and matched.
    Finish,
}

impl Shared {
    pub(in super::super) async fn accept_snapshot<B>(
        self: &Arc<Self>,
        request: Request<B>,
    ) -> Result<Response<Full<Bytes>>, Refusal>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: std::fmt::Display + Send,
    {
        let from = self.admit(request.headers())?.id;
        let (permit, progress, cancel) = self.reserve(from).await?;
        let start = Instant::now();
        self.observer.snapshot_receive_started(from);
        tracing::info!(peer = %format_args!("{from:x}"), "receiving a snapshot");
        // Also when this future is dropped because the connection is gone.
        let mut outcome = Outcome { shared: self, from, start, progress: progress.clone(), complete: false };
        let received = tokio::select! {
            () = cancel.cancelled() => Err(ReceiveError::Cancelled),
            received = self.receive(from, request.into_body(), &progress, permit) => received,
        };
        match received {
            Ok(()) => {
                outcome.complete = true;
                let mut response = Response::new(Full::default());
                *response.status_mut() = StatusCode::NO_CONTENT;
                handshake::put_identity(response.headers_mut(), &self.local);
                Ok(response)
            }
            Err(error) => {
                tracing::warn!(peer = %format_args!("{from:x}"), %error, "discarded a snapshot");
                Err(error.refusal())
            }
        }
    }

    /// Takes the place, from one that has stalled if need be.
    async fn reserve(&self, from: u64) -> Result<(OwnedSemaphorePermit, Progress, CancellationToken), Refusal> {
        let busy = |_| {
            self.refused(from, Refusal::Busy);
            Refusal::Busy
        };
        let slot = Arc::clone(&self.reception.slot);
        let permit = match Arc::clone(&slot).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) if self.reception.cancel_stalled(self.options.read_timeout) => {
                let permit = tokio::time::timeout(HANDOVER, slot.acquire_owned()).await;
                permit.map_err(drop).and_then(|permit| permit.map_err(drop)).map_err(busy)?
            }
            Err(_) => return Err(busy(())),
        };
        let (progress, cancel) = (Progress::default(), self.cancel.child_token());
        let seen = (progress.get(), Instant::now());
        *self.reception.current.lock() = Some(Current { progress: progress.clone(), seen, cancel: cancel.clone() });
        Ok((permit, progress, cancel))
    }

    async fn receive<B>(
        self: &Arc<Self>,
        from: u64,
        mut body: B,
        progress: &Progress,
        permit: OwnedSemaphorePermit,
    ) -> Result<(), ReceiveError>
    where
        B: Body<Data = Bytes> + Send + Unpin,
        B::Error: std::fmt::Display,
    {
        let mut parts = Parts::new();
        let mut pace = Pace::new(self.options.snapshot_idle_timeout);
        let mut permit = Some(permit);
        let mut writer: Option<Writer> = None;
        loop {
            let next =
                async { body.frame().await.map(|frame| frame.map(|frame| frame.into_data().unwrap_or_default())) };
            let next =
                pace.keep(next, |next| next.as_ref().and_then(|bytes| bytes.as_ref().ok()).map_or(0, Bytes::len));
            let Some(bytes) = next.await.ok_or(ReceiveError::Idle)? else { break };
            let bytes = bytes.map_err(|error| ReceiveError::Body(error.to_string()))?;
            progress.add(bytes.len());
            self.observer.received(from, bytes.len() as u64);
            parts.feed(&bytes);
            while let Some(part) = parts.next()? {
                match (part, &mut writer, permit.take()) {
                    (Part::Header(message), None, Some(permit)) => {
                        self.judge_header(from, &message)?;
                        writer = Some(self.start_writer(*message, permit));
                    }
                    (Part::Chunk(chunk), Some(writer), _) => writer.put(Command::Chunk(chunk)).await?,
                    // The end is acted upon when nothing follows it.
                    _ => {}
                }
            }
        }
        parts.end()?;
        match writer {
            Some(writer) => {
                // Nothing moves any more, and yet it has not stalled.
                self.reception.leave(progress);
                writer.finish().await
            }
            None => Err(FrameError::Truncated.into()),
        }
    }

    /// Whether it says what that peer may say, to this member. Who has been away may not know the leader of now: a member
    /// that joined meanwhile is a voter in what it sends, as this member is in it.
    fn judge_header(&self, from: u64, message: &Message) -> Result<(), ReceiveError> {
        let id = self.local.member_id;
        if message.from() != from || message.to() != id {
            return Err(ReceiveError::Address(message.from()));
        }
        let metadata = message.snapshot.as_ref().and_then(|snapshot| snapshot.metadata.as_ref());
        let named = metadata.and_then(|metadata| metadata.conf_state.as_ref()).is_some_and(|conf_state| {
            let ConfState { voters, voters_outgoing, learners, .. } = conf_state;
            let votes = |id| voters.contains(&id) || voters_outgoing.contains(&id);
            votes(from) && (votes(id) || learners.contains(&id))
        });
        if named || self.is_named_member(from) { Ok(()) } else { Err(ReceiveError::Stranger) }
    }

    fn start_writer(self: &Arc<Self>, message: Message, permit: OwnedSemaphorePermit) -> Writer {
        let (commands, receiver) = mpsc::channel(CHUNKS);
        let shared = Arc::clone(self);
        let thread = tokio::task::spawn_blocking(move || {
            let result = shared.write_image(message, receiver);
            drop(permit);
            result
        });
        Writer { commands, thread }
    }

    fn write_image(&self, message: Message, mut commands: mpsc::Receiver<Command>) -> io::Result<()> {
        let metadata = message.snapshot.as_ref().and_then(|snapshot| snapshot.metadata.clone());
        let mut image = self.snapshots.write(&metadata.unwrap_or_default())?;
        loop {
            match commands.blocking_recv() {
                Some(Command::Chunk(chunk)) => image.write(chunk)?,
                Some(Command::Finish) => break,
                // Cut off: dropped unfinished, the image is discarded.
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        image.finish()?;
        // Even if the peer has stopped waiting for the answer.
        self.step_snapshot(message)
    }
}

impl Reception {
    /// That one cannot stall any more; another one may have taken its place.
    fn leave(&self, progress: &Progress) {
        self.current.lock().take_if(|current| current.progress.is(progress));
    }

    /// Whether the one that is going on has not moved for that long; then it is told to end.
    fn cancel_stalled(&self, patience: Duration) -> bool {
        let mut current = self.current.lock();
        // A writer without a reception only has to clean up.
        let Some(current) = current.as_mut() else { return true };
        let now = current.progress.get();
        if current.seen.0 != now {
            current.seen = (now, Instant::now());
        }
        let stalled = current.seen.1.elapsed() >= patience;
        if stalled {
            current.cancel.cancel();
        }
        stalled
    }
}

/// The thread that writes an image.
struct Writer {
    commands: mpsc::Sender<Command>,
    thread: JoinHandle<io::Result<()>>,
}

impl Writer {
    async fn put(&mut self, command: Command) -> Result<(), ReceiveError> {
        if self.commands.send(command).await.is_err() {
            return Err((&mut self.thread)
                .await
                .map_err(io::Error::other)
                .and_then(|result| result)
                .map_or_else(ReceiveError::Store, |()| ReceiveError::Store(io::ErrorKind::UnexpectedEof.into())));
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<(), ReceiveError> {
        self.put(Command::Finish).await?;
        drop(self.commands);
        Ok(self.thread.await.map_err(io::Error::other)??)
    }
}

/// Tells how it went, however it ends.
struct Outcome<'a> {
    shared: &'a Shared,
    from: u64,
    start: Instant,
    progress: Progress,
    complete: bool,
}

impl Drop for Outcome<'_> {
    fn drop(&mut self) {
        self.shared.reception.leave(&self.progress);
        self.shared.observer.snapshot_receive_ended(self.from, self.start.elapsed(), self.complete);
    }
}
