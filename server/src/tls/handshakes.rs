//! Handshakes that are not finished: a bounded number of them. Whoever comes past the bound takes the place of the oldest:
//! a flood of those who never finish keeps nobody out who does, as long as they last longer than an honest handshake.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// At once; each may keep some 20 KiB.
const MOST: usize = 1024;

/// See the module's text. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Handshakes(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    last: u64,
    by_number: BTreeMap<u64, oneshot::Sender<()>>,
}

/// A handshake's place; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    handshakes: Handshakes,
    number: u64,
    lost: oneshot::Receiver<()>,
}

impl Handshakes {
    pub(super) fn begin(&self) -> Place {
        let (kept, lost) = oneshot::channel();
        let mut open = self.0.lock();
        if open.by_number.len() >= MOST {
            // Dropping its end tells it.
            open.by_number.pop_first();
        }
        open.last += 1;
        let number = open.last;
        open.by_number.insert(number, kept);
        Place { handshakes: self.clone(), number, lost }
    }
}

impl Place {
    /// Done when another handshake got the place.
    pub(super) async fn lost(&mut self) {
        let _ = (&mut self.lost).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.handshakes.0.lock().by_number.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_when_there_are_too_many() {
        let handshakes = Handshakes::default();
        let mut places: Vec<Place> = (0..=MOST).map(|_| handshakes.begin()).collect();
        let lost = |place: &mut Place| place.lost.try_recv() == Err(oneshot::error::TryRecvError::Closed);
        assert!(lost(&mut places[0]) && !places[1..].iter_mut().any(lost));
        drop(places);
        assert!(handshakes.0.lock().by_number.is_empty());
    }
}
