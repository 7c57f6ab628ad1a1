//! Brings answers to the event loops that wait for them: one parcel, and so one wake-up, for each loop and applied batch.
//!
//! Waking a task on another thread's loop costs a system call each time, and a loop that is woken for every single
//! answer writes every single answer. With a courier the loop finds all of them at once and writes them together.

use std::cell::RefCell;
use std::sync::Arc;

use tokio::sync::mpsc;

thread_local! {
    /// The courier of the loop that this thread runs, if it runs one.
    static HERE: RefCell<Option<Courier>> = const { RefCell::new(None) };
}

/// What is done with a parcel where it arrives.
type Parcel = Box<dyn FnOnce() + Send>;

/// The way to one event loop.
#[derive(Clone, Debug)]
pub(crate) struct Courier(Arc<mpsc::UnboundedSender<Parcel>>);

/// Parcels that arrive at this thread's loop. Bounded by the requests under way: each has one answer.
#[derive(Debug)]
pub(crate) struct Arrivals(mpsc::UnboundedReceiver<Parcel>);

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
            parcel();
        }
    }
}

/// Answers of one batch, sorted by where they go.
#[derive(Debug)]
pub(crate) struct Parcels<A> {
    hand_over: fn(A),
    parcels: Vec<(Courier, Vec<A>)>,
}

impl<A: Send + 'static> Parcels<A> {
    /// `hand_over` gives an answer to whoever waits for it.
    pub(crate) fn new(hand_over: fn(A)) -> Parcels<A> {
        Parcels { hand_over, parcels: Vec::new() }
    }

    /// Adds an answer; without a courier it is handed over at once.
    pub(crate) fn add(&mut self, courier: Option<Courier>, answer: A) {
        let Some(courier) = courier else { return (self.hand_over)(answer) };
        match self.parcels.iter_mut().find(|(known, _)| known.leads_to_the_same_loop(&courier)) {
            Some((_, parcel)) => parcel.push(answer),
            None => self.parcels.push((courier, vec![answer])),
        }
    }

    pub(crate) fn send(self) {
        for (courier, answers) in self.parcels {
            // If the loop has ended, so has whoever waited.
            let _ = courier.0.send(Box::new(move || answers.into_iter().for_each(self.hand_over)));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn answers_reach_their_waiters_with_and_without_a_courier() {
        let arrivals = Courier::settle_here();
        tokio::spawn(arrivals.deliver());
        let mut parcels = Parcels::new(|waiter: oneshot::Sender<u8>| waiter.send(7).unwrap());
        let waiting: Vec<_> = [Courier::here(), Courier::here(), None]
            .into_iter()
            .map(|courier| {
                let (sender, receiver) = oneshot::channel();
                parcels.add(courier, sender);
                receiver
            })
            .collect();
        assert_eq!(parcels.parcels.len(), 1, "one parcel for the one loop");
        parcels.send();
        for receiver in waiting {
            assert_eq!(receiver.await, Ok(7));
        }
        HERE.set(None);
    }
}
