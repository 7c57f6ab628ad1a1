//! A call that may take only so long as its caller is willing to wait.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::Sleep;

pin_project! {
    /// See [`within`].
    pub(crate) struct Within<F> {
        #[pin]
        call: F,
        #[pin]
        timer: Option<Sleep>,
    }
}

/// What `call` comes to, or `None` when `limit` has passed first. Without a limit there is no timer.
///
/// A type of its own because an `async fn` would keep `call` twice, as an argument and where it runs, and the futures of
/// requests are large.
pub(crate) fn within<F: Future>(limit: Option<Duration>, call: F) -> Within<F> {
    Within { call, timer: limit.map(tokio::time::sleep) }
}

impl<F: Future> Future for Within<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(outcome) = this.call.poll(cx) {
            return Poll::Ready(Some(outcome));
        }
        match this.timer.as_pin_mut() {
            Some(timer) => {
                ready!(timer.poll(cx));
                Poll::Ready(None)
            }
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_call_ends_with_its_limit_at_the_latest() {
        let limit = Some(Duration::from_secs(5));
        assert_eq!(within(limit, ready(1)).await, Some(1));
        assert_eq!(within(None, ready(2)).await, Some(2));
        // What is there counts, even if the time is over.
        assert_eq!(within(Some(Duration::ZERO), ready(3)).await, Some(3));
        let start = tokio::time::Instant::now();
        assert_eq!(within(limit, pending::<()>()).await, None);
        assert_eq!(start.elapsed().as_secs(), 5);
    }
}
