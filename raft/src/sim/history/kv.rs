//! etcd's key-value service for one client after the other.
//!
//! Every operation is a transaction; a put, a deletion or a range is one without comparisons. Answers carry revisions,
//! which say nearly everything about the order: a change makes the next revision, a read sees the latest. What an open
//! operation may have done is limited by what others saw: it cannot have made a revision that somebody else made, nor
//! one at which other pairs were seen, nor one after all that were seen (nobody could tell).

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{History, Model};

/// A key. Values are text as well.
pub type Key = String;

/// A key with its value, as the service keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pair {
    /// The value.
    pub value: String,
    /// Revision at which the key was made.
    pub create_revision: u64,
    /// Revision of the latest change.
    pub mod_revision: u64,
    /// Changes since it was made, itself included.
    pub version: u64,
}

/// Which keys: one, or those from `key` up to before `end`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Keys {
    /// The first.
    pub key: Key,
    /// Behind the last; `None` for `key` alone.
    pub end: Option<Key>,
}

impl Keys {
    /// One key.
    pub fn one(key: &str) -> Keys {
        Keys { key: key.to_owned(), end: None }
    }

    /// From `key` up to before `end`.
    pub fn range(key: &str, end: &str) -> Keys {
        Keys { key: key.to_owned(), end: Some(end.to_owned()) }
    }

    fn of<'a>(&self, pairs: &'a BTreeMap<Key, Pair>) -> Vec<(&'a Key, &'a Pair)> {
        match &self.end {
            None => pairs.get_key_value(&self.key).into_iter().collect(),
            Some(end) if *end <= self.key => Vec::new(),
            Some(end) => pairs.range::<Key, _>(&self.key..end).collect(),
        }
    }
}

/// What a comparison asks of a key; one that does not exist has revisions and version 0, and no value that anything
/// equals.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Guard {
    /// Its value is this.
    Value(Key, String),
    /// It was last changed at this revision.
    ModRevision(Key, u64),
    /// It was made at this revision.
    CreateRevision(Key, u64),
    /// It has this version.
    Version(Key, u64),
}

impl Guard {
    fn holds(&self, pairs: &BTreeMap<Key, Pair>) -> bool {
        let number = |key: &Key, of: fn(&Pair) -> u64| pairs.get(key).map_or(0, of);
        match self {
            Guard::Value(key, value) => pairs.get(key).is_some_and(|pair| pair.value == *value),
            Guard::ModRevision(key, revision) => number(key, |pair| pair.mod_revision) == *revision,
            Guard::CreateRevision(key, revision) => number(key, |pair| pair.create_revision) == *revision,
            Guard::Version(key, version) => number(key, |pair| pair.version) == *version,
        }
    }
}

/// One request inside a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Request {
    /// Read, without limit and sorted by key.
    Range(Keys),
    /// Write.
    Put(Key, String),
    /// Delete.
    Delete(Keys),
    /// Count, as somebody knows it who answers with a revision from before it looked: what it says holds then or later.
    Count(Keys),
}

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Txn {
    /// All of them have to hold for `then`.
    pub guards: Vec<Guard>,
    /// Done if they do.
    pub then: Vec<Request>,
    /// Done if they do not.
    pub otherwise: Vec<Request>,
}

impl Txn {
    /// Without comparisons.
    pub fn of(then: Vec<Request>) -> Txn {
        Txn { then, ..Txn::default() }
    }

    /// Reads one key.
    pub fn get(key: &str) -> Txn {
        Txn::of(vec![Request::Range(Keys::one(key))])
    }

    /// Writes one key.
    pub fn put(key: &str, value: &str) -> Txn {
        Txn::of(vec![Request::Put(key.to_owned(), value.to_owned())])
    }

    /// Deletes one key.
    pub fn delete(key: &str) -> Txn {
        Txn::of(vec![Request::Delete(Keys::one(key))])
    }

    /// Whether it never changes anything.
    pub fn is_read(&self) -> bool {
        self.then.iter().chain(&self.otherwise).all(|request| matches!(request, Request::Range(_) | Request::Count(_)))
    }
}

/// What a request inside a transaction answers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The pairs found.
    Range(Vec<(Key, Pair)>),
    /// Done.
    Put,
    /// How many keys there were.
    Delete(u64),
    /// How many keys there are.
    Count(u64),
}

/// What a client is told.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Answer {
    /// The header's revision: the store's after the transaction.
    pub revision: u64,
    /// Whether the comparisons held; true for a plain put, range or deletion.
    pub succeeded: bool,
    /// One for each request that was done.
    pub results: Vec<Outcome>,
}

impl Answer {
    fn changes(&self) -> bool {
        self.results.iter().any(|result| matches!(result, Outcome::Put | Outcome::Delete(1..)))
    }

    /// Whether its revision may be one from before.
    fn counts(&self) -> bool {
        self.results.iter().any(|result| matches!(result, Outcome::Count(_)))
    }
}

/// The store at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// The latest revision; etcd starts at 1.
    pub revision: u64,
    /// What is there.
    pub pairs: BTreeMap<Key, Pair>,
}

