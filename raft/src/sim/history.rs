//! What clients saw, and whether one order of events explains it: linearizability.
//!
//! A [`History`] is recorded while clients run: when an operation began, when its answer came and what it said. An
//! operation whose outcome nobody knows (it timed out, the connection broke, the server died) stays open: it may take
//! effect at any later moment, or never. [`check()`] then looks for an order of all answered operations, with any number
//! of the open ones among them, in which every operation takes effect at one moment between its beginning and its
//! answer, and every answer is what a [`Model`] says at that moment. [`kv`] is the model of etcd's key-value service.
//!
//! The search is Wing and Gong's with Lowe's memoization, as Porcupine does it. Why there is one here: of the crates
//! that exist, stateright's `LinearizabilityTester` copes with open operations, but is made for the few operations of a
//! model checker: it searches without memory of where it has been, recursing once for each operation and copying what
//! is left each time; and `todc-utils` remembers, but insists that every operation was answered. Neither can use the
//! revisions in etcd's answers, which leave hardly anything to search for.
//!
//! ```
//! use keyport_raft::sim::history::{History, Verdict, check, kv};
//!
//! let mut history = History::new();
//! let put = history.begin(1, kv::Txn::put("k", "1"));
//! let get = history.begin(2, kv::Txn::get("k"));
//! history.answer(put, kv::Answer { revision: 2, succeeded: true, results: vec![kv::Outcome::Put] });
//! // It began before the put was answered, so it may have come first; but then its revision is that of before.
//! history.answer(get, kv::Answer { revision: 1, succeeded: true, results: vec![kv::Outcome::Range(vec![])] });
//! let verdict = check(&kv::Store::new(&history), &history, 1_000_000);
//! assert!(matches!(verdict, Verdict::Linearizable { .. }));
//! ```

mod check;
pub mod kv;
#[cfg(test)]
mod tests;

use std::fmt::Debug;
use std::hash::Hash;

pub use check::{Verdict, check};

/// What one operation does, without concurrency.
pub trait Model {
    /// Everything that operations depend on.
    type State: Clone + Eq + Hash + Debug;
    /// What a client asks for.
    type Input: Debug;
    /// What it is told.
    type Output: Debug;

    /// The state before the first operation.
    fn initial(&self) -> Self::State;

    /// The state after `input`, if it can take effect in `state` and answer `output`. Without `output` nobody knows
    /// what it answered; the model may say `None` when it sees from elsewhere that the operation cannot have taken
    /// effect here.
    fn step(&self, state: &Self::State, input: &Self::Input, output: Option<&Self::Output>) -> Option<Self::State>;

    /// Whether this, answered like that, changes no state whatsoever: such an operation is taken as soon as its answer
    /// fits, which loses nothing. (One that only happens to change nothing in some state may be needed in another.)
    fn is_read(&self, input: &Self::Input, output: &Self::Output) -> bool;
}

/// One operation, as its client saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation<I, O> {
    /// Who asked; only for the reader of a report.
    pub client: u64,
    /// What for.
    pub input: I,
    /// When, on the history's clock.
    pub called: u64,
    /// When the answer came and what it was; `None` for as long as it is not known.
    pub answer: Option<(u64, O)>,
    /// It is known to have had no effect.
    refused: bool,
}

/// Names an operation of a [`History`].
pub type OperationId = usize;

/// Operations in the order in which they began. Its clock is the order in which it is told of things, so it is told of
/// a beginning before the request is sent, and of an answer after it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History<I, O> {
    operations: Vec<Operation<I, O>>,
    clock: u64,
}

impl<I, O> Default for History<I, O> {
    fn default() -> Self {
        History { operations: Vec::new(), clock: 0 }
    }
}

impl<I, O> History<I, O> {
    /// Nothing has happened.
    pub fn new() -> Self {
        History::default()
    }

    /// A client is about to ask.
    pub fn begin(&mut self, client: u64, input: I) -> OperationId {
        self.clock += 1;
        self.operations.push(Operation { client, input, called: self.clock, answer: None, refused: false });
        self.operations.len() - 1
    }

    /// A client was told. Only the first answer counts.
    pub fn answer(&mut self, id: OperationId, output: O) {
        self.clock += 1;
        let clock = self.clock;
        if let Some(operation) = self.operations.get_mut(id) {
            operation.answer.get_or_insert((clock, output));
        }
    }

    /// The operation certainly had and will have no effect, and its client learnt nothing: it is left out. An error of
    /// which that is not certain (a deadline, a lost connection) is no reason to call this.
    pub fn refuse(&mut self, id: OperationId) {
        if let Some(operation) = self.operations.get_mut(id) {
            operation.refused = true;
        }
    }

    /// Everything that may have had an effect.
    pub fn operations(&self) -> impl Iterator<Item = (OperationId, &Operation<I, O>)> {
        self.operations.iter().enumerate().filter(|(_, operation)| !operation.refused)
    }

    /// One of them.
    pub fn get(&self, id: OperationId) -> Option<&Operation<I, O>> {
        self.operations.get(id)
    }

    /// How many were begun.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether none was begun.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// How many were answered.
    pub fn answered(&self) -> usize {
        self.operations().filter(|(_, operation)| operation.answer.is_some()).count()
    }
}
