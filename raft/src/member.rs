//! One member without its thread: a driver, a log, a state machine and a transport, and what a turn does with them.
//!
//! The thread in [`crate::node`] feeds it from a queue and a clock; the simulation feeds it from a scheduler.

mod forwarded;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use keyport_api::raftpb;
use keyport_api::raftpb::MessageType;
use raft::eraftpb::EntryType;
use tokio::sync::oneshot;

use crate::config::Config;
use crate::convert;
use crate::driver::{Driver, DriverError, Output, ReadToken, StepError, mark_of};
use crate::inbox::Input;
use crate::observer::Observer;
use crate::plant::{Plant, Plants};
use crate::state_machine::{LeaderState, StateMachine, StopReason};
use crate::status::SharedStatus;
use crate::transport::Transport;
use crate::wal::{EntryRef, Recovered, SnapshotMark, Wal, WalError};

/// What a member is made of.
#[derive(Debug)]
pub struct Parts<S, T, O> {
    /// Settings.
    pub config: Config,
    /// The log, as opened or created.
    pub wal: Wal,
    /// What it held.
    pub recovered: Recovered,
    /// Last index that the state machine has; entries up to it are not applied again.
    pub applied: u64,
    /// The configuration that the state machine stored with it. Without: derived from the log.
    pub conf_state: Option<raftpb::ConfState>,
    /// The replicated state.
    pub state_machine: S,
    /// The way to the peers.
    pub transport: T,
    /// Metrics.
    pub observer: O,
}

pub(crate) struct Member<S, T, O> {
    pub(crate) driver: Driver,
    pub(crate) wal: Wal,
    pub(crate) state_machine: S,
    transport: T,
    observer: O,
    status: Arc<SharedStatus>,
    waiters: Waiters,
    snapshots: Snapshots,
    /// Proposals gathered since the last turn.
    batch: Vec<Bytes>,
    batch_bytes: usize,
    /// What a peer knows of this log that is not true any more.
    lost: Option<StopReason>,
    plants: Plants,
}

impl<S: StateMachine, T: Transport, O: Observer> Member<S, T, O> {
    pub(crate) fn new(parts: Parts<S, T, O>, status: Arc<SharedStatus>) -> Result<Self, DriverError> {
        let Parts { config, wal, recovered, applied, conf_state, state_machine, transport, observer } = parts;
        let snapshots = Snapshots { count: config.snapshot_count, last: recovered.snapshot.index, pending: None };
        let plants = config.plants;
        let driver = Driver::new(config, recovered, applied, conf_state)?;
        let member = Member {
            driver,
            wal,
            state_machine,
            transport,
            observer,
            status,
            waiters: Waiters::default(),
            snapshots,
            batch: Vec::new(),
            batch_bytes: 0,
            lost: None,
            plants,
        };
        member.publish();
        Ok(member)
    }

    /// The first turns: what was committed before is delivered, and a sole voter does not wait to become leader.
    pub(crate) fn start(&mut self) -> Result<(), StopReason> {
        self.turn()?;
        if self.driver.is_only_voter() {
            self.driver.campaign();
            self.turn()?;
        }
        Ok(())
    }

    /// Takes an input; nothing happens before the next turn.
    pub(crate) fn input(&mut self, input: Input) {
        if let Input::Propose(data) = input {
            self.batch_bytes += data.len();
            self.batch.push(data);
            return;
        }
        self.propose_batch();
        match input {
            Input::Propose(_) => {}
            Input::ProposeInTerm { data, .. } if self.plants.has(Plant::HeldDecision) => {
                self.driver.propose(vec![data])
            }
            Input::ProposeInTerm { term, data } => self.driver.propose_in_term(term, data),
            Input::ProposeConfChange(change) => {
                self.look_for_leader();
                self.driver.propose_conf_change(&change);
            }
            Input::Message(message) if self.brings_entries(&message) && !self.state_machine.has_room() => {
                self.observer.entries_refused(message.from());
            }
            Input::Message(mut message) => {
                if self.keep_understood(&mut message) {
                    self.step(*message);
                }
            }
            Input::ReadIndex(answer) => self.driver.read_index(self.waiters.add(answer)),
            // Whoever does not wait any more does not need it.
            Input::Progress(answer) => drop(answer.send(self.driver.progress())),
            Input::TransferLeader(to) => self.driver.transfer_leader(to),
            Input::Campaign => self.driver.campaign(),
            Input::AdvanceTicks(ticks) => {
                if self.driver.leader().leader == 0 {
                    (0..ticks).for_each(|_| self.driver.tick());
                }
            }
            Input::ReportUnreachable(peer) => self.driver.report_unreachable(peer),
            Input::ReportDown(peer) => self.driver.peer_is_down(peer),
            Input::ReportSnapshot { to, delivered } => self.driver.report_snapshot(to, delivered),
        }
    }

