//! The task that keeps a stream to one peer: dials, writes what the node's thread could not, pings, and dials again.
//!
//! It also finds out that a peer's process has ended: its own stream is closed, and nobody listens any more where it was.
//! A host that vanishes says nothing of the kind.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, MissedTickBehavior};

use super::dial::{DialError, PeerStream};
use super::frame::{FrameError, FrameReader, Kind};
use super::link::Link;
use super::{Shared, connection};

/// Pings whose answers are awaited; an older one does not count any more.
const MAX_PINGS: usize = 16;
/// Pongs of one read; nobody sends more.
const MAX_READ: usize = 4 << 10;

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("closed by the peer")]
    Closed,
    #[error("no answer to pings")]
    Silent,
    #[error("takes nothing of what waits for it")]
    Stuck,
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("not wanted any more")]
    Cancelled,
}

/// Keeps the stream until the link is cancelled.
pub(super) async fn run(shared: Arc<Shared>, link: Arc<Link>) {
    // Kinds of errors told since the last connection.
    let mut told = Vec::new();
    let mut backoff = shared.options.min_backoff;
    let mut down = false;
    while !link.cancel.is_cancelled() {
        let connected = tokio::select! {
            () = link.cancel.cancelled() => break,
            connected = connect(&shared, &link, &mut told) => connected,
        };
        match connected {
            Ok((stream, early)) => {
                told.clear();
                let began = Instant::now();
                keep(&shared, &link, stream, &early).await;
                down = false;
                if began.elapsed() >= shared.options.max_backoff {
                    backoff = shared.options.min_backoff;
                }
            }
            Err(unreached) => {
                let was_down = std::mem::replace(&mut down, unreached.is_down && !shared.incoming.is_open(link.id));
                if down && !was_down {
                    shared.report_down(link.id);
                }
            }
        }
        tokio::select! {
            () = link.cancel.cancelled() => break,
            () = link.redial.notified() => {}
            () = tokio::time::sleep(backoff) => backoff = (backoff * 2).min(shared.options.max_backoff),
        }
    }
}

/// No URL of a peer leads to it.
struct Unreached {
    /// Because its process does not run.
    is_down: bool,
}

/// Tries all URLs once.
async fn connect(shared: &Shared, link: &Link, told: &mut Vec<u16>) -> Result<(Arc<dyn PeerStream>, Bytes), Unreached> {
    let local = shared.local_now();
    let urls = link.urls();
    let mut is_down = !urls.is_empty();
    for url in urls {
        let patience = shared.options.connect_timeout;
        let stream = connection::open_stream(shared.dial.as_ref(), &url, patience, &local, link.id);
        match tokio::time::timeout(patience, stream).await.unwrap_or(Err(DialError::Timeout.into())) {
            Ok(connected) => {
                tracing::info!(peer = %format_args!("{:x}", link.id), url, "connected to peer");
                return Ok(connected);
            }
            Err(error) => {
                is_down &= error.is_down();
                if !told.contains(&error.kind()) {
                    told.push(error.kind());
                    tracing::warn!(peer = %format_args!("{:x}", link.id), url, %error, "cannot connect to peer");
                }
                if error.is_removed() {
                    shared.learn_removed(link.id);
                }
            }
        }
    }
    Err(Unreached { is_down })
}

async fn keep(shared: &Shared, link: &Link, stream: Arc<dyn PeerStream>, early: &[u8]) {
    link.attach(Arc::clone(&stream));
    shared.observer.active(link.id, true);
    let lost = serve(shared, link, stream.as_ref(), early).await;
    link.detach();
    shared.observer.active(link.id, false);
    if !matches!(lost, Lost::Cancelled) {
        shared.observer.disconnected(link.id);
        tracing::warn!(peer = %format_args!("{:x}", link.id), reason = %lost, "lost the connection to peer");
        // What was on its way may be lost.
        shared.report_unreachable(link.id);
    }
}

