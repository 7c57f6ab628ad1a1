//! How long tasks hold their event loop: every poll of a task that serves a connection is timed.
//!
//! The clock is the kernel's coarse one. It moves every few milliseconds, which is what matters here, and costs next to
//! nothing to read.

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use rustix::time::{ClockId, clock_gettime};

use crate::metrics::Timings;

thread_local! {
    /// What is counted of the loop that this thread runs, if it runs one.
    static HERE: RefCell<Option<Timings>> = const { RefCell::new(None) };
}

/// Has the turns of tasks on this thread counted.
pub(super) fn count_here(turns: Timings) {
    HERE.set(Some(turns));
}

/// Spawns what HTTP/2 needs tasks for on the loop of the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoopExecutor;

impl<F> hyper::rt::Executor<F> for LoopExecutor
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, task: F) {
        tokio::spawn(Timed { task });
    }
}

pin_project! {
    /// A task each poll of which is timed.
    pub(crate) struct Timed<F> {
        #[pin]
        task: F,
    }
}

impl<F> Timed<F> {
    pub(crate) fn new(task: F) -> Timed<F> {
        Timed { task }
    }
}

impl<F: Future> Future for Timed<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let begun = now();
        let polled = self.project().task.poll(cx);
        let took = now().saturating_sub(begun);
        HERE.with_borrow(|turns| {
            if let Some(turns) = turns {
                turns.observe("", took, true);
            }
        });
        polled
    }
}

fn now() -> Duration {
    Duration::try_from(clock_gettime(ClockId::MonotonicCoarse)).unwrap_or_default()
}
