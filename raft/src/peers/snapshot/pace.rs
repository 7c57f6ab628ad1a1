//! How fast a body has to come in. One byte now and then keeps it going for ever without getting anywhere.

use std::time::{Duration, Instant};

/// What must come in within the patience, in bytes: less than any network does on which a cluster works.
const LEAST: usize = 16 << 10;

/// Measures the waits for one body.
#[derive(Debug)]
pub(super) struct Pace {
    patience: Duration,
    waited: Duration,
    moved: usize,
}

impl Pace {
    pub(super) fn new(patience: Duration) -> Pace {
        Pace { patience, waited: Duration::ZERO, moved: 0 }
    }

    /// The next piece, which `wait` waits for and `bytes` measures; none when it is too slow.
    pub(super) async fn keep<T>(&mut self, wait: impl Future<Output = T>, bytes: impl Fn(&T) -> usize) -> Option<T> {
        let start = Instant::now();
        let piece = tokio::time::timeout(self.patience.saturating_sub(self.waited), wait).await.ok()?;
        // What is done with the pieces takes its own time.
        self.waited += start.elapsed();
        self.moved = self.moved.saturating_add(bytes(&piece));
        if self.moved >= LEAST {
            *self = Pace::new(self.patience);
        }
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(200);

    async fn after(wait: Duration, bytes: usize) -> usize {
        tokio::time::sleep(wait).await;
        bytes
    }

    #[tokio::test]
    async fn a_body_that_drips_is_too_slow_and_one_that_flows_is_not() {
        let mut pace = Pace::new(PATIENCE);
        for _ in 0..5 {
            assert_eq!(pace.keep(after(PATIENCE / 4, LEAST), |bytes| *bytes).await, Some(LEAST));
        }
        let mut drops = 0;
        while pace.keep(after(PATIENCE / 10, 1), |bytes| *bytes).await.is_some() {
            drops += 1;
            assert!(drops < 10);
        }
    }
}
