//! How slowly a body may come in, where all of it is needed for an answer.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// The slowest that is waited for: what `grace` does not suffice for has to come in at `bytes_per_second`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    pub grace: Duration,
    pub bytes_per_second: u32,
}

impl Default for Pace {
    /// A line that is slower than the slowest of modems does not bring a request of usual size into danger, and the largest
    /// one has a quarter of an hour.
    fn default() -> Pace {
        Pace { grace: Duration::from_secs(30), bytes_per_second: 4096 }
    }
}

/// Holds a body to its pace, from when it is waited for.
#[derive(Debug)]
pub(super) struct Paced {
    pace: Pace,
    /// None for as long as everything was there when it was asked for.
    waiting: Option<Box<Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    begun: Instant,
    received: u64,
    timer: Pin<Box<Sleep>>,
}

impl Paced {
    pub(super) fn new(pace: Pace) -> Paced {
        Paced { pace, waiting: None }
    }

    /// So many bytes have come in.
    pub(super) fn received(&mut self, bytes: usize) {
        if let Some(waiting) = &mut self.waiting {
            waiting.received = waiting.received.saturating_add(bytes as u64);
        }
    }

    /// Nothing is there: ready when nothing more is waited for.
    pub(super) fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Pace { grace, bytes_per_second } = self.pace;
        let waiting = self.waiting.get_or_insert_with(|| {
            Box::new(Waiting { begun: Instant::now(), received: 0, timer: Box::pin(sleep(grace)) })
        });
        loop {
            ready!(waiting.timer.as_mut().poll(cx));
            let earned = Duration::from_secs(waiting.received / u64::from(bytes_per_second.max(1)));
            let deadline = waiting.begun + grace + earned;
            if waiting.timer.deadline() >= deadline {
                return Poll::Ready(());
            }
            waiting.timer.as_mut().reset(deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    #[tokio::test(start_paused = true)]
    async fn what_comes_in_earns_time() {
        let mut paced = Paced::new(Pace { grace: Duration::from_secs(10), bytes_per_second: 100 });
        // Before it is waited for, it is no merit.
        paced.received(1_000_000);
        let begun = Instant::now();
        let mut clock = tokio::time::interval(Duration::from_secs(1));
        let late = poll_fn(|cx| {
            while clock.poll_tick(cx).is_ready() {
                if begun.elapsed() < Duration::from_secs(20) {
                    paced.received(100);
                }
            }
            paced.poll_late(cx)
        });
        late.await;
        // 19 ticks from the first second on, and the first, at once, came before the first wait.
        assert_eq!(begun.elapsed(), Duration::from_secs(29));
    }
}
