//! The replicated state of the simulation: a small key-value store with leases, and what it has been through.
//!
//! As in the server, what is handed over waits in a queue and is applied at a pace of its own, but for a few entries of a
//! member that is alone.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use keyport_api::raftpb::{ConfState, Snapshot};
use parking_lot::Mutex;

use super::SimDisk;
use super::command::{Command, OperationId};
use super::history::kv;
use super::lessor::{LeaseId, Lessor};
use crate::state_machine::{Committed, CommittedKind, Configuration, DropReason, LeaderState, StateMachine};

/// What may wait to be applied before no more entries are taken.
const MAX_WAITING: usize = 100;
/// Entries that a member which is alone applies where they are.
const INLINE_ENTRIES: usize = 2;

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
    pub(super) leases: BTreeSet<LeaseId>,
}

impl State {
    fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let State { index, term, conf_state, removed, store, leases } = self;
        let ConfState { voters, learners, voters_outgoing, learners_next, auto_leave } = conf_state;
        (index, term, removed, store, leases).hash(&mut hasher);
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

/// What waits to be applied, in this order.
#[derive(Debug)]
enum Work {
    Apply(Committed),
    Install(u64),
}

/// What a member has, shared with the scheduler; outlives the member's process, like a database file.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) now: State,
    /// What a crash leaves.
    pub(super) durable: State,
    /// Complete images from other members, by index; as durable as `durable`.
    pub(super) received: BTreeMap<u64, State>,
    /// Handed over and not applied yet.
    queue: VecDeque<Work>,
    /// When the leases end, while this member leads.
    pub(super) lessor: Lessor,
    /// Who leads, as far as this process was told.
    pub(super) leader: Option<LeaderState>,
    /// Terms that this member has led since the scheduler last looked.
    pub(super) leaders: Vec<LeaderState>,
    /// Proposals given up since then.
    pub(super) dropped: Vec<Bytes>,
    /// Operations on keys applied since then.
    pub(super) answers: Vec<(OperationId, kv::Answer)>,
    /// Other commands applied since then.
    pub(super) carried_out: Vec<Command>,
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
        self.lessor.demote();
        // What the server does: older images are of no use any more.
        self.received = self.received.split_off(&(index + 1));
    }

    pub(super) fn crash(&mut self) {
        self.now = self.durable.clone();
        self.is_full = false;
        self.queue.clear();
        self.lessor = Lessor::default();
        self.leader = None;
        self.leaders.clear();
        self.dropped.clear();
        self.answers.clear();
        self.carried_out.clear();
    }

    /// Applies so much of what waits.
    pub(super) fn apply_some(&mut self, works: usize, world: &mut World) {
        for _ in 0..works {
            match self.queue.pop_front() {
                Some(Work::Apply(entry)) => self.apply(entry, world),
                Some(Work::Install(index)) => self.install(index, world),
                None => return,
            }
        }
    }

    fn apply(&mut self, Committed { index, term, kind }: Committed, world: &mut World) {
        let next = self.now.index + 1;
        if index != next {
            self.problem.get_or_insert(format!("entry {index} applied where {next} is due"));
            return;
        }
        self.now.index = index;
        self.now.term = term;
        match &kind {
            // What a new leader opens its term with.
            CommittedKind::Normal(data) if data.is_empty() => {
                if self.leader.is_some_and(|leader| leader.is_leader && leader.term == term) {
                    self.lessor.promote(term, &self.now.leases);
                }
            }
            CommittedKind::Normal(data) => {
                if let Some(command) = Command::decode(data) {
                    self.execute(command, world);
                }
            }
            CommittedKind::ConfChange { conf_state, .. } => self.now.reconfigure(conf_state.clone()),
        }
        if let Err(problem) = world.enter(Applied { term, kind }, &self.now) {
            self.problem.get_or_insert(problem);
        }
    }

    fn execute(&mut self, command: Command, world: &mut World) {
        match command {
            Command::Keys(id) => {
                let Some(txn) = world.requests.get(&id) else { return };
                let answer = self.now.store.execute(txn);
                self.answers.push((id, answer));
                return;
            }
            Command::Grant(id) => {
                self.now.leases.insert(id);
                self.lessor.grant(id);
            }
            Command::Revoke(id) => self.end_lease(id, world),
            Command::Expire { lease, decided_in } => {
                let is_first = self.now.index > world.entries.len() as u64;
                let renewed_in = world.renewed.get(&lease).copied().unwrap_or_default();
                if is_first && self.now.leases.contains(&lease) && renewed_in > decided_in {
                    self.problem.get_or_insert(format!(
                        "lease {lease}, renewed in term {renewed_in}, is revoked as decided in term {decided_in}"
                    ));
                }
                self.end_lease(lease, world);
            }
        }
        self.carried_out.push(command);
    }

    fn end_lease(&mut self, id: LeaseId, world: &mut World) {
        self.now.leases.remove(&id);
        self.lessor.forget(id);
        world.ended.insert(id);
    }
}

