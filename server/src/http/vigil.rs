//! How long a connection may keep the server waiting for a request. Whoever says nothing, or stops in the middle of a head
//! or of HTTP/2's preface, holds a descriptor and a place that others wait for.
//!
//! An answer may take as long as it likes, and so may what follows HTTP/2's preface: a peer that is gone without a word
//! is found out by pings there (`--grpc-keepalive-interval`), and by the kernel's probes on every connection.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::frames::PREFACE;
use crate::net::{Ear, turn};

/// How long the other side may take.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// For the first byte of a connection.
    pub first: Duration,
    /// For the rest of a request's head from its first byte on, or of HTTP/2's preface.
    pub head: Duration,
    /// For the first byte of another request over HTTP/1.1, once one is answered.
    pub idle: Duration,
}

impl Default for Deadlines {
    /// Browsers and clients that connect in advance come back by themselves. Connections that pools keep are closed by
    /// whoever keeps them, mostly after 30 to 90 seconds, before they would be here.
    fn default() -> Deadlines {
        Deadlines { first: Duration::from_secs(10), head: Duration::from_secs(20), idle: Duration::from_secs(300) }
    }
}

impl Deadlines {
    fn of(self, phase: Phase) -> Option<Duration> {
        match phase {
            Phase::Mute => Some(self.first),
            Phase::Preface | Phase::Head => Some(self.head),
            Phase::Idle => Some(self.idle),
            Phase::Answering | Phase::Http2 => None,
        }
    }
}

/// What a connection is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing has come in yet.
    Mute,
    /// What has come in may become HTTP/2's preface.
    Preface,
    /// The head of a request has begun, in HTTP/1.1.
    Head,
    /// A request is being answered, in HTTP/1.1.
    Answering,
    /// Between two requests, in HTTP/1.1.
    Idle,
    /// HTTP/2 is spoken.
    Http2,
}

impl Phase {
    const ALL: [Phase; 6] = [Phase::Mute, Phase::Preface, Phase::Head, Phase::Answering, Phase::Idle, Phase::Http2];
    /// How many bits it takes.
    const BITS: u32 = 3;
}

/// Keeps track of a connection's phase. Only its own event loop does so: nothing has to be ordered.
#[derive(Debug)]
pub(crate) struct Vigil {
    /// The phase, and above it a count of all there were.
    phase: AtomicU32,
    /// How much of HTTP/2's preface has come in.
    preface: AtomicU8,
    /// Answers under way in HTTP/2.
    streams: AtomicU32,
    /// The last of the streams that the client has begun.
    last_stream: AtomicU32,
    /// Whether a part of an answer has gone out in HTTP/2 since somebody has asked that.
    spoken: AtomicBool,
    /// Whether something else than gRPC was asked for in HTTP/2.
    plain: AtomicBool,
    /// Whether the socket has taken only a part of what was written last.
    cut: AtomicBool,
    /// Whether nothing more is to be heard from the client.
    given_up: AtomicBool,
    /// When the last answer ended, in milliseconds of the clock of [`turn`].
    rested: AtomicU64,
}

impl Default for Vigil {
    fn default() -> Vigil {
        Vigil {
            phase: AtomicU32::default(),
            preface: AtomicU8::default(),
            streams: AtomicU32::default(),
            last_stream: AtomicU32::default(),
            spoken: AtomicBool::default(),
            plain: AtomicBool::default(),
            cut: AtomicBool::default(),
            given_up: AtomicBool::default(),
            rested: AtomicU64::new(millis()),
        }
    }
}

fn millis() -> u64 {
    u64::try_from(turn::now().as_millis()).unwrap_or(u64::MAX)
}

impl Vigil {
    pub(super) fn phase(&self) -> Phase {
        Vigil::phase_of(self.phase.load(Relaxed))
    }

    fn phase_of(state: u32) -> Phase {
        let phase = usize::try_from(state & ((1 << Phase::BITS) - 1)).ok().and_then(|at| Phase::ALL.get(at));
        phase.copied().unwrap_or(Phase::Mute)
    }

    fn enter(&self, phase: Phase) {
        let count = (self.phase.load(Relaxed) >> Phase::BITS).wrapping_add(1);
        self.phase.store((count << Phase::BITS) | phase as u32, Relaxed);
    }

