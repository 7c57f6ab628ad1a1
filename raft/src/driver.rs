//! Raft as a synchronous state machine: inputs, then outputs. No threads, clocks, randomness or I/O.
//!
//! The order of one turn, which the caller keeps:
//!
//! 1. any number of inputs ([`Driver::propose`], [`Driver::step`], [`Driver::tick`], …);
//! 2. [`Driver::ready`]; nothing else may be put in until the turn is over;
//! 3. its `messages` are sent, its `committed` entries are delivered ([`Driver::deliver`]);
//! 4. snapshot, entries and hard state are written, and synced if it says so;
//! 5. [`Driver::persisted`]: then its `persisted_messages` are sent, and the messages that come back are sent and the
//!    entries that come back are delivered. On a single voter that is where an entry is committed: right after its sync.
//! 6. [`Driver::finish`].

mod guard;
mod held;
mod log;
mod membership;
mod needed;
mod orders;
mod outgoing;
mod patience;
mod planted;
mod reads;
#[cfg(test)]
mod tests;
mod view;

use bytes::Bytes;
use keyport_api::raftpb;
use prost::Message as _;
use raft::eraftpb::{self, EntryType, MessageType};
use raft::{RawNode, StateRole};

use crate::config::{Config, MAX_INFLIGHT_MESSAGES, MAX_SIZE_PER_MESSAGE};
use crate::convert;
use crate::logger::tracing_logger;
use crate::plant::Plant;
use crate::state_machine::{Committed, CommittedKind, Configuration, DropReason, LeaderState, StateMachine};
use crate::wal::{Recovered, SnapshotMark};

pub use guard::StepError;
use held::Held;
use log::MemoryLog;
pub(crate) use membership::conf_state_at;
use needed::Heard;
use outgoing::{from_raft, without_superseded};
use patience::Patience;
use planted::EarlyChanges;
pub use reads::ReadToken;
use reads::Reads;

/// How long proposals wait at most besides the elections themselves; etcd's request timeout.
const HOLD_MS: u128 = 5_000;
/// A ReadIndex round without an answer is started again after this.
const READ_RETRY_MS: u128 = 500;

/// Why a driver could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The configuration or the log is not acceptable to Raft.
    #[error("raft: {0}")]
    Raft(#[from] raft::Error),
    /// The log and what the state machine has do not fit together.
    #[error("{0}")]
    Log(String),
}

/// What one turn asks for, in the order in which it is to be done.
#[derive(Debug, Default)]
pub struct Output {
    /// To be sent at once.
    pub messages: Vec<raftpb::Message>,
    /// Committed earlier; to be delivered.
    pub committed: Vec<eraftpb::Entry>,
    /// A snapshot from the leader, to be recorded and installed.
    pub snapshot: Option<raftpb::Snapshot>,
    /// To be appended to the log.
    pub entries: Vec<eraftpb::Entry>,
    /// Term, vote and commit index, if they changed.
    pub hard_state: Option<raftpb::HardState>,
    /// Whether the above has to be synced.
    pub must_sync: bool,
    /// To be sent after that.
    pub persisted_messages: Vec<raftpb::Message>,
    /// Reads that may go on once this index is applied.
    pub reads: Vec<(ReadToken, u64)>,
    /// A new leader or term.
    pub leader: Option<LeaderState>,
    ready: raft::Ready,
}

/// What follows from having persisted an [`Output`].
#[derive(Debug, Default)]
pub struct AfterPersist {
    /// To be sent.
    pub messages: Vec<raftpb::Message>,
    /// To be delivered.
    pub committed: Vec<eraftpb::Entry>,
}

/// A proposal that was given up.
pub type Dropped = (Bytes, DropReason);

/// One member's Raft.
pub struct Driver {
    raw: RawNode<MemoryLog>,
    config: Config,
    patience: Patience,
    reads: Reads,
    held: Held,
    /// A leader to whom there is no way; 0 for none.
    unreachable: u64,
    leader: LeaderState,
    /// A removed leader's last messages.
    farewell: Vec<raftpb::Message>,
    /// The last term in which this member was told to hand over.
    handed_over: u64,
    read_retries: u64,
    heard: Heard,
    early: EarlyChanges,
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").field("leader", &self.leader).field("log", self.log()).finish_non_exhaustive()
    }
}

