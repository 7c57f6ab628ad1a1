//! The outgoing side to one peer, as the node's thread sees it: encode, and write what fits at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use keyport_api::raftpb::Message;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::dial::PeerStream;
use super::frame::{self, FULL_FRAME, HEADER, Kind};
use super::outbox::Outbox;

/// Besides what may wait: for heartbeats, votes and answers, so that a peer that is slow with entries still hears them.
const RESERVE: usize = 1 << 20;

/// One peer.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) id: u64,
    /// Not named as a member so far: it came by itself.
    pub(super) provisional: AtomicBool,
    state: Mutex<State>,
    /// Something waits, or the stream failed: the task has to look.
    pub(super) wake: Notify,
    /// The peer can probably be reached now, or somewhere else.
    pub(super) redial: Notify,
    /// The peer is not wanted any more.
    pub(super) cancel: CancellationToken,
    max_pending: usize,
    max_messages: usize,
}

#[derive(Debug, Default)]
struct State {
    urls: Vec<String>,
    stream: Option<Arc<dyn PeerStream>>,
    since: Option<Instant>,
    outbox: Outbox,
    /// Messages were given up, and Raft was told.
    dropping: bool,
    failure: Option<io::Error>,
    /// Bytes that the stream took.
    taken: u64,
}

/// What became of a batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sent {
    /// Bytes written.
    pub(super) bytes: usize,
    /// Messages given up.
    pub(super) dropped: u64,
    /// Raft has to be told that the peer misses something.
    pub(super) report: bool,
}

impl Link {
    pub(super) fn new(
        id: u64,
        urls: Vec<String>,
        provisional: bool,
        cancel: CancellationToken,
        options: &super::PeerOptions,
    ) -> Link {
        Link {
            id,
            provisional: AtomicBool::new(provisional),
            state: Mutex::new(State { urls, ..State::default() }),
            wake: Notify::new(),
            redial: Notify::new(),
            cancel,
            max_pending: options.max_pending_bytes,
            max_messages: frame::max_messages_bytes(options.max_entry_bytes),
        }
    }

    pub(super) fn urls(&self) -> Vec<String> {
        self.state.lock().urls.clone()
    }

    /// The peer is a member, at these URLs. A stream that is up stays.
    pub(super) fn set_urls(&self, urls: Vec<String>) {
        self.provisional.store(false, Ordering::Release);
        let mut state = self.state.lock();
        if state.urls != urls {
            state.urls = urls;
            drop(state);
            self.redial.notify_one();
        }
    }

    pub(super) fn active_since(&self) -> Option<Instant> {
        self.state.lock().since
    }

    /// Encodes messages and writes what fits. Never blocks.
    pub(super) fn send(&self, messages: &[Message]) -> Sent {
        let mut sent = Sent::default();
        let mut state = self.state.lock();
        let state = &mut *state;
        let Some(stream) = state.stream.clone() else {
            sent.drop(messages, &mut state.dropping);
            return sent;
        };
        let direct = state.outbox.is_empty();
        let mut rest = messages;
        while !rest.is_empty() {
            let (count, size) = self.frame(rest, state.outbox.len());
            let (frame, later) = rest.split_at(count.max(1));
            rest = later;
            if count == 0 {
                sent.drop(frame, &mut state.dropping);
                continue;
            }
            state.outbox.append(HEADER + size, |block| frame::put_messages(block, frame));
            if direct {
                sent.bytes += self.write(state, stream.as_ref());
                if state.stream.is_none() {
                    sent.dropped += rest.len() as u64;
                    break;
                }
            }
        }
        if direct && !state.outbox.is_empty() {
            self.wake.notify_one();
        }
        sent
    }

    /// How many of these go into one frame, and their bytes. None when the first one has to be given up.
    fn frame(&self, messages: &[Message], pending: usize) -> (usize, usize) {
        let (mut count, mut total) = (0, 0);
        for message in messages {
            let size = frame::message_bytes(message);
            let fits = self.fits(message, size, pending + total);
            if !fits || (count > 0 && total + size > FULL_FRAME) {
                break;
            }
            total += size;
            count += 1;
        }
        (count, total)
    }

    fn fits(&self, message: &Message, size: usize, pending: usize) -> bool {
        if size > self.max_messages {
            return false;
        }
        let room = if message.entries.is_empty() { self.max_pending + RESERVE } else { self.max_pending };
        // A single message is always taken, however large.
        pending == 0 || pending + size <= room
    }

    /// Queues a ping and writes what fits; returns the bytes written.
    pub(super) fn ping(&self, number: u64) -> usize {
        let frame = frame::number_frame(Kind::Ping, number);
        let mut state = self.state.lock();
        // Only pings that nobody reads get this far; the missing answers end the stream soon.
        if state.outbox.len() + frame.len() <= self.max_pending + 2 * RESERVE {
            state.outbox.append(frame.len(), |block| block.extend_from_slice(&frame));
        }
        drop(state);
        self.flush()
    }

    /// Writes what fits of what waits; returns the bytes written.
    pub(super) fn flush(&self) -> usize {
        let mut state = self.state.lock();
        let state = &mut *state;
        state.stream.clone().map_or(0, |stream| self.write(state, stream.as_ref()))
    }

