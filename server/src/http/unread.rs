//! Requests whose body nobody has read to its end when they are answered.
//!
//! Over HTTP/1.1 the next request stands behind it. A little is read and thrown away before the answer goes out, and the
//! connection is kept. With more to come the answer says that the connection ends; what the client still sends is then read
//! by whoever closes it (`Stream::linger`).
//!
//! Over HTTP/2 an answer that comes before the end of the body resets the stream behind it. Clients that are still sending
//! then (curl before 8.0) report the reset and throw the answer away. So as much is read there first, and of what is more
//! some is read behind the answer: until they have seen that. gRPC expects a reset and is not kept waiting: its streams stay
//! open for as long as the client likes.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::header::{CONNECTION, EXPECT, HeaderValue};
use http::{Request, Response, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use parking_lot::Mutex;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep, timeout_at};

use super::RequestBody;

/// How much is read for the sake of the connection; as much as etcd does.
const DRAIN_BYTES: u64 = 256 * 1024;
/// How much is read behind an answer over HTTP/2, whose client has been told by then. It has a stream of its connection meanwhile.
const READ_ON_BYTES: u64 = 4 * 1024 * 1024;
/// How long that is waited for. The answer is held back meanwhile.
pub(super) const DRAIN_TIME: Duration = Duration::from_secs(5);

/// What becomes of the bodies of a connection's requests.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    place: Mutex<Place>,
    /// Whether the last of them was left on the connection.
    left: AtomicBool,
}

/// Where a body is put down before its end.
#[derive(Debug, Default)]
enum Place {
    /// Nobody would come for it: there is no body, or its request is answered already.
    #[default]
    Shut,
    Open,
    Taken(Incoming),
}

impl Unread {
    /// Has a request answered by `call`, and what it leaves of its body seen to, if the answer `waits` for that. Over HTTP/1.1 it
    /// has to.
    #[inline]
    pub(crate) fn answer<F, B, E>(
        self: &Arc<Self>,
        request: Request<Incoming>,
        waits: bool,
        call: impl FnOnce(Request<RequestBody>) -> F,
    ) -> Settling<F, Response<B>>
    where
        F: Future<Output = Result<Response<B>, E>>,
    {
        let is_http1 = request.version() < Version::HTTP_2;
        if is_http1 {
            // What was before has been read by now, or there would be no next one.
            self.left.store(false, Relaxed);
        }
        let waits = waits && !request.body().is_end_stream();
        // Over HTTP/2 there are many at a time, each with a place of its own.
        let own = (waits && !is_http1).then(Arc::default);
        let unread = own.as_ref().unwrap_or(self);
        // Who asks whether to send it at all is not told to for nothing.
        if waits && !request.headers().contains_key(EXPECT) {
            *unread.place.lock() = Place::Open;
        }
        let inner = call(request.map(|incoming| RequestBody::new(incoming, unread)));
        Settling { inner, unread: waits.then(|| Arc::clone(unread)), closes: is_http1, draining: None }
    }

    /// Whether the connection may not be closed before what still comes is read.
    pub(crate) fn is_left(&self) -> bool {
        self.left.load(Relaxed)
    }

    /// Puts down a body that is wanted no more.
    pub(super) fn put_down(&self, body: Incoming) {
        let mut place = self.place.lock();
        match *place {
            Place::Open => *place = Place::Taken(body),
            Place::Shut | Place::Taken(_) => self.leave(),
        }
    }

    /// Something stays on the connection that is not read any more.
    pub(super) fn leave(&self) {
        self.left.store(true, Relaxed);
    }

    fn shut(&self) -> Option<Incoming> {
        match std::mem::take(&mut *self.place.lock()) {
            Place::Taken(body) => Some(body),
            Place::Shut | Place::Open => None,
        }
    }
}

pin_project! {
    /// An answer under way, held back until it is known whether the connection goes on.
    #[derive(Debug)]
    pub(crate) struct Settling<F, T> {
        #[pin]
        inner: F,
        unread: Option<Arc<Unread>>,
        // Whether the connection ends where something of the body is left on it.
        closes: bool,
        // In a box: it is rare.
        draining: Option<Box<Draining<T>>>,
    }
}

impl<F, B, E> Future for Settling<F, Response<B>>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(unread) = this.unread else { return this.inner.poll(cx) };
        if this.draining.is_none() {
            let answer = ready!(this.inner.poll(cx))?;
            match unread.shut() {
                Some(body) => *this.draining = Some(Box::new(Draining::new(answer, body))),
                None => return Poll::Ready(Ok(closing(answer, *this.closes && unread.is_left()))),
            }
        }
        let Some(draining) = this.draining.as_mut() else { return Poll::Pending };
        let is_read = ready!(draining.poll_end(cx));
        if !is_read {
            unread.leave();
        }
        let Some(drained) = this.draining.take() else { return Poll::Pending };
        let Draining { answer, body, .. } = *drained;
        if !is_read && !*this.closes {
            tokio::spawn(read_on(body));
        }
        Poll::Ready(Ok(closing(answer, *this.closes && unread.is_left())))
    }
}

/// Reads behind an answer over HTTP/2: as long as that goes on, its stream is not reset. The client's own end of it is enough.
async fn read_on(mut body: Incoming) {
    let mut left = READ_ON_BYTES;
    let end = Instant::now() + DRAIN_TIME;
    let mut frame = async || poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
    while let Ok(Some(Ok(frame))) = timeout_at(end, frame()).await {
        let read = frame.data_ref().map_or(0, |data| data.len() as u64);
        match left.checked_sub(read) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

fn closing<B>(mut answer: Response<B>, closes: bool) -> Response<B> {
    if closes {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

/// An answer, and the body that is read away before it.
#[derive(Debug)]
struct Draining<T> {
    answer: T,
    body: Incoming,
    left: u64,
    timer: Pin<Box<Sleep>>,
}

impl<T> Draining<T> {
    fn new(answer: T, body: Incoming) -> Draining<T> {
        Draining { answer, body, left: DRAIN_BYTES, timer: Box::pin(sleep(DRAIN_TIME)) }
    }

    /// Whether it came to its end within the bounds.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        // What is announced to be too much is not begun with.
        while self.body.size_hint().lower() <= self.left {
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(None) => return Poll::Ready(true),
                Poll::Ready(Some(Err(_))) => return Poll::Ready(false),
                Poll::Ready(Some(Ok(frame))) => {
                    let read = frame.data_ref().map_or(0, |data| data.len() as u64);
                    match self.left.checked_sub(read) {
                        Some(left) => self.left = left,
                        None => return Poll::Ready(false),
                    }
                }
                Poll::Pending => return self.timer.as_mut().poll(cx).map(|()| false),
            }
        }
        Poll::Ready(false)
    }
}
