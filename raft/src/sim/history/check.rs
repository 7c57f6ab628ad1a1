//! The search for an order.

use std::collections::HashSet;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::{History, Model, Operation, OperationId};

/// What a search came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<S> {
    /// There is an order.
    Linearizable {
        /// The operations that took effect, in that order.
        order: Vec<OperationId>,
        /// The state after them.
        state: S,
    },
    /// There is none.
    Violation(Violation<S>),
    /// It was given up after as many steps as it was allowed.
    Undecided,
}

/// Where the search got furthest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation<S> {
    /// Operations that can be explained, in order.
    pub order: Vec<OperationId>,
    /// The state after them.
    pub state: S,
    /// An operation that would have to take effect next at the latest, and cannot.
    pub stuck: OperationId,
}

impl<S: fmt::Debug> Violation<S> {
    /// For a reader: the last explained operations, the state they lead to, and what does not fit.
    pub fn describe<I: fmt::Debug, O: fmt::Debug>(&self, history: &History<I, O>) -> String {
        let mut text = format!("{} of {} operations explained; the last of them:\n", self.order.len(), history.len());
        let last = self.order.len().saturating_sub(12);
        for id in self.order.iter().skip(last).chain([&self.stuck]) {
            if id == &self.stuck {
                text.push_str(&format!("state: {:?}\ncannot follow, and must before its answer:\n", self.state));
            }
            if let Some(Operation { client, input, called, answer, .. }) = history.get(*id) {
                text.push_str(&format!("  #{id} client {client}: {input:?} at {called} -> {answer:?}\n"));
            }
        }
        text
    }
}

/// Looks for an order; remembers at most `max_steps` places where it has been.
pub fn check<M: Model>(model: &M, history: &History<M::Input, M::Output>, max_steps: usize) -> Verdict<M::State> {
    let search = Search {
        model,
        operations: history.operations().collect(),
        state: model.initial(),
        taken: Vec::new(),
        seen: HashSet::new(),
        furthest: None,
    };
    search.run(max_steps)
}

type OperationOf<M> = Operation<<M as Model>::Input, <M as Model>::Output>;

struct Taken<S> {
    /// Position in the list of operations.
    at: usize,
    before: S,
    /// A read: to take it as soon as possible loses nothing, so there is no going back on it alone.
    free: bool,
}

struct Search<'a, M: Model> {
    model: &'a M,
    operations: Vec<(OperationId, &'a OperationOf<M>)>,
    state: M::State,
    taken: Vec<Taken<M::State>>,
    seen: HashSet<Place>,
    furthest: Option<Violation<M::State>>,
}

impl<M: Model> Search<'_, M> {
    fn run(mut self, max_steps: usize) -> Verdict<M::State> {
        let mut events = Events::new(&self.operations);
        let mut done = vec![0_u64; self.operations.len().div_ceil(64)].into_boxed_slice();
        let mut answered = self.operations.iter().filter(|(_, operation)| operation.answer.is_some()).count();
        let mut node = events.first();
        while answered > 0 {
            match events.event(node) {
                Event::Call(at) => {
                    let operation = self.operations[at].1;
                    let output = operation.answer.as_ref().map(|(_, output)| output);
                    let next = self.model.step(&self.state, &operation.input, output);
                    let free = output.is_some_and(|output| self.model.is_read(&operation.input, output));
                    // An open operation that changes nothing here need not have happened yet.
                    let next = next.filter(|next| output.is_some() || *next != self.state);
                    let fresh = next.is_some_and(|next| {
                        flip(&mut done, at);
                        let fresh = self.seen.insert(place(&done, &next));
                        if fresh {
                            let before = std::mem::replace(&mut self.state, next);
                            self.taken.push(Taken { at, before, free });
                        } else {
                            flip(&mut done, at);
                        }
                        fresh
                    });
                    if fresh {
                        answered -= usize::from(output.is_some());
                        events.lift(at);
                        node = events.first();
                    } else {
                        node = events.after(node);
                    }
                }
                // Its operation should have been taken by now.
                Event::Return(stuck) => {
                    self.note(stuck);
                    if self.seen.len() > max_steps {
                        return Verdict::Undecided;
                    }
                    loop {
                        let Some(Taken { at, before, free }) = self.taken.pop() else { return self.violated(stuck) };
                        self.state = before;
                        flip(&mut done, at);
                        answered += usize::from(self.operations[at].1.answer.is_some());
                        events.unlift(at);
                        if !free {
                            node = events.after(events.call(at));
                            break;
                        }
                    }
                }
            }
        }
        Verdict::Linearizable { order: self.order(), state: self.state }
    }

    fn order(&self) -> Vec<OperationId> {
        self.taken.iter().map(|taken| self.operations[taken.at].0).collect()
    }

    fn note(&mut self, stuck: usize) {
        if self.furthest.as_ref().is_none_or(|furthest| furthest.order.len() < self.taken.len()) {
            let stuck = self.operations[stuck].0;
            self.furthest = Some(Violation { order: self.order(), state: self.state.clone(), stuck });
        }
    }

    fn violated(self, stuck: usize) -> Verdict<M::State> {
        let stuck = self.operations[stuck].0;
        let nothing = Violation { order: Vec::new(), state: self.state, stuck };
        Verdict::Violation(self.furthest.unwrap_or(nothing))
    }
}

