//! The replicated state of a simulated member: the sequence of what was applied, part of it durable.

use std::sync::Arc;

use bytes::Bytes;
use keyport_api::raftpb::{ConfState, Snapshot};
use parking_lot::Mutex;

use crate::state_machine::{Committed, CommittedKind, DropReason, LeaderState, StateMachine};

/// One applied entry, as far as the state is concerned.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Applied {
    pub(super) term: u64,
    pub(super) kind: CommittedKind,
}

/// What a member's state machine has, shared with the scheduler; outlives the member, like a database file.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Entries 1.. in order.
    pub(super) applied: Vec<Applied>,
    /// How many of them survive a crash.
    pub(super) durable: usize,
    /// The configuration after `applied`, and after its durable part.
    pub(super) conf_state: ConfState,
    pub(super) durable_conf_state: ConfState,
    pub(super) leaders: Vec<LeaderState>,
    pub(super) dropped: Vec<Bytes>,
    /// Something that must never happen.
    pub(super) problem: Option<String>,
}

impl Memory {
    pub(super) fn flush(&mut self) {
        self.durable = self.applied.len();
        self.durable_conf_state = self.conf_state.clone();
    }

    /// Takes the state at `index` over from another member.
    pub(super) fn install(&mut self, history: &History, index: u64, conf_state: ConfState) {
        let upto = usize::try_from(index).unwrap_or(usize::MAX);
        match history.entries.get(..upto) {
            Some(entries) => self.applied = entries.to_vec(),
            None => self.problem = Some(format!("a snapshot at {index}, which nobody has applied")),
        }
        self.conf_state = conf_state;
        self.flush();
    }

    pub(super) fn crash(&mut self) {
        self.applied.truncate(self.durable);
        self.conf_state = self.durable_conf_state.clone();
        self.leaders.clear();
    }
}

/// What any member has ever applied: the one history that all have to share. Applied means acknowledged.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) entries: Vec<Applied>,
}

impl History {
    /// Enters what a member applies at `index`, or says how that differs from what was applied there before.
    fn enter(&mut self, index: u64, applied: &Applied) -> Result<(), String> {
        let at = usize::try_from(index - 1).unwrap_or(usize::MAX);
        match self.entries.get(at) {
            Some(known) if known == applied => Ok(()),
            Some(known) => Err(format!("entry {index} was {known:?} and is {applied:?} now")),
            None => {
                self.entries.push(applied.clone());
                Ok(())
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct Machine {
    pub(super) memory: Arc<Mutex<Memory>>,
    pub(super) history: Arc<Mutex<History>>,
}

impl StateMachine for Machine {
    fn apply(&mut self, committed: Vec<Committed>) {
        let mut memory = self.memory.lock();
        let mut history = self.history.lock();
        for entry in committed {
            let next = memory.applied.len() as u64 + 1;
            if entry.index != next {
                memory.problem.get_or_insert(format!("entry {} applied where {next} is due", entry.index));
                continue;
            }
            if let CommittedKind::ConfChange { conf_state, .. } = &entry.kind {
                memory.conf_state = conf_state.clone();
            }
            let applied = Applied { term: entry.term, kind: entry.kind };
            if let Err(problem) = history.enter(entry.index, &applied) {
                memory.problem.get_or_insert(problem);
            }
            memory.applied.push(applied);
        }
    }

    fn install_snapshot(&mut self, snapshot: Snapshot) {
        let metadata = snapshot.metadata.unwrap_or_default();
        let conf_state = metadata.conf_state.clone().unwrap_or_default();
        self.memory.lock().install(&self.history.lock(), metadata.index(), conf_state);
    }

    fn durable_index(&self) -> u64 {
        self.memory.lock().durable as u64
    }

    fn leader_changed(&mut self, state: LeaderState) {
        self.memory.lock().leaders.push(state);
    }

    fn dropped(&mut self, data: Bytes, _: DropReason) {
        self.memory.lock().dropped.push(data);
    }
}
