//! Brings answers to the event loops that wait for them: one parcel, and so one wake-up, for each loop and applied batch.
//!
//! Waking a task on another thread's loop costs a system call each time, and a loop that is woken for every single
//! answer writes every single answer. With a courier the loop finds all of them at once and writes them together.

use std::cell::RefCell;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::node::waiters::Outcome;

/// An answer and who waits for it.
pub(crate) type Answer = (oneshot::Sender<Outcome>, Outcome);

thread_local! {
    /// The courier of the loop that this thread runs, if it runs one.
    static HERE: RefCell<Option<Courier>> = const { RefCell::new(None) };
}

/// The way to one event loop.
#[derive(Clone, Debug)]
pub(crate) struct Courier(Arc<mpsc::UnboundedSender<Vec<Answer>>>);

/// Parcels that arrive at this thread's loop. Bounded by the requests under way: each has one answer.
#[derive(Debug)]
pub(crate) struct Arrivals(mpsc::UnboundedReceiver<Vec<Answer>>);

impl Courier {
    /// Makes this thread's loop one that answers are brought to; it has to [`deliver`](Arrivals::deliver) them.
    pub(crate) fn settle_here() -> Arrivals {
        let (sender, arrivals) = mpsc::unbounded_channel();
        HERE.set(Some(Courier(Arc::new(sender))));
        Arrivals(arrivals)
    }

    /// The courier of the loop that runs the caller; none outside of such loops.
    pub(crate) fn here() -> Option<Courier> {
        HERE.with_borrow(Option::clone)
    }

    fn leads_to_the_same_loop(&self, other: &Courier) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Arrivals {
    /// Hands out what arrives, for as long as the loop runs.
    pub(crate) async fn deliver(mut self) {
        while let Some(parcel) = self.0.recv().await {
            parcel.into_iter().for_each(hand_over);
        }
    }
}

/// Answers of one batch, sorted by where they go.
#[derive(Debug, Default)]
pub(crate) struct Parcels(Vec<(Courier, Vec<Answer>)>);

impl Parcels {
    /// Adds an answer; without a courier it is handed over at once.
    pub(crate) fn add(&mut self, courier: Option<Courier>, answer: Answer) {
        let Some(courier) = courier else { return hand_over(answer) };
        match self.0.iter_mut().find(|(known, _)| known.leads_to_the_same_loop(&courier)) {
            Some((_, parcel)) => parcel.push(answer),
            None => self.0.push((courier, vec![answer])),
        }
    }

    pub(crate) fn send(self) {
        for (courier, parcel) in self.0 {
            if let Err(undeliverable) = courier.0.send(parcel) {
                // The loop has ended, and with it whoever waited.
                drop(undeliverable);
            }
        }
    }
}

fn hand_over((waiter, outcome): Answer) {
    // A caller that went away does not need its answer.
    let _ = waiter.send(outcome);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::Reply;

    #[tokio::test]
    async fn answers_reach_their_waiters_with_and_without_a_courier() {
        let arrivals = Courier::settle_here();
        tokio::spawn(arrivals.deliver());
        let mut parcels = Parcels::default();
        let waiting: Vec<_> = [Courier::here(), Courier::here(), None]
            .into_iter()
            .map(|courier| {
                let (sender, receiver) = oneshot::channel();
                parcels.add(courier, (sender, Ok(Reply::Done)));
                receiver
            })
            .collect();
        assert_eq!(parcels.0.len(), 1, "one parcel for the one loop");
        parcels.send();
        for receiver in waiting {
            assert!(matches!(receiver.await, Ok(Ok(Reply::Done))));
        }
        HERE.set(None);
    }
}