    fn step(&mut self, message: raftpb::Message) {
        let is_current = message.term() >= self.driver.leader().term;
        match self.driver.step(message) {
            // Only a leader says so, of what this member has acknowledged.
            Err(StepError::Ahead { index, last }) if is_current => {
                self.lost = Some(StopReason::LogLost { index, last });
            }
            Err(error) => tracing::warn!(%error, "refused a message from a peer"),
            Ok(()) => {}
        }
    }

    /// Whether a message makes the log longer. (The context of a question for the read index travels as an entry.)
    fn brings_entries(&self, message: &raftpb::Message) -> bool {
        let kind = message.r#type();
        let appends = matches!(kind, MessageType::MsgApp | MessageType::MsgProp);
        !message.entries.is_empty() && (appends || self.plants.has(Plant::FullRefusesReads))
    }

    /// Bytes of proposals gathered since the last turn.
    pub(crate) fn batch_bytes(&self) -> usize {
        self.batch_bytes
    }

    /// One tick of the clock has passed.
    pub(crate) fn tick(&mut self) {
        self.look_for_leader();
        self.propose_batch();
        self.waiters.forget_closed();
        let waiters = &self.waiters;
        self.driver.retain_reads(|token| waiters.0.contains_key(&token));
        self.snapshots.remind(&mut self.state_machine);
        let retries = self.driver.read_retries();
        self.driver.tick();
        if self.driver.read_retries() > retries {
            self.observer.read_index_retried();
        }
    }

    /// The tick was due so much earlier. What a leader does not say in time may cost it the election.
    pub(crate) fn late(&mut self, by: Duration) {
        if self.driver.leader().is_leader && !self.driver.is_only_voter() {
            self.observer.heartbeats_late(by);
        }
    }

    /// Does everything that the inputs so far lead to.
    pub(crate) fn turn(&mut self) -> Result<(), StopReason> {
        if let Some(lost) = self.lost.take() {
            return Err(lost);
        }
        self.note_applied();
        self.propose_batch();
        loop {
            if let Some(failure) = self.state_machine.failure() {
                return Err(StopReason::StateMachine(failure));
            }
            let Some(output) = self.driver.ready() else { break };
            self.carry_out(output)?;
        }
        if self.snapshots.due(&self.state_machine) {
            // Nothing else is being written.
            self.write_and_sync(true)?;
        }
        let dropped = self.driver.take_dropped();
        if !dropped.is_empty() {
            self.observer.proposals_dropped(dropped.len());
            dropped.into_iter().for_each(|(data, reason)| self.state_machine.dropped(data, reason));
        }
        for (change, reason) in self.driver.take_dropped_changes() {
            self.observer.proposals_dropped(1);
            self.state_machine.conf_change_dropped(change, reason);
        }
        self.note_applied();
        self.driver.compact_log();
        self.status.first_index.store(self.driver.first_index(), Ordering::Release);
        self.status.is_full.store(!self.state_machine.has_room(), Ordering::Release);
        Ok(())
    }

    fn note_applied(&mut self) {
        self.driver.note_applied(self.state_machine.applied_index());
    }

    /// Writes down what an orderly end leaves behind.
    pub(crate) fn stop(&mut self) -> Result<(), StopReason> {
        self.turn()?;
        self.push_state(None);
        self.write_and_sync(true)
    }

    /// A leader that died a moment ago still counts as the leader; what is passed on to it would be lost.
    fn look_for_leader(&mut self) {
        let LeaderState { leader, is_leader, .. } = self.driver.leader();
        if leader != 0 {
            self.driver.leader_is_reachable(is_leader || self.transport.reaches(leader));
        }
    }

    fn propose_batch(&mut self) {
        if !self.batch.is_empty() {
            self.look_for_leader();
            self.batch_bytes = 0;
            self.driver.propose(std::mem::take(&mut self.batch));
        }
    }

