//! The replicated state of the simulation: a small key-value store, and what it has been through.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use keyport_api::raftpb::{ConfState, Snapshot};
use parking_lot::Mutex;

use super::SimDisk;
use super::history::kv;
use crate::state_machine::{Committed, CommittedKind, Configuration, DropReason, LeaderState, StateMachine};

/// Names an operation of a client; what is proposed begins with it.
pub(super) type OperationId = usize;

/// One applied entry, as far as the state is concerned.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Applied {
    pub(super) term: u64,
    pub(super) kind: CommittedKind,
}

/// The state after an entry: what is in a database, or in an image of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct State {
    pub(super) index: u64,
    pub(super) term: u64,
    pub(super) conf_state: ConfState,
    /// Members that were in a configuration and are not any more.
    pub(super) removed: BTreeSet<u64>,
    pub(super) store: kv::State,
}

impl State {
    fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let State { index, term, conf_state, removed, store } = self;
        let ConfState { voters, learners, voters_outgoing, learners_next, auto_leave } = conf_state;
        (index, term, removed, store).hash(&mut hasher);
        (voters, learners, voters_outgoing, learners_next, auto_leave).hash(&mut hasher);
        hasher.finish()
    }

    fn reconfigure(&mut self, conf_state: ConfState) {
        self.removed.extend(members(&self.conf_state));
        self.conf_state = conf_state;
        for id in members(&self.conf_state) {
            self.removed.remove(&id);
        }
    }
}

/// Everybody in a configuration.
pub(super) fn members(conf_state: &ConfState) -> Vec<u64> {
    let ConfState { voters, learners, voters_outgoing, learners_next, .. } = conf_state;
    let all: BTreeSet<u64> =
        [voters, learners, voters_outgoing, learners_next].into_iter().flatten().copied().collect();
    all.into_iter().collect()
}

/// What a member has, shared with the scheduler; outlives the member's process, like a database file.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) now: State,
    /// What a crash leaves.
    pub(super) durable: State,
    /// Complete images from other members, by index; as durable as `durable`.
    pub(super) received: BTreeMap<u64, State>,
    /// Terms that this member has led since the scheduler last looked.
    pub(super) leaders: Vec<LeaderState>,
    /// Proposals given up since then.
    pub(super) dropped: Vec<Bytes>,
    /// Operations applied since then.
    pub(super) answers: Vec<(OperationId, kv::Answer)>,
    /// There is no room for more entries.
    pub(super) is_full: bool,
    /// Something that must never happen.
    pub(super) problem: Option<String>,
}

impl Memory {
    pub(super) fn flush(&mut self) {
        self.durable = self.now.clone();
    }

    /// Takes over the image at `index`, which has arrived completely.
    pub(super) fn install(&mut self, index: u64, world: &World) {
        match self.received.get(&index) {
            Some(image) => self.now = image.clone(),
            None => self.problem = Some(format!("a snapshot at {index}, of which no image has arrived")),
        }
        if let Err(problem) = world.check(&self.now) {
            self.problem.get_or_insert(problem);
        }
        self.flush();
        // What the server does: older images are of no use any more.
        self.received = self.received.split_off(&(index + 1));
    }

    pub(super) fn crash(&mut self) {
        self.now = self.durable.clone();
        self.is_full = false;
        self.leaders.clear();
        self.dropped.clear();
        self.answers.clear();
    }
}

/// What any member has ever applied: the one sequence that all have to share. Applied means acknowledged.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) entries: Vec<Applied>,
    /// A hash of the state after each of them.
    hashes: Vec<u64>,
    /// The configuration after the last of them.
    pub(super) configuration: ConfState,
    /// Membership changes carried out, and refused.
    pub(super) changes: (usize, usize),
    /// Those after which there were learners, and those after which a joint configuration was in force.
    pub(super) learners_and_joint: (usize, usize),
    /// What clients ask for.
    pub(super) requests: BTreeMap<OperationId, kv::Txn>,
}

impl World {
    /// Enters what a member applied and came to, or says how that differs from what was applied there before.
    fn enter(&mut self, applied: Applied, state: &State) -> Result<(), String> {
        let at = usize::try_from(state.index - 1).unwrap_or(usize::MAX);
        match self.entries.get(at) {
            Some(known) if *known == applied => self.check(state),
            Some(known) => Err(format!("entry {} was {known:?} and is {applied:?} now", state.index)),
            None if at == self.entries.len() => {
                if let CommittedKind::ConfChange { accepted, conf_state, .. } = &applied.kind {
                    self.configuration = conf_state.clone();
                    self.changes.0 += usize::from(*accepted);
                    self.changes.1 += usize::from(!accepted);
                    self.learners_and_joint.0 += usize::from(*accepted && !conf_state.learners.is_empty());
                    self.learners_and_joint.1 += usize::from(*accepted && !conf_state.voters_outgoing.is_empty());
                }
                self.entries.push(applied);
                self.hashes.push(state.hash());
                Ok(())
            }
            None => Err(format!("entry {} applied before any entry {}", state.index, self.entries.len() + 1)),
        }
    }

