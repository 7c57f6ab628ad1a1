//! How long a connection may keep the server waiting for a request. Whoever says nothing, or stops in the middle of a head
//! or of HTTP/2's preface, holds a descriptor and a place that others wait for.
//!
//! An answer may take as long as it likes, and so may what follows HTTP/2's preface: a peer that is gone without a word
//! is found out by pings there (`--grpc-keepalive-interval`), and by the kernel's probes on every connection.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Instant, sleep};

use crate::net::Ear;

/// How long the other side may take.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// For the first byte of a connection; then for the rest of a request's head, or of HTTP/2's preface.
    pub head: Duration,
    /// For the first byte of another request over HTTP/1.1, once one is answered.
    pub idle: Duration,
}

impl Default for Deadlines {
    /// Browsers and clients that connect in advance come back by themselves. Connections that pools keep are closed by
    /// whoever keeps them, mostly after 30 to 90 seconds, before they would be here.
    fn default() -> Deadlines {
        Deadlines { head: Duration::from_secs(20), idle: Duration::from_secs(300) }
    }
}

impl Deadlines {
    fn of(self, phase: Phase) -> Option<Duration> {
        match phase {
            Phase::Mute | Phase::Preface | Phase::Head => Some(self.head),
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
#[derive(Debug, Default)]
pub(crate) struct Vigil {
    /// The phase, and above it a count of all there were.
    phase: AtomicU32,
    /// How much of HTTP/2's preface has come in.
    preface: AtomicU8,
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

impl Vigil {
    fn phase(&self) -> Phase {
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

    /// A request over HTTP/1.1 has come in: it is being answered until what this returns is dropped.
    pub(crate) fn answers(self: &Arc<Self>) -> Answering {
        self.enter(Phase::Answering);
        Answering(Arc::clone(self))
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
        let mut timer = pin!(sleep(deadlines.head));
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

impl Ear for Arc<Vigil> {
    fn hears(&self, data: &[u8]) {
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

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct Answering(Arc<Vigil>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.enter(Phase::Idle);
    }
}

pin_project! {
    /// An answer under way, or its body.
    #[derive(Debug)]
    pub(crate) struct Answered<T> {
        #[pin]
        inner: T,
        answering: Option<Answering>,
    }
}

impl<T> Answered<T> {
    /// `answering` ends with it, or with its body.
    pub(crate) fn new(inner: T, answering: Option<Answering>) -> Answered<T> {
        Answered { inner, answering }
    }
}

impl<F: Future<Output = Result<Response<B>, E>>, B, E> Future for Answered<F> {
    type Output = Result<Response<Answered<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.inner.poll(cx).map_ok(|response| response.map(|body| Answered::new(body, this.answering.take())))
    }
}

impl<B: Body<Data = Bytes>> Body for Answered<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        self.project().inner.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(parts: &[&[u8]]) -> Phase {
        let vigil = Arc::new(Vigil::default());
        parts.iter().for_each(|part| vigil.hears(part));
        vigil.phase()
    }

    #[test]
    fn the_first_bytes_say_what_is_spoken() {
        assert_eq!(heard(&[]), Phase::Mute);
        assert_eq!(heard(&[b"G"]), Phase::Head);
        assert_eq!(heard(&[b"P"]), Phase::Preface);
        assert_eq!(heard(&[b"P", b"OST"]), Phase::Head);
        assert_eq!(heard(&[PREFACE]), Phase::Preface, "its settings belong to it");
        assert_eq!(heard(&[PREFACE, b"\0"]), Phase::Http2);
        for cut in 1..PREFACE.len() {
            assert_eq!(heard(&[&PREFACE[..cut], &PREFACE[cut..], b"\0"]), Phase::Http2);
            assert_eq!(heard(&[&PREFACE[..cut], b"x"]), Phase::Head);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_phase_has_its_deadline() {
        let deadlines = Deadlines { head: Duration::from_secs(1), idle: Duration::from_secs(10) };
        let vigil = Arc::new(Vigil::default());
        let begun = Instant::now();
        let story = async {
            vigil.hears(b"GET");
            tokio::time::sleep(Duration::from_millis(500)).await;
            let answering = vigil.answers();
            vigil.hears(b"a body");
            tokio::time::sleep(Duration::from_secs(100)).await;
            drop(answering);
            tokio::time::sleep(Duration::from_secs(9)).await;
            vigil.hears(b"GET");
            // Drops do not help.
            loop {
                tokio::time::sleep(Duration::from_millis(300)).await;
                vigil.hears(b"x");
            }
        };
        let overdue = vigil.keep(deadlines, pin!(story)).await;
        assert_eq!((overdue, begun.elapsed()), (Err(Phase::Head), Duration::from_millis(110_500)));
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_again_in_time_stays() {
        let deadlines = Deadlines { head: Duration::from_secs(1), idle: Duration::from_secs(10) };
        let vigil = Arc::new(Vigil::default());
        let begun = Instant::now();
        let story = async {
            for _ in 0..100 {
                vigil.hears(b"GET");
                drop(vigil.answers());
                tokio::time::sleep(Duration::from_secs(9)).await;
            }
            std::future::pending::<()>().await;
        };
        let overdue = vigil.keep(deadlines, pin!(story)).await;
        assert_eq!((overdue, begun.elapsed()), (Err(Phase::Idle), Duration::from_secs(901)));
    }
}