async fn serve(shared: &Shared, link: &Link, stream: &dyn PeerStream, early: &[u8]) -> Lost {
    let mut pings = Pings::new(shared.options.read_timeout);
    let mut stuck = Stuck::default();
    let mut answers = FrameReader::new(0);
    answers.feed(early);
    if let Err(lost) = take(shared, link, &mut answers, &mut pings) {
        return lost;
    }
    let mut timer = tokio::time::interval(shared.options.ping_interval);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let waiting = match link.waiting() {
            Ok(waiting) => waiting,
            Err(error) => return error.into(),
        };
        tokio::select! {
            () = link.cancel.cancelled() => return Lost::Cancelled,
            () = link.wake.notified() => {}
            ready = poll_fn(|cx| stream.poll_writable(cx)), if waiting => {
                if let Err(error) = ready {
                    return error.into();
                }
                shared.sent(link.id, link.flush());
            }
            ready = poll_fn(|cx| stream.poll_readable(cx)) => {
                let read = ready.map_err(Lost::Io).and_then(|()| read(shared, link, stream, &mut answers, &mut pings));
                if let Err(lost) = read {
                    return lost;
                }
            }
            _ = timer.tick() => {
                if pings.overdue() {
                    return Lost::Silent;
                }
                if stuck.is(link.taken(), shared.options.write_timeout) {
                    return Lost::Stuck;
                }
                shared.sent(link.id, link.ping(pings.next()));
            }
        }
    }
}

/// Reads what is there.
fn read(
    shared: &Shared,
    link: &Link,
    stream: &dyn PeerStream,
    answers: &mut FrameReader,
    pings: &mut Pings,
) -> Result<(), Lost> {
    let mut buffer = [0; MAX_READ];
    match stream.try_read(&mut buffer) {
        Ok(0) => return Err(Lost::Closed),
        Ok(count) => answers.feed(buffer.get(..count).unwrap_or_default()),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        Err(error) => return Err(error.into()),
    }
    take(shared, link, answers, pings)
}

/// Takes pongs; nothing else comes back on a stream.
fn take(shared: &Shared, link: &Link, answers: &mut FrameReader, pings: &mut Pings) -> Result<(), Lost> {
    while let Some(frame) = answers.next()? {
        if frame.kind != Kind::Pong {
            return Err(FrameError::Unexpected(frame.kind).into());
        }
        if let Some(took) = pings.answered(frame.number()?) {
            shared.observer.round_trip(link.id, took);
        }
    }
    Ok(())
}

/// Whether a stream takes something.
#[derive(Default)]
struct Stuck(Option<(u64, Instant)>);

impl Stuck {
    /// Whether it has taken nothing for so long, by how much it has taken until now; none where nothing waits.
    fn is(&mut self, taken: Option<u64>, patience: Duration) -> bool {
        let Some(taken) = taken else {
            self.0 = None;
            return false;
        };
        match self.0 {
            Some((before, since)) if before == taken => since.elapsed() >= patience,
            _ => {
                self.0 = Some((taken, Instant::now()));
                false
            }
        }
    }
}

/// Pings on their way.
struct Pings {
    sent: VecDeque<(u64, Instant)>,
    last: u64,
    heard: Instant,
    patience: Duration,
}

impl Pings {
    fn new(patience: Duration) -> Pings {
        Pings { sent: VecDeque::new(), last: 0, heard: Instant::now(), patience }
    }

    fn next(&mut self) -> u64 {
        self.last += 1;
        if self.sent.len() >= MAX_PINGS {
            self.sent.pop_front();
        }
        self.sent.push_back((self.last, Instant::now()));
        self.last
    }

    fn answered(&mut self, number: u64) -> Option<Duration> {
        if number > self.last {
            return None;
        }
        while let Some((sent, at)) = self.sent.pop_front_if(|(sent, _)| *sent <= number) {
            if sent == number {
                self.heard = Instant::now();
                return Some(at.elapsed());
            }
        }
        None
    }

    fn overdue(&self) -> bool {
        self.heard.elapsed() >= self.patience
    }
}