/// The operations taken and the state, as 128 bits: whole, they would take gigabytes. Two places that are taken for one make the
/// search miss an order, never find one that is none.
type Place = (u64, u64);

fn place<S: Hash>(done: &[u64], state: &S) -> Place {
    let hash = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, done, state).hash(&mut hasher);
        hasher.finish()
    };
    (hash(0), hash(1))
}

fn flip(done: &mut [u64], at: usize) {
    done[at / 64] ^= 1 << (at % 64);
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Call(usize),
    Return(usize),
}

/// Beginnings and answers in order, as a doubly linked list from which operations are lifted and put back in the
/// reverse order. Node 0 is the head; its event is never looked at. An open operation has no answer in it.
struct Events {
    nodes: Vec<(Event, usize, usize)>,
    calls: Vec<usize>,
    returns: Vec<Option<usize>>,
}

impl Events {
    fn new<I, O>(operations: &[(OperationId, &Operation<I, O>)]) -> Events {
        let mut order = Vec::new();
        for (at, (_, operation)) in operations.iter().enumerate() {
            order.push((operation.called, Event::Call(at)));
            if let Some((when, _)) = operation.answer {
                order.push((when, Event::Return(at)));
            }
        }
        order.sort_by_key(|(when, _)| *when);
        let last = order.len();
        let mut calls = vec![0; operations.len()];
        let mut returns = vec![None; operations.len()];
        let mut nodes = vec![(Event::Return(usize::MAX), last, 1)];
        for (node, (_, event)) in (1..).zip(order) {
            match event {
                Event::Call(at) => calls[at] = node,
                Event::Return(at) => returns[at] = Some(node),
            }
            nodes.push((event, node - 1, if node == last { 0 } else { node + 1 }));
        }
        Events { nodes, calls, returns }
    }

    fn first(&self) -> usize {
        self.after(0)
    }

    fn after(&self, node: usize) -> usize {
        self.nodes[node].2
    }

    fn event(&self, node: usize) -> Event {
        self.nodes[node].0
    }

    fn call(&self, at: usize) -> usize {
        self.calls[at]
    }

    fn lift(&mut self, at: usize) {
        for node in [Some(self.calls[at]), self.returns[at]].into_iter().flatten() {
            let (_, before, after) = self.nodes[node];
            self.nodes[before].2 = after;
            self.nodes[after].1 = before;
        }
    }

    fn unlift(&mut self, at: usize) {
        for node in [self.returns[at], Some(self.calls[at])].into_iter().flatten() {
            let (_, before, after) = self.nodes[node];
            self.nodes[before].2 = node;
            self.nodes[after].1 = node;
        }
    }
}