impl Driver {
    /// Goes on from what a log held. Entries up to `applied` are not delivered again; `conf_state` is the configuration
    /// that the state machine stored with that index. Without it, every change up to there counts as accepted.
    pub fn new(
        config: Config,
        recovered: Recovered,
        applied: u64,
        conf_state: Option<raftpb::ConfState>,
    ) -> Result<Driver, DriverError> {
        let Recovered { hard_state, snapshot, entries, .. } = recovered;
        if applied < snapshot.index {
            let text = format!("the log continues from index {}, but the state ends at {applied}", snapshot.index);
            return Err(DriverError::Log(text));
        }
        let conf_state = match conf_state {
            Some(conf_state) if applied > 0 => convert::conf_state_to_raft(&conf_state),
            _ => conf_state_at(&snapshot, &entries, applied)?,
        };
        let mut hard_state = convert::hard_state_to_raft(&hard_state);
        if config.plants.has(Plant::ForgetVote) {
            hard_state.vote = 0;
        }
        // What is applied was committed, even if the commit index did not reach the disk.
        hard_state.commit = hard_state.commit.max(applied).max(membership::known_committed(&entries));
        let log = MemoryLog::new(&snapshot, entries, hard_state, applied, conf_state).with(config.plants);
        if log.last() < applied || !guard::check_log(&log) {
            let text = format!("the log ends at index {}, but the state is at {applied}", log.last());
            return Err(DriverError::Log(text));
        }
        let mut settings = raft::Config {
            id: config.id,
            election_tick: config.election_ticks,
            heartbeat_tick: 1,
            applied,
            max_size_per_msg: MAX_SIZE_PER_MESSAGE,
            max_inflight_msgs: MAX_INFLIGHT_MESSAGES,
            check_quorum: true,
            pre_vote: config.pre_vote,
            max_uncommitted_size: config.max_uncommitted_bytes,
            max_committed_size_per_ready: config.max_apply_bytes,
            ..raft::Config::default()
        };
        if config.plants.has(Plant::UnconfirmedRead) {
            settings.read_only_option = raft::ReadOnlyOption::LeaseBased;
        }
        let raw = RawNode::new(&settings, log, &tracing_logger())?;
        let mut driver = Driver {
            patience: Patience::new(config.seed ^ config.id.rotate_left(32), config.election_ticks),
            reads: Reads::new(config.id, config.boot_id, config.plants),
            held: Held::default(),
            unreachable: 0,
            leader: LeaderState { leader: 0, term: raw.raft.term, is_leader: false },
            farewell: Vec::new(),
            handed_over: 0,
            read_retries: 0,
            heard: Heard::default(),
            early: EarlyChanges::default(),
            raw,
            config,
        };
        driver.settle();
        Ok(driver)
    }

    /// One tick of the clock has passed. Called between turns: what was put in before has been written.
    pub fn tick(&mut self) {
        self.note_heard();
        self.raw.tick();
        let tick_ms = self.config.tick.as_millis().max(1);
        let retry = usize::try_from(READ_RETRY_MS.div_ceil(tick_ms)).unwrap_or(1);
        if self.reads.tick(retry) {
            self.read_retries += 1;
        }
        let hold = usize::try_from(HOLD_MS.div_ceil(tick_ms)).unwrap_or(1) + 2 * self.config.election_ticks;
        self.held.tick(hold);
        self.settle();
    }

    /// A message from a peer.
    pub fn step(&mut self, message: raftpb::Message) -> Result<(), StepError> {
        let mut message = convert::message_to_raft(message)?;
        if self.config.plants.has(Plant::SkipTermCheck) {
            message.term = message.term.max(self.raw.raft.term);
        }
        guard::check(self.config.id, self.known(), &mut message)?;
        if message.get_msg_type() == MessageType::MsgTimeoutNow && !self.is_written() {
            // Lost, like any message may be.
            return Ok(());
        }
        if !self.hold_forwarded(&mut message) {
            self.settle();
            return Ok(());
        }
        self.answer_late_candidate(&message);
        let outcome = self.raw.step(message);
        self.settle();
        match outcome {
            Err(raft::Error::StepPeerNotFound) => Err(StepError::NotMember),
            // A forwarded proposal that cannot be taken is lost like a message; its proposer has a deadline.
            _ => Ok(()),
        }
    }

    fn known(&self) -> guard::Known {
        let log = &self.raw.raft.raft_log;
        // Nothing that is committed is left out of the log without its term.
        let term = log.term(log.committed).unwrap_or_default();
        guard::Known { last: log.last_index(), committed: (log.committed, term) }
    }

