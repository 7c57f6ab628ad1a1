//! Something that happens, once or again and again, and that many streams must hear of. Asking costs a stream one load;
//! only its first wait, and one from another task, goes through a lock.

use std::future::{Future, poll_fn};
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker, ready};

use parking_lot::Mutex;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// See the module's text. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ending(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    raised: AtomicBool,
    token: CancellationToken,
}

impl Ending {
    pub(crate) fn raise(&self) {
        self.0.raised.store(true, Ordering::Release);
        self.0.token.cancel();
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.0.raised.load(Ordering::Acquire)
    }

    /// For those who work with tokens.
    pub(crate) fn token(&self) -> &CancellationToken {
        &self.0.token
    }

    /// One stream's way to hear of it.
    pub(crate) fn wait(&self) -> Waiter {
        Waiter { ending: self.clone(), wait: None }
    }
}

/// Waits for an [`Ending`].
#[derive(Debug)]
pub(crate) struct Waiter {
    ending: Ending,
    /// The wait, and whom it wakes.
    wait: Option<(Pin<Box<WaitForCancellationFutureOwned>>, Waker)>,
}

impl Waiter {
    pub(crate) fn is_raised(&self) -> bool {
        self.ending.is_raised()
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_raised() {
            return Poll::Ready(());
        }
        match &mut self.wait {
            Some((_, waker)) if waker.will_wake(cx.waker()) => Poll::Pending,
            Some((wait, waker)) => {
                waker.clone_from(cx.waker());
                wait.as_mut().poll(cx)
            }
            None => {
                let wait = Box::pin(self.ending.token().clone().cancelled_owned());
                self.wait.insert((wait, cx.waker().clone())).0.as_mut().poll(cx)
            }
        }
    }

    #[cfg(test)]
    pub(crate) async fn raised(&mut self) {
        poll_fn(|cx| self.poll(cx)).await;
    }
}

/// Something that happens again and again. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recurring(Arc<Mutex<Ending>>);

impl Recurring {
    pub(crate) fn happened(&self) {
        mem::take(&mut *self.0.lock()).raise();
    }

    /// One stream's way to hear of it, from now on.
    pub(crate) fn heard(&self) -> Heard {
        Heard { source: self.clone(), next: self.next() }
    }

    fn next(&self) -> Waiter {
        self.0.lock().wait()
    }
}

/// Waits for a [`Recurring`].
#[derive(Debug)]
pub(crate) struct Heard {
    source: Recurring,
    next: Waiter,
}

impl Heard {
    /// Whether it has happened, once or more often, since this last said so.
    pub(crate) fn anew(&mut self) -> bool {
        let happened = self.next.is_raised();
        if happened {
            self.next = self.source.next();
        }
        happened
    }

    /// Ready when [`Heard::anew`].
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.next.poll(cx));
        self.next = self.source.next();
        Poll::Ready(())
    }

    pub(crate) async fn again(&mut self) {
        poll_fn(|cx| self.poll(cx)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everyone_who_waits_hears_of_it_wherever_they_wait() {
        let ending = Ending::default();
        let mut here = ending.wait();
        assert!(poll_fn(|cx| Poll::Ready(here.poll(cx).is_pending())).await);
        // The stream moves to another task.
        let there = tokio::spawn(async move { here.raised().await });
        tokio::task::yield_now().await;
        ending.raise();
        there.await.unwrap();
        ending.wait().raised().await;
        assert!(ending.is_raised());
    }

    #[tokio::test]
    async fn what_happens_again_is_heard_again_and_what_was_before_is_not() {
        let recurring = Recurring::default();
        recurring.happened();
        let mut heard = recurring.heard();
        for _ in 0..2 {
            assert!(!heard.anew());
            assert!(poll_fn(|cx| Poll::Ready(heard.poll(cx).is_pending())).await);
            recurring.happened();
            recurring.happened();
            heard.again().await;
        }
        recurring.happened();
        assert!(heard.anew() && !heard.anew());
    }
}
