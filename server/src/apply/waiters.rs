//! Who waits for which request: completed by the apply thread, swept when the answer takes too long.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use foldhash::fast::FixedState;
use keyport_api::error::Error;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::Reply;
use crate::courier::{Courier, Parcels};

/// What came of a proposal, and the store's revision when that was: others may have followed before it is told.
#[derive(Debug)]
pub(crate) struct Answer<R = Reply> {
    pub(crate) revision: i64,
    pub(crate) reply: R,
}

/// The outcome of a proposal.
pub(crate) type Outcome = Result<Answer, Error>;

/// Requests under way, by id. Bounded by what the proposal queue and the apply gap let in.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    waiting: Mutex<HashMap<u64, Waiter, FixedState>>,
}

#[derive(Debug)]
struct Waiter {
    outcome: oneshot::Sender<Outcome>,
    courier: Option<Courier>,
    since: Instant,
}

impl Waiters {
    pub(crate) fn register(&self, id: u64) -> oneshot::Receiver<Outcome> {
        let (outcome, receiver) = oneshot::channel();
        self.waiting.lock().insert(id, Waiter { outcome, courier: Courier::here(), since: Instant::now() });
        receiver
    }

    /// Gives up on a request that was never proposed.
    pub(crate) fn forget(&self, id: u64) {
        self.waiting.lock().remove(&id);
    }

    /// Answers a whole applied batch under one lock.
    pub(crate) fn complete(&self, outcomes: impl IntoIterator<Item = (u64, Outcome)>) {
        let mut ready = Vec::new();
        {
            let mut waiting = self.waiting.lock();
            for (id, outcome) in outcomes {
                ready.extend(waiting.remove(&id).map(|waiter| (waiter, outcome)));
            }
        }
        let mut parcels = Parcels::new(hand_over);
        for (waiter, outcome) in ready {
            parcels.add(waiter.courier, (waiter.outcome, outcome));
        }
        parcels.send();
    }

    /// Fails everything that waits for longer than `limit`, with the reason by when it began; how many that were.
    pub(crate) fn expire(&self, limit: Duration, reason: impl Fn(Instant) -> Error) -> usize {
        let now = Instant::now();
        let mut waiting = self.waiting.lock();
        let late = waiting.extract_if(|_, waiter| now.duration_since(waiter.since) >= limit).collect::<Vec<_>>();
        drop(waiting);
        let count = late.len();
        for (_, waiter) in late {
            let _ = waiter.outcome.send(Err(reason(waiter.since)));
        }
        count
    }

    /// Fails everything: the node stops.
    pub(crate) fn stop(&self) {
        for (_, waiter) in self.waiting.lock().drain() {
            let _ = waiter.outcome.send(Err(Error::Stopped));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.lock().len()
    }
}

fn hand_over((waiter, outcome): (oneshot::Sender<Outcome>, Outcome)) {
    // A caller that went away does not need its answer.
    let _ = waiter.send(outcome);
}