    /// Normal entries to be replicated, in this order. What cannot be taken shows up in [`Driver::take_dropped`].
    pub fn propose(&mut self, batch: Vec<Bytes>) {
        if !self.takes_proposals() {
            batch.into_iter().for_each(|data| self.held.hold(data));
            return;
        }
        let Err(batch) = self.try_propose(batch) else { return };
        // Too much for one step may still be taken in part.
        for data in batch {
            if let Err(refused) = self.try_propose(vec![data]) {
                refused.into_iter().for_each(|data| self.held.drop_proposal(data, DropReason::Refused));
            }
        }
    }

    /// An entry that this member decided on as the leader of `term`: replicated only while that lasts. In the log it then
    /// stands before the entry that opens the next term, with which another leader takes up its duties.
    pub fn propose_in_term(&mut self, term: u64, data: Bytes) {
        let raft = &self.raw.raft;
        let in_office = raft.state == StateRole::Leader && raft.term == term && raft.lead_transferee.is_none();
        if !in_office {
            self.held.drop_proposal(data, DropReason::TermOver);
        } else if let Err(refused) = self.try_propose(vec![data]) {
            refused.into_iter().for_each(|data| self.held.drop_proposal(data, DropReason::Refused));
        }
    }

    fn try_propose(&mut self, batch: Vec<Bytes>) -> Result<(), Vec<Bytes>> {
        if batch.is_empty() {
            return Ok(());
        }
        let entries = batch.iter().map(|data| eraftpb::Entry { data: data.clone(), ..eraftpb::Entry::default() });
        self.step_proposal(entries.collect()).map_err(|_| batch)
    }

    fn step_proposal(&mut self, entries: Vec<eraftpb::Entry>) -> raft::Result<()> {
        let mut message = eraftpb::Message::default();
        message.set_msg_type(MessageType::MsgPropose);
        message.from = self.config.id;
        message.set_entries(entries.into());
        let outcome = self.raw.raft.step(message);
        self.settle();
        outcome
    }

    /// A membership change to be replicated. Raft allows one at a time; another one waits until that is applied. One
    /// that is given up shows up in [`Driver::take_dropped_changes`].
    pub fn propose_conf_change(&mut self, change: &Configuration) {
        let mut entry = eraftpb::Entry::default();
        let (kind, data) = match change {
            Configuration::Simple(change) => (EntryType::EntryConfChange, change.encode_to_vec()),
            Configuration::Joint(change) => (EntryType::EntryConfChangeV2, change.encode_to_vec()),
        };
        entry.set_entry_type(kind);
        entry.data = data.into();
        self.held.hold_change(entry);
        self.settle();
    }

    /// Asks for a read barrier; the answer comes with [`Output::reads`].
    pub fn read_index(&mut self, token: ReadToken) {
        self.reads.add(token);
    }

    /// Forgets waiters that have gone.
    pub fn retain_reads(&mut self, alive: impl Fn(ReadToken) -> bool) {
        self.reads.retain(alive);
    }

    /// What there is to do, if anything.
    pub fn ready(&mut self) -> Option<Output> {
        self.start_reads();
        if !self.raw.has_ready() {
            return None;
        }
        let mut ready = self.raw.ready();
        let read_states = ready.take_read_states();
        let id = self.config.id;
        let mut output = Output {
            messages: from_raft(id, without_superseded(ready.take_messages())),
            committed: ready.take_committed_entries(),
            snapshot: (!ready.snapshot().is_empty()).then(|| convert::snapshot_from_raft(ready.snapshot().clone())),
            hard_state: ready.hs().map(convert::hard_state_from_raft),
            must_sync: ready.must_sync(),
            persisted_messages: from_raft(id, ready.take_persisted_messages()),
            entries: ready.take_entries(),
            leader: self.leader_change(),
            ..Output::default()
        };
        for state in read_states {
            let tokens = self.reads.finish(&state.request_ctx);
            output.reads.extend(tokens.into_iter().map(|token| (token, state.index)));
        }
        let log = self.raw.mut_store();
        if let Some(metadata) = output.snapshot.as_ref().and_then(|snapshot| snapshot.metadata.as_ref()) {
            log.reset(mark_of(metadata));
        }
        log.append(output.entries.clone());
        if self.config.plants.has(Plant::ConfChangeOnAppend) {
            self.early.note(&output.entries);
        }
        output.ready = ready;
        Some(output)
    }

