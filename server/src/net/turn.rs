//! How long an event loop goes on with what is at hand before it looks who else has something for it.
//!
//! A loop of tokio's looks at its sockets when no task is ready, or after 61 of them. A task that writes a large answer is
//! ready all the time and takes a millisecond, so a few of them would keep everybody else waiting for 61 ms. Here a turn
//! ends after a few milliseconds: tasks that come later in it stand back until the loop has looked.
//!
//! Nor does a task read as much at a time as its other side can send: a connection is read until nothing is there, and what
//! fits a socket's buffers may be thousands of requests that are given up again at once.
//!
//! The clock is the kernel's coarse one. It moves every few milliseconds, which is what matters here, and costs next to
//! nothing to read.

use std::cell::{Cell, RefCell};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use pin_project_lite::pin_project;
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Builder;
use tokio::task::yield_now;

use crate::metrics::Timings;

/// How long a turn may have been before a task is begun in it: more than a step of most clocks, so that what is short
/// is not taken for long since the clock moved in it.
const LONG: Duration = Duration::from_millis(6);

/// What a task may read before others have their turn: some milliseconds of the smallest requests.
pub(super) const READ_BYTES: usize = 64 * 1024;

thread_local! {
    /// The turn of the loop that this thread runs, if it runs one.
    static HERE: RefCell<Option<Turn>> = const { RefCell::new(None) };
    /// What the task that runs on this thread may still read.
    static READABLE: Cell<usize> = const { Cell::new(READ_BYTES) };
}

/// Whether the task that runs here has read its share. Then it is woken when others have had their turn.
pub(super) fn has_read_enough(cx: &Context<'_>) -> bool {
    let enough = READABLE.get() == 0;
    if enough {
        // Tasks that are no turns of their own begin anew.
        READABLE.set(READ_BYTES);
        cx.waker().wake_by_ref();
    }
    enough
}

/// The task that runs here has read so many bytes.
pub(super) fn has_read(bytes: usize) {
    READABLE.set(READABLE.get().saturating_sub(bytes));
}

struct Turn {
    began: Duration,
    /// Some task has stood back.
    ends: bool,
    counted: Timings,
}

impl Turn {
    fn with_here<T>(ask: impl FnOnce(&mut Turn) -> T) -> Option<T> {
        HERE.with_borrow_mut(|turn| turn.as_mut().map(ask))
    }

    fn end(&mut self) {
        self.counted.observe("", now().saturating_sub(self.began), true);
    }

    fn begin(&mut self) {
        self.began = now();
        self.ends = false;
    }
}

/// Has a loop know when its turns end by themselves.
pub(super) fn notice(builder: &mut Builder) -> &mut Builder {
    builder.on_thread_park(|| _ = Turn::with_here(Turn::end)).on_thread_unpark(|| _ = Turn::with_here(Turn::begin))
}

/// Has the turns on this thread, that of a loop, bounded and counted.
pub(super) fn count_here(counted: Timings) {
    HERE.set(Some(Turn { began: now(), ends: false, counted }));
}

/// Spawns what HTTP/2 needs tasks for on the loop of the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoopExecutor;

impl<F> hyper::rt::Executor<F> for LoopExecutor
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, task: F) {
        tokio::spawn(InTurn::new(task));
    }
}

pin_project! {
    /// A task that stands back when the turn of its loop has been long.
    pub(crate) struct InTurn<F> {
        #[pin]
        task: F,
        stood_back: bool,
    }
}

impl<F> InTurn<F> {
    pub(crate) fn new(task: F) -> InTurn<F> {
        InTurn { task, stood_back: false }
    }
}

impl<F: Future> Future for InTurn<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        // Once: others may have more to do than a turn takes, for ever.
        *this.stood_back = !*this.stood_back && stand_back(cx);
        if *this.stood_back {
            return Poll::Pending;
        }
        READABLE.set(READ_BYTES);
        this.task.poll(cx)
    }
}

/// Whether the turn has been long; then the task is woken when the loop has looked at its sockets.
fn stand_back(cx: &mut Context<'_>) -> bool {
    let first = Turn::with_here(|turn| {
        let long = now().saturating_sub(turn.began) >= LONG;
        long.then(|| !std::mem::replace(&mut turn.ends, true))
    });
    let Some(Some(first)) = first else { return false };
    if first {
        wake_after_look(&mut Context::from_waker(&Waker::from(Arc::new(TurnOver))));
    }
    wake_after_look(cx);
    true
}

fn wake_after_look(cx: &mut Context<'_>) {
    // Its first poll leaves the waker with the loop.
    _ = pin!(yield_now()).poll(cx);
}

struct TurnOver;

impl Wake for TurnOver {
    fn wake(self: Arc<TurnOver>) {
        Turn::with_here(|turn| {
            turn.end();
            turn.begin();
        });
    }
}

pub(crate) fn now() -> Duration {
    Duration::try_from(clock_gettime(ClockId::MonotonicCoarse)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;

    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn a_loop_looks_at_its_sockets_between_tasks_that_are_always_ready() {
        const GREEDY: usize = 4;
        let metrics = Metrics::new(false);
        let runtime = notice(Builder::new_current_thread().enable_all()).build().unwrap();
        count_here(metrics.turns());
        let polls = Arc::new(AtomicUsize::new(0));
        runtime.block_on(async {
            for _ in 0..GREEDY {
                let polls = Arc::clone(&polls);
                tokio::spawn(InTurn::new(std::future::poll_fn(move |cx| -> Poll<()> {
                    let begun = now();
                    while now() == begun {
                        std::hint::spin_loop();
                    }
                    polls.fetch_add(1, Ordering::Relaxed);
                    cx.waker().wake_by_ref();
                    Poll::Pending
                })));
            }
            let (mut near, mut far) = UnixStream::pair().unwrap();
            let echo = tokio::spawn(InTurn::new(async move {
                let mut byte = [0];
                while far.read_exact(&mut byte).await.is_ok() {
                    far.write_all(&byte).await.unwrap();
                }
            }));
            let asked = tokio::spawn(InTurn::new(async move {
                for byte in 0..10 {
                    near.write_all(&[byte]).await.unwrap();
                    assert_eq!(near.read_u8().await.unwrap(), byte);
                }
            }));
            asked.await.unwrap();
            echo.await.unwrap();
        });
        // Two looks for each byte, and one poll of everybody between two of them. It would be 61.
        let polls = polls.load(Ordering::Relaxed);
        assert!(polls <= 4 * 10 * GREEDY, "{polls} polls of the greedy ones for 10 bytes");
        HERE.take();
    }
}