    /// A request has come in: it is being answered until what this returns is dropped.
    pub(crate) fn answers(self: &Arc<Self>) -> Answering {
        match self.phase() {
            Phase::Http2 => _ = self.streams.fetch_add(1, Relaxed),
            _ => self.enter(Phase::Answering),
        }
        Answering(Arc::clone(self))
    }

    pub(super) fn has_streams(&self) -> bool {
        self.streams.load(Relaxed) > 0
    }

    pub(super) fn saw_stream(&self, stream: u32) {
        self.last_stream.fetch_max(stream, Relaxed);
    }

    /// Something else than gRPC is asked for.
    pub(super) fn speaks_plainly(&self) {
        self.plain.store(true, Relaxed);
    }

    pub(super) fn is_plain(&self) -> bool {
        self.plain.load(Relaxed)
    }

    /// A part of an answer is on its way.
    pub(super) fn speaks(&self) {
        self.spoken.store(true, Relaxed);
    }

    /// Whether a part of an answer has gone out since this was asked last.
    pub(super) fn take_spoken(&self) -> bool {
        self.spoken.swap(false, Relaxed)
    }

    pub(super) fn set_cut(&self, is_cut: bool) {
        self.cut.store(is_cut, Relaxed);
    }

    /// Whether what is written next would stand in the midst of something.
    pub(super) fn is_cut(&self) -> bool {
        self.cut.load(Relaxed)
    }

    pub(super) fn give_up(&self) {
        self.given_up.store(true, Relaxed);
    }

    /// The last stream of a client that is given up.
    pub(super) fn given_up(&self) -> Option<u32> {
        self.given_up.load(Relaxed).then(|| self.last_stream.load(Relaxed))
    }

    /// Since when nothing is being answered, in milliseconds of some clock; none if something is.
    pub(super) fn idle_since(&self) -> Option<u64> {
        let is_idle = match self.phase() {
            Phase::Answering => false,
            Phase::Http2 => self.streams.load(Relaxed) == 0,
            Phase::Mute | Phase::Preface | Phase::Head | Phase::Idle => true,
        };
        is_idle.then(|| self.rested.load(Relaxed))
    }

    /// Has `connection` go on until it ends.
    ///
    /// # Errors
    /// What it was about when the other side took too long.
    pub(crate) async fn keep<C: Future + Unpin>(
        &self,
        deadlines: Deadlines,
        mut connection: C,
    ) -> Result<C::Output, Phase> {
        let mut timer = pin!(sleep(deadlines.first));
        let (mut known, mut deadline) = (None, None);
        poll_fn(|cx| {
            if let Poll::Ready(output) = Pin::new(&mut connection).poll(cx) {
                return Poll::Ready(Ok(output));
            }
            let state = self.phase.load(Relaxed);
            if known.replace(state) != Some(state) {
                deadline = deadlines.of(Vigil::phase_of(state)).map(|patience| Instant::now() + patience);
            }
            let Some(deadline) = deadline else { return Poll::Pending };
            // With every request the deadline moves on; the timer follows only when it has run out.
            if deadline < timer.deadline() {
                timer.as_mut().reset(deadline);
            }
            while timer.as_mut().poll(cx).is_ready() {
                if timer.deadline() >= deadline {
                    return Poll::Ready(Err(Vigil::phase_of(state)));
                }
                timer.as_mut().reset(deadline);
            }
            Poll::Pending
        })
        .await
    }
}

impl Vigil {
    /// These bytes have come in.
    pub(super) fn heard(&self, data: &[u8]) {
        match self.phase() {
            Phase::Mute | Phase::Preface => {
                let known = self.preface.load(Relaxed);
                let expected = PREFACE.get(usize::from(known)..).unwrap_or_default();
                let (begins, is_more) = (data.iter().zip(expected).all(|(a, b)| a == b), data.len() > expected.len());
                if !begins {
                    self.enter(Phase::Head);
                } else if is_more {
                    // The client's settings have begun, too.
                    self.enter(Phase::Http2);
                } else {
                    self.preface.store(known.saturating_add(u8::try_from(data.len()).unwrap_or(u8::MAX)), Relaxed);
                    if known == 0 {
                        self.enter(Phase::Preface);
                    }
                }
            }
            Phase::Idle => self.enter(Phase::Head),
            Phase::Head | Phase::Answering | Phase::Http2 => {}
        }
    }
}