    fn check(&self, state: &State) -> Result<(), String> {
        let known = state.index.checked_sub(1).and_then(|at| self.hashes.get(usize::try_from(at).ok()?));
        match known {
            Some(known) if *known == state.hash() => Ok(()),
            Some(_) => Err(format!("the state after entry {} is another one here: {state:?}", state.index)),
            None if state.index == 0 => Ok(()),
            None => Err(format!("a state after entry {}, which nobody has applied", state.index)),
        }
    }

    /// For the trace: the configurations that came one after the other, with the index from which each was in force.
    pub(super) fn membership(&self) -> Vec<(u64, &ConfState)> {
        let changes = (1..).zip(&self.entries).filter_map(|(index, entry)| match &entry.kind {
            CommittedKind::ConfChange { accepted: true, conf_state, .. } => Some((index, conf_state)),
            _ => None,
        });
        changes.collect()
    }

    /// Folded over everything that was applied.
    pub(super) fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hashes.hash(&mut hasher);
        hasher.finish()
    }
}

/// The bytes of a proposal.
pub(super) fn encode(id: OperationId, padding: usize) -> Bytes {
    let mut data = format!("{id} ").into_bytes();
    data.resize(data.len() + padding, b'x');
    Bytes::from(data)
}

pub(super) fn decode(data: &[u8]) -> Option<OperationId> {
    let digits = data.split(|byte| *byte == b' ').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[derive(Debug)]
pub(super) struct Machine {
    pub(super) memory: Arc<Mutex<Memory>>,
    pub(super) world: Arc<Mutex<World>>,
    /// The machine it runs on: nothing happens any more once the power is off.
    pub(super) disk: SimDisk,
}

impl StateMachine for Machine {
    fn apply(&mut self, committed: Vec<Committed>) {
        if !self.disk.effect() {
            return;
        }
        let mut memory = self.memory.lock();
        let mut world = self.world.lock();
        for Committed { index, term, kind } in committed {
            let next = memory.now.index + 1;
            if index != next {
                memory.problem.get_or_insert(format!("entry {index} applied where {next} is due"));
                continue;
            }
            memory.now.index = index;
            memory.now.term = term;
            match &kind {
                CommittedKind::Normal(data) => {
                    let id = decode(data);
                    if let Some((id, txn)) = id.and_then(|id| Some((id, world.requests.get(&id)?))) {
                        let answer = memory.now.store.execute(txn);
                        memory.answers.push((id, answer));
                    }
                }
                CommittedKind::ConfChange { conf_state, .. } => memory.now.reconfigure(conf_state.clone()),
            }
            if let Err(problem) = world.enter(Applied { term, kind }, &memory.now) {
                memory.problem.get_or_insert(problem);
            }
        }
    }

    fn has_room(&self) -> bool {
        !self.memory.lock().is_full
    }

    /// Refuses some changes, for a reason that depends on the replicated state.
    fn check_conf_change(&mut self, change: &Configuration) -> bool {
        let memory = self.memory.lock();
        match change {
            Configuration::Simple(change) => {
                let sole = memory.now.conf_state.voters == [change.node_id()];
                let mood = (memory.now.store.revision + change.node_id()) % 5;
                !sole && mood != 0
            }
            // The end of a joint configuration cannot be refused.
            Configuration::Joint(change) => change.changes.is_empty() || !memory.now.store.revision.is_multiple_of(4),
        }
    }

    fn install_snapshot(&mut self, snapshot: Snapshot) -> io::Result<()> {
        if self.disk.effect() {
            let metadata = snapshot.metadata.unwrap_or_default();
            self.memory.lock().install(metadata.index(), &self.world.lock());
        }
        Ok(())
    }

    fn durable_index(&self) -> u64 {
        self.memory.lock().durable.index
    }

    fn leader_changed(&mut self, state: LeaderState) {
        self.memory.lock().leaders.push(state);
    }

    fn dropped(&mut self, data: Bytes, _: DropReason) {
        self.memory.lock().dropped.push(data);
    }
}