    /// What an output asked for is on disk (if it had to be).
    pub fn persisted(&mut self, output: Output) -> AfterPersist {
        let mut light = self.raw.advance_append(output.ready);
        let mut messages = std::mem::take(&mut self.farewell);
        messages.extend(from_raft(self.config.id, light.take_messages()));
        AfterPersist { messages, committed: light.take_committed_entries() }
    }

    /// Hands committed entries to the state machine. Membership changes take effect on the way.
    ///
    /// # Errors
    /// When a membership change means nothing to this release, or an entry does not follow on the one before: neither it
    /// nor anything after it is handed over.
    pub fn deliver(
        &mut self,
        entries: Vec<eraftpb::Entry>,
        state_machine: &mut dyn StateMachine,
    ) -> Result<(), DriverError> {
        let Some((index, term)) = entries.last().map(|entry| (entry.index, entry.term)) else { return Ok(()) };
        let mut batch = Vec::with_capacity(entries.len());
        let after = self.log().delivered().index;
        for (mut entry, expected) in entries.into_iter().zip(after + 1..) {
            if entry.index != expected {
                let text = format!("entry {} is committed where {expected} is due", entry.index);
                return Err(DriverError::Log(text));
            }
            let kind = match entry.get_entry_type() {
                EntryType::EntryNormal => CommittedKind::Normal(std::mem::take(&mut entry.data)),
                EntryType::EntryConfChange | EntryType::EntryConfChangeV2 => {
                    if !batch.is_empty() {
                        state_machine.apply(std::mem::take(&mut batch));
                    }
                    self.change_membership(&entry, state_machine)?
                }
            };
            batch.push(Committed { index: entry.index, term: entry.term, kind });
        }
        state_machine.apply(batch);
        self.raw.mut_store().set_delivered(index, term);
        Ok(())
    }

    /// The state machine has applied what was delivered up to `index`, or more.
    pub fn note_applied(&mut self, index: u64) {
        self.raw.mut_store().set_applied(index);
    }

    /// Ends a turn: everything committed so far has been delivered.
    pub fn finish(&mut self) {
        self.raw.advance_apply();
        if self.config.plants.has(Plant::ConfChangeOnAppend) {
            self.carry_out_early();
        }
        self.settle();
    }

    /// Proposals given up since the last call.
    pub fn take_dropped(&mut self) -> Vec<Dropped> {
        self.held.take_dropped()
    }

    /// Membership changes given up since the last call.
    pub fn take_dropped_changes(&mut self) -> Vec<(Configuration, DropReason)> {
        self.held.take_dropped_changes()
    }

    /// Lets go of applied entries in memory, down to what followers may still need.
    pub fn compact_log(&mut self) {
        let conf = &self.log().delivered().conf_state;
        let alone = conf.voters.len() + conf.learners.len() + conf.voters_outgoing.len() <= 1;
        let bytes = if alone { self.config.catchup_bytes_alone } else { self.config.catchup_bytes };
        let entries = self.config.snapshot_catchup_entries;
        let needed = self.first_needed();
        self.raw.mut_store().compact(entries, bytes, needed);
    }

    fn log(&self) -> &MemoryLog {
        self.raw.store()
    }

    /// A leader answers reads only after it has committed an entry in its term; asking earlier would be in vain.
    fn start_reads(&mut self) {
        let raft = &self.raw.raft;
        let is_leader = raft.state == StateRole::Leader;
        if raft.leader_id == 0 || (is_leader && !raft.commit_to_current_term()) {
            return;
        }
        if let Some(context) = self.reads.start() {
            self.raw.read_index(context);
        }
    }

    fn leader_change(&mut self) -> Option<LeaderState> {
        let now = self.leader();
        let changed = now != self.leader;
        self.leader = now;
        changed.then_some(now)
    }

    /// After every input: decides how long to wait for a leader, and reacts to a change of leader.
    fn settle(&mut self) {
        if self.raw.raft.lead_transferee.is_some() {
            self.handed_over = self.raw.raft.term;
        }
        if self.patience.settle(&mut self.raw.raft) {
            // The old leader may be gone with the question.
            self.reads.give_up();
        }
        self.release_held();
    }
}

/// Where a snapshot goes to.
pub(crate) fn mark_of(metadata: &raftpb::SnapshotMetadata) -> SnapshotMark {
    SnapshotMark {
        index: metadata.index(),
        term: metadata.term(),
        conf_state: metadata.conf_state.clone().unwrap_or_default(),
    }
}