    /// Whether something waits until the stream takes it, or why the stream failed.
    pub(super) fn waiting(&self) -> io::Result<bool> {
        let mut state = self.state.lock();
        match state.failure.take() {
            Some(error) => Err(error),
            None => Ok(!state.outbox.is_empty()),
        }
    }

    /// How many bytes the stream took until now, if more wait for it.
    pub(super) fn taken(&self) -> Option<u64> {
        let state = self.state.lock();
        (!state.outbox.is_empty()).then_some(state.taken)
    }

    /// The stream is up.
    pub(super) fn attach(&self, stream: Arc<dyn PeerStream>) {
        let mut state = self.state.lock();
        let urls = std::mem::take(&mut state.urls);
        let mut outbox = std::mem::take(&mut state.outbox);
        outbox.clear();
        *state = State { urls, outbox, stream: Some(stream), since: Some(Instant::now()), ..State::default() };
    }

    /// The stream is gone, with what was on its way.
    pub(super) fn detach(&self) {
        let mut state = self.state.lock();
        state.stream = None;
        state.since = None;
        state.failure = None;
        state.dropping = true;
        state.outbox.clear();
    }

    fn write(&self, state: &mut State, stream: &dyn PeerStream) -> usize {
        match state.outbox.write_to(|slices| stream.try_write(slices)) {
            Ok(bytes) => {
                state.dropping &= !state.outbox.is_empty();
                state.taken += bytes as u64;
                bytes
            }
            Err(error) => {
                state.stream = None;
                state.since = None;
                state.failure = Some(error);
                state.outbox.clear();
                self.wake.notify_one();
                0
            }
        }
    }
}

impl Sent {
    fn drop(&mut self, messages: &[Message], dropping: &mut bool) {
        self.dropped += messages.len() as u64;
        self.report |= !std::mem::replace(dropping, true);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use bytes::Bytes;
    use keyport_api::raftpb::Entry;
    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpListener, TcpStream};

    use super::super::PeerOptions;
    use super::*;

    const MAX_PENDING: usize = 2 << 20;

    fn append(bytes: usize) -> Message {
        let entry = Entry { data: Some(Bytes::from(vec![7; bytes])), ..Entry::default() };
        Message { entries: vec![entry], ..Message::default() }
    }

    async fn link() -> (Link, TcpStream) {
        let options = PeerOptions { max_pending_bytes: MAX_PENDING, ..PeerOptions::default() };
        let link = Link::new(2, Vec::new(), false, CancellationToken::new(), &options);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (other, _) = listener.accept().await.unwrap();
        link.attach(Arc::new(stream));
        (link, other)
    }

    fn pending(link: &Link) -> usize {
        link.state.lock().outbox.len()
    }

    /// Sends until something is given up.
    fn fill(link: &Link) -> Sent {
        loop {
            let sent = link.send(&[append(100_000)]);
            if sent.dropped > 0 {
                return sent;
            }
        }
    }

    #[tokio::test]
    async fn without_a_stream_everything_is_lost_and_told_once() {
        let options = PeerOptions::default();
        let link = Link::new(2, Vec::new(), false, CancellationToken::new(), &options);
        assert_eq!(link.send(&[append(1), append(1)]), Sent { bytes: 0, dropped: 2, report: true });
        assert_eq!(link.send(&[append(1)]), Sent { bytes: 0, dropped: 1, report: false });
        assert_eq!(pending(&link), 0);
    }

    #[tokio::test]
    async fn what_waits_is_bounded_and_each_episode_told_once() {
        let (link, mut other) = link().await;
        for _ in 0..2 {
            assert!(fill(&link).report);
            assert!(!fill(&link).report);
            assert!(pending(&link) <= MAX_PENDING);
            // Small messages have room of their own, but not for ever.
            assert_eq!(link.send(&[Message::default()]).dropped, 0);
            let many = vec![Message { context: Some(vec![0; 10_000].into()), ..Message::default() }; RESERVE / 5_000];
            assert!(link.send(&many).dropped > 0);
            assert!(pending(&link) <= MAX_PENDING + RESERVE + 2 * HEADER);
            assert!(link.waiting().unwrap());
            let mut buffer = vec![0; 1 << 20];
            let stream = link.state.lock().stream.clone().unwrap();
            while link.waiting().unwrap() {
                tokio::select! {
                    read = other.read(&mut buffer) => assert!(read.unwrap() > 0),
                    ready = poll_fn(|cx| stream.poll_writable(cx)) => {
                        ready.unwrap();
                        link.flush();
                    }
                }
            }
        }
    }

    #[tokio::test]
    async fn one_message_may_be_larger_than_the_bound_but_not_than_a_frame() {
        let (link, _other) = link().await;
        assert_eq!(link.send(&[append(2 * MAX_PENDING)]).dropped, 0);
        assert_eq!(link.send(&[append(1)]).dropped, u64::from(pending(&link) > MAX_PENDING));
        let (link, _other) = self::link().await;
        assert_eq!(link.send(&[append(link.max_messages)]).dropped, 1);
    }

    #[tokio::test]
    async fn a_stream_that_breaks_is_noticed_by_who_writes_and_told_to_the_task() {
        let (link, other) = link().await;
        drop(other);
        while link.send(&[append(100_000)]).dropped == 0 && link.active_since().is_some() {
            tokio::task::yield_now().await;
        }
        assert!(link.waiting().is_err());
        assert_eq!(pending(&link), 0);
        link.wake.notified().await;
    }
}