impl Default for State {
    fn default() -> State {
        State { revision: 1, pairs: BTreeMap::new() }
    }
}

impl State {
    /// Carries a transaction out.
    pub fn execute(&mut self, txn: &Txn) -> Answer {
        let succeeded = txn.guards.iter().all(|guard| guard.holds(&self.pairs));
        let next = self.revision + 1;
        let mut changed = false;
        let mut results = Vec::new();
        for request in if succeeded { &txn.then } else { &txn.otherwise } {
            results.push(match request {
                Request::Range(keys) => {
                    let found = keys.of(&self.pairs);
                    Outcome::Range(found.into_iter().map(|(key, pair)| (key.clone(), pair.clone())).collect())
                }
                Request::Put(key, value) => {
                    changed = true;
                    let before = self.pairs.get(key);
                    let pair = Pair {
                        value: value.clone(),
                        create_revision: before.map_or(next, |pair| pair.create_revision),
                        mod_revision: next,
                        version: before.map_or(0, |pair| pair.version) + 1,
                    };
                    self.pairs.insert(key.clone(), pair);
                    Outcome::Put
                }
                Request::Delete(keys) => {
                    let found: Vec<_> = keys.of(&self.pairs).into_iter().map(|(key, _)| key.clone()).collect();
                    changed |= !found.is_empty();
                    for key in &found {
                        self.pairs.remove(key);
                    }
                    Outcome::Delete(found.len() as u64)
                }
                Request::Count(keys) => Outcome::Count(keys.of(&self.pairs).len() as u64),
            });
        }
        self.revision += u64::from(changed);
        Answer { revision: self.revision, succeeded, results }
    }
}

/// The model, with what a history tells about its revisions.
#[derive(Debug, Clone)]
pub struct Store {
    initial: State,
    /// Revisions made by answered operations.
    made: HashSet<u64>,
    /// What is known of keys at revisions: pairs seen, by the revision that they name as their last change, and more.
    seen: HashMap<u64, Vec<(Key, Option<Pair>)>>,
    /// The latest revision in any answer.
    latest: u64,
}

impl Store {
    /// For a history that begins with an empty store.
    pub fn new(history: &History<Txn, Answer>) -> Store {
        Store::starting_from(State::default(), history)
    }

    /// For a history that begins with something there.
    pub fn starting_from(initial: State, history: &History<Txn, Answer>) -> Store {
        let mut store = Store { initial, made: HashSet::new(), seen: HashMap::new(), latest: 0 };
        for (_, answer) in history.operations().filter_map(|(_, operation)| operation.answer.as_ref()) {
            store.latest = store.latest.max(answer.revision);
            if answer.changes() {
                store.made.insert(answer.revision);
            }
            for (key, pair) in answer.results.iter().filter_map(found).flatten() {
                store.know(pair.mod_revision, key.clone(), Some(pair.clone()));
            }
        }
        store
    }

    /// Adds what was found out otherwise: the pair that a key had at a revision, or that it had none. Every bit of it limits
    /// what open operations may have done, and so what there is to search.
    pub fn know(&mut self, revision: u64, key: Key, pair: Option<Pair>) {
        let seen = self.seen.entry(revision).or_default();
        if !seen.iter().any(|(known, _)| *known == key) {
            seen.push((key, pair));
        }
    }

    /// Whether an open operation may have made a revision.
    fn is_free(&self, revision: u64) -> bool {
        revision <= self.latest && !self.made.contains(&revision)
    }

    /// Whether what was seen of a revision fits to a state at it.
    fn fits(&self, after: &State) -> bool {
        let fits =
            |seen: &Vec<(Key, Option<Pair>)>| seen.iter().all(|(key, pair)| after.pairs.get(key) == pair.as_ref());
        self.seen.get(&after.revision).is_none_or(fits)
    }
}

fn found(result: &Outcome) -> Option<&Vec<(Key, Pair)>> {
    match result {
        Outcome::Range(pairs) => Some(pairs),
        Outcome::Put | Outcome::Delete(_) | Outcome::Count(_) => None,
    }
}

impl Model for Store {
    type State = State;
    type Input = Txn;
    type Output = Answer;

    fn is_read(&self, _: &Txn, answer: &Answer) -> bool {
        !answer.changes()
    }

    fn initial(&self) -> State {
        self.initial.clone()
    }

    fn step(&self, state: &State, txn: &Txn, answer: Option<&Answer>) -> Option<State> {
        // Cheap to see, and the end of it nearly always.
        let possible = match answer {
            Some(answer) if answer.counts() => answer.revision <= state.revision,
            Some(answer) => answer.revision == state.revision + u64::from(answer.changes()),
            None => self.is_free(state.revision + 1) && !txn.is_read(),
        };
        if !possible {
            return None;
        }
        let mut after = state.clone();
        let executed = after.execute(txn);
        match answer {
            Some(answer) if answer.counts() => (executed.results == answer.results).then_some(after),
            Some(answer) => (executed == *answer).then_some(after),
            None => (after.revision > state.revision && self.fits(&after)).then_some(after),
        }
    }
}