/// For those who have nothing else to hear.
impl Ear for Arc<Vigil> {
    fn hears(&mut self, data: &[u8]) {
        self.heard(data);
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct Answering(Arc<Vigil>);

impl Answering {
    /// A part of the answer is on its way.
    pub(super) fn speaks(&self) {
        self.0.speaks();
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        match self.0.phase() {
            Phase::Http2 => _ = self.0.streams.fetch_sub(1, Relaxed),
            _ => self.0.enter(Phase::Idle),
        }
        self.0.rested.store(millis(), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase_after(parts: &[&[u8]]) -> Phase {
        let vigil = Arc::new(Vigil::default());
        parts.iter().for_each(|part| vigil.heard(part));
        vigil.phase()
    }

    #[test]
    fn the_first_bytes_say_what_is_spoken() {
        assert_eq!(phase_after(&[]), Phase::Mute);
        assert_eq!(phase_after(&[b"G"]), Phase::Head);
        assert_eq!(phase_after(&[b"P"]), Phase::Preface);
        assert_eq!(phase_after(&[b"P", b"OST"]), Phase::Head);
        assert_eq!(phase_after(&[PREFACE]), Phase::Preface, "its settings belong to it");
        assert_eq!(phase_after(&[PREFACE, b"\0"]), Phase::Http2);
        for cut in 1..PREFACE.len() {
            assert_eq!(phase_after(&[&PREFACE[..cut], &PREFACE[cut..], b"\0"]), Phase::Http2);
            assert_eq!(phase_after(&[&PREFACE[..cut], b"x"]), Phase::Head);
        }
    }

    #[test]
    fn a_connection_is_idle_while_nothing_is_answered() {
        for first in [&b"GET"[..], b"P", &[PREFACE, b"\0"].concat()] {
            let vigil = Arc::new(Vigil::default());
            assert!(vigil.idle_since().is_some());
            vigil.heard(first);
            assert!(vigil.idle_since().is_some(), "{first:?}: nothing has been asked so far");
            let (one, other) = (vigil.answers(), (vigil.phase() == Phase::Http2).then(|| vigil.answers()));
            drop(one);
            assert_eq!(vigil.idle_since().is_some(), other.is_none(), "{first:?}");
            drop(other);
            assert!(vigil.idle_since().is_some(), "{first:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_phase_has_its_deadline() {
        let (first, head, idle) = (Duration::from_secs(2), Duration::from_secs(1), Duration::from_secs(10));
        let deadlines = Deadlines { first, head, idle };
        let vigil = Arc::new(Vigil::default());
        let begun = Instant::now();
        let story = async {
            vigil.heard(b"GET");
            tokio::time::sleep(Duration::from_millis(500)).await;
            let answering = vigil.answers();
            vigil.heard(b"a body");
            tokio::time::sleep(Duration::from_secs(100)).await;
            drop(answering);
            tokio::time::sleep(Duration::from_secs(9)).await;
            vigil.heard(b"GET");
            // Drops do not help.
            loop {
                tokio::time::sleep(Duration::from_millis(300)).await;
                vigil.heard(b"x");
            }
        };
        let overdue = vigil.keep(deadlines, pin!(story)).await;
        assert_eq!((overdue, begun.elapsed()), (Err(Phase::Head), Duration::from_millis(110_500)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_has_a_time_for_its_first_byte() {
        let hour = Duration::from_secs(3600);
        let vigil = Arc::new(Vigil::default());
        let (begun, first) = (Instant::now(), Duration::from_secs(10));
        let mute = vigil.keep(Deadlines { first, head: hour, idle: hour }, pin!(std::future::pending::<()>())).await;
        assert_eq!((mute, begun.elapsed()), (Err(Phase::Mute), first));
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_again_in_time_stays() {
        let (first, head, idle) = (Duration::from_secs(2), Duration::from_secs(1), Duration::from_secs(10));
        let deadlines = Deadlines { first, head, idle };
        let vigil = Arc::new(Vigil::default());
        let begun = Instant::now();
        let story = async {
            for _ in 0..100 {
                vigil.heard(b"GET");
                drop(vigil.answers());
                tokio::time::sleep(Duration::from_secs(9)).await;
            }
            std::future::pending::<()>().await;
        };
        let overdue = vigil.keep(deadlines, pin!(story)).await;
        assert_eq!((overdue, begun.elapsed()), (Err(Phase::Idle), Duration::from_secs(901)));
    }
}