    fn carry_out(&mut self, mut output: Output) -> Result<(), StopReason> {
        self.send(std::mem::take(&mut output.messages))?;
        if let Some(other) = output.leader.filter(|state| !state.is_leader) {
            self.announce(other);
        }
        self.deliver(std::mem::take(&mut output.committed))?;
        // They need nothing that is still to be written.
        self.answer_reads(std::mem::take(&mut output.reads));

        let installed = output.snapshot.as_ref().and_then(|snapshot| snapshot.metadata.as_ref()).map(mark_of);
        let recorded = installed.as_ref().filter(|_| !self.plants.has(Plant::SnapshotWithoutRecord));
        if let Some(mark) = recorded {
            self.wal.install_snapshot(mark)?;
        }
        for entry in &output.entries {
            let kind = convert::entry_kind(entry);
            self.wal.push_entry(EntryRef { kind, term: entry.term, index: entry.index, data: &entry.data });
        }
        if output.hard_state.is_some() || !output.entries.is_empty() {
            self.push_state(output.hard_state);
        }
        self.write_and_sync(output.must_sync)?;
        if let Some(itself) = output.leader.filter(|state| state.is_leader) {
            // A sole voter leads before its vote is written; a crash would make room for another leader of that term.
            self.announce(itself);
        }
        if !output.entries.is_empty() {
            self.observer.entries_persisted(output.entries.len());
        }
        if let Some(mark) = installed {
            self.wal.release(mark.index);
            self.snapshots.installed(mark.index);
            let snapshot = output.snapshot.take().unwrap_or_default();
            self.state_machine.install_snapshot(snapshot).map_err(StopReason::Snapshot)?;
        }

        let persisted_messages = std::mem::take(&mut output.persisted_messages);
        let after = self.driver.persisted(output);
        self.send(persisted_messages)?;
        self.send(after.messages)?;
        self.deliver(after.committed)?;
        self.driver.finish();
        self.publish();
        Ok(())
    }

    fn answer_reads(&mut self, reads: Vec<(ReadToken, u64)>) {
        if !reads.is_empty() {
            self.publish_commit();
            reads.into_iter().for_each(|(token, index)| self.waiters.answer(token, index));
        }
    }

    fn announce(&mut self, state: LeaderState) {
        // Who is told may look at once, and must not find the leader of before.
        self.status.leader.store(state.leader, Ordering::Release);
        self.status.term.store(state.term, Ordering::Release);
        self.state_machine.leader_changed(state);
    }

    fn deliver(&mut self, committed: Vec<raft::eraftpb::Entry>) -> Result<(), StopReason> {
        if committed.is_empty() {
            return Ok(());
        }
        let is_change = |entry: &&raft::eraftpb::Entry| entry.get_entry_type() != EntryType::EntryNormal;
        if let Some(change) = committed.iter().rfind(is_change) {
            self.keep_committed(change.index)?;
        }
        // Who is answered for one of these may look at once, and must not find it applied but not committed.
        self.status.commit.store(self.driver.commit(), Ordering::Release);
        let delivered = self.driver.deliver(committed, &mut self.state_machine);
        delivered.map_err(|error| StopReason::StateMachine(error.to_string()))?;
        self.snapshots.delivered(self.driver.delivered(), &mut self.state_machine);
        Ok(())
    }

    fn send(&mut self, messages: Vec<raftpb::Message>) -> Result<(), StopReason> {
        if messages.is_empty() {
            return Ok(());
        }
        self.keep_committed(self.driver.committed_change())?;
        if !self.plants.has(Plant::CommitToldLate) {
            self.publish_commit();
        }
        self.transport.send(messages);
        Ok(())
    }

    /// The disk knows that a membership change is committed before anybody hears of that, and before it is carried out
    /// here. Who is removed ends for good; a member that forgot in a crash what was committed could wait for that vote
    /// for ever.
    fn keep_committed(&mut self, change: u64) -> Result<(), StopReason> {
        if change > self.wal.hard_state().commit() {
            let state = raftpb::HardState { commit: Some(change), ..self.driver.hard_state() };
            self.push_state(Some(state));
            self.write_and_sync(true)?;
        }
        Ok(())
    }

    /// Pushes term, vote and commit index if they say anything new.
    fn push_state(&mut self, state: Option<raftpb::HardState>) {
        let (state, written) = (state.unwrap_or_else(|| self.driver.hard_state()), self.wal.hard_state());
        if state.term() != written.term() || state.vote() != written.vote() || state.commit() > written.commit() {
            self.wal.push_state(state);
        }
    }