/// What any member has ever applied: the one sequence that all have to share. Applied means acknowledged.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) entries: Vec<Applied>,
    /// A hash of the state after each of them.
    hashes: Vec<u64>,
    /// The configuration after everything that was handed over anywhere, which is in force for Raft, and the index from
    /// which on it is.
    pub(super) configuration: ConfState,
    configured_at: u64,
    /// Membership changes carried out, and refused.
    pub(super) changes: (usize, usize),
    /// Those after which there were learners, and those after which a joint configuration was in force.
    pub(super) learners_and_joint: (usize, usize),
    /// What clients ask for.
    pub(super) requests: BTreeMap<OperationId, kv::Txn>,
    /// Leases that were revoked.
    pub(super) ended: BTreeSet<LeaseId>,
    /// The last term in which a leader told that a lease is renewed.
    pub(super) renewed: BTreeMap<LeaseId, u64>,
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

    fn configure(&mut self, index: u64, conf_state: &ConfState) {
        if index > self.configured_at {
            (self.configured_at, self.configuration) = (index, conf_state.clone());
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

/// A member's process, as far as the state goes.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) memory: Arc<Mutex<Memory>>,
    pub(super) world: Arc<Mutex<World>>,
    /// The machine it runs on: nothing happens any more once the power is off.
    pub(super) disk: SimDisk,
    /// Index and configuration after everything handed over so far: ahead of what is applied.
    pub(super) handed_over: (u64, ConfState),
}

impl StateMachine for Machine {
    fn apply(&mut self, committed: Vec<Committed>) {
        if !self.disk.effect() {
            return;
        }
        for entry in &committed {
            self.handed_over.0 = entry.index;
            if let CommittedKind::ConfChange { conf_state, .. } = &entry.kind {
                self.handed_over.1 = conf_state.clone();
                self.world.lock().configure(entry.index, conf_state);
            }
        }
        let mut memory = self.memory.lock();
        let is_alone = self.handed_over.1.voters.len() <= 1;
        let inline = is_alone && memory.queue.is_empty() && committed.len() <= INLINE_ENTRIES;
        memory.queue.extend(committed.into_iter().map(Work::Apply));
        if inline {
            memory.apply_some(INLINE_ENTRIES, &mut self.world.lock());
        }
    }

    fn has_room(&self) -> bool {
        let memory = self.memory.lock();
        !memory.is_full && memory.queue.len() < MAX_WAITING
    }

    /// Refuses some changes, for a reason that every member knows.
    fn check_conf_change(&mut self, change: &Configuration) -> bool {
        let (index, conf_state) = &self.handed_over;
        match change {
            Configuration::Simple(change) => {
                conf_state.voters != [change.node_id()] && (index + change.node_id()) % 5 != 0
            }
            // The end of a joint configuration cannot be refused.
            Configuration::Joint(change) => change.changes.is_empty() || !index.is_multiple_of(4),
        }
    }

    fn install_snapshot(&mut self, snapshot: Snapshot) -> io::Result<()> {
        if self.disk.effect() {
            let metadata = snapshot.metadata.unwrap_or_default();
            self.handed_over = (metadata.index(), metadata.conf_state.clone().unwrap_or_default());
            self.memory.lock().queue.push_back(Work::Install(metadata.index()));
        }
        Ok(())
    }

    fn applied_index(&self) -> u64 {
        self.memory.lock().now.index
    }

    fn durable_index(&self) -> u64 {
        self.memory.lock().durable.index
    }

    fn leader_changed(&mut self, state: LeaderState) {
        let mut memory = self.memory.lock();
        memory.leader = Some(state);
        memory.leaders.push(state);
    }

    fn dropped(&mut self, data: Bytes, _: DropReason) {
        self.memory.lock().dropped.push(data);
    }
}