    fn write_and_sync(&mut self, must_sync: bool) -> Result<(), StopReason> {
        let must_sync = must_sync && !self.plants.has(Plant::AckBeforeSync);
        let mark = self.snapshots.take_due(&self.state_machine);
        if let Some(mark) = &mark {
            self.wal.push_snapshot(mark);
        }
        let start = Instant::now();
        let bytes = self.wal.write().map_err(StopReason::Wal)?;
        if bytes > 0 {
            self.observer.wal_written(bytes, start.elapsed());
        }
        if must_sync || mark.is_some() {
            let start = Instant::now();
            self.wal.sync().map_err(StopReason::Wal)?;
            self.observer.wal_synced(start.elapsed());
        }
        if let Some(mark) = mark {
            self.wal.release(mark.index);
            self.observer.snapshot_recorded(mark.index);
        }
        Ok(())
    }

    /// What anybody can learn from messages of this member, its own process knows before: whoever acts on the commit
    /// index (reads, renewals of leases) must not be behind what another member has already answered for.
    fn publish_commit(&self) {
        let status = &self.status;
        if !self.driver.is_single_voter_leader() {
            status.single_voter_leader.store(false, Ordering::Release);
        }
        status.handed_over.store(self.driver.handed_over(), Ordering::Release);
        status.commit.store(self.driver.commit(), Ordering::Release);
        status.told.store(self.driver.commit(), Ordering::Release);
    }

    fn publish(&self) {
        let status = &self.status;
        let is_alone = self.driver.is_single_voter_leader();
        if is_alone && status.single_voter_leader.load(Ordering::Relaxed) {
            // Others hear of it with the next messages, if there are others at all.
            status.commit.store(self.driver.commit(), Ordering::Release);
        } else {
            self.publish_commit();
        }
        let leader = self.driver.leader();
        status.leader.store(leader.leader, Ordering::Release);
        status.term.store(leader.term, Ordering::Release);
        status.last_index.store(self.driver.last_index(), Ordering::Release);
        let delivered = self.driver.delivered();
        if *status.conf_state.read() != delivered.conf_state {
            status.is_learner.store(delivered.conf_state.learners.contains(&status.id), Ordering::Release);
            *status.conf_state.write() = delivered.conf_state.clone();
        }
        status.applied.store(delivered.index, Ordering::Release);
        // Last: it says that all the rest can be relied on.
        status.single_voter_leader.store(is_alone, Ordering::Release);
    }
}

/// When the log may begin later.
struct Snapshots {
    count: u64,
    last: u64,
    /// To be recorded as soon as the state machine has it durably.
    pending: Option<SnapshotMark>,
}

impl Snapshots {
    fn delivered(&mut self, delivered: &SnapshotMark, state_machine: &mut dyn StateMachine) {
        if self.pending.is_none() && delivered.index >= self.last.saturating_add(self.count) {
            self.pending = Some(delivered.clone());
            state_machine.request_flush();
        }
    }

    /// What was applied later than the first request may have missed the flush.
    fn remind(&self, state_machine: &mut dyn StateMachine) {
        if self.pending.is_some() && !self.due(state_machine) {
            state_machine.request_flush();
        }
    }

    fn installed(&mut self, index: u64) {
        self.last = index;
        self.pending = None;
    }

    fn due(&self, state_machine: &dyn StateMachine) -> bool {
        self.pending.as_ref().is_some_and(|mark| mark.index <= state_machine.durable_index())
    }

    fn take_due(&mut self, state_machine: &dyn StateMachine) -> Option<SnapshotMark> {
        let mark = if self.due(state_machine) { self.pending.take() } else { None };
        self.last = mark.as_ref().map_or(self.last, |mark| mark.index);
        mark
    }
}

/// Who waits for a read barrier.
#[derive(Default)]
struct Waiters(std::collections::HashMap<ReadToken, oneshot::Sender<u64>>, ReadToken);

impl Waiters {
    fn add(&mut self, answer: oneshot::Sender<u64>) -> ReadToken {
        self.1 += 1;
        self.0.insert(self.1, answer);
        self.1
    }

    fn answer(&mut self, token: ReadToken, index: u64) {
        if let Some(waiter) = self.0.remove(&token) {
            // Whoever does not wait any more does not need it.
            let _ = waiter.send(index);
        }
    }

    fn forget_closed(&mut self) {
        self.0.retain(|_, waiter| !waiter.is_closed());
    }
}

/// The log failed: nothing more can be promised.
impl From<WalError> for StopReason {
    fn from(error: WalError) -> StopReason {
        StopReason::Wal(error)
    }
}
