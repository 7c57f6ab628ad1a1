//! The scheduler: members, messages on their way, and what happens next.

mod check;
mod start;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use keyport_api::raftpb::{ConfChange, ConfChangeType, ConfState, Message, MessageType};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::machine::{History, Machine, Memory};
use super::{Faults, Keep, Plant, SimDisk};
use crate::inbox::Input;
use crate::member::Member;
use crate::observer::NoObserver;
use crate::random::Random;
use crate::state_machine::StopReason;
use crate::status::SharedStatus;
use crate::transport::Transport;

/// Messages on their way; more are lost.
const MAX_IN_FLIGHT: usize = 400;
/// Second copies kept back.
const MAX_LATE: usize = 60;

/// What to simulate.
#[derive(Debug, Clone)]
pub struct SimulationOptions {
    /// Initial members.
    pub members: u64,
    /// Things that happen before calm returns.
    pub steps: usize,
    /// Members are removed, made learners and added again.
    pub membership: bool,
    /// A bug to find.
    pub plant: Plant,
}

/// An invariant was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Seed that leads to it.
    pub seed: u64,
    /// Step at which it was noticed.
    pub step: usize,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {} step {}: {}", self.seed, self.step, self.what)
    }
}

impl std::error::Error for Violation {}

/// What a run did; equal for equal seeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Entries that were committed and applied.
    pub applied: usize,
    /// Terms that had a leader.
    pub terms: usize,
    /// Crashes of members.
    pub crashes: usize,
    /// Read barriers answered.
    pub reads: usize,
    /// Snapshots that members sent each other.
    pub snapshots: usize,
    /// Folded over everything that was applied.
    pub hash: u64,
}

#[derive(Clone, Default)]
struct Outbox(Arc<Mutex<Vec<Message>>>);

impl Transport for Outbox {
    fn send(&self, messages: Vec<Message>) {
        self.0.lock().extend(messages);
    }
}

struct SimMember {
    id: u64,
    disk: SimDisk,
    memory: Arc<Mutex<Memory>>,
    running: Option<Member<Machine, Outbox, NoObserver>>,
    status: Arc<SharedStatus>,
    outbox: Outbox,
    boots: u64,
    /// Snapshots whose data has arrived (it comes before the message), with their configuration.
    received: BTreeMap<u64, ConfState>,
}

struct PendingRead {
    answer: oneshot::Receiver<u64>,
    /// What had been acknowledged when it was asked.
    at_least: u64,
}

/// One seeded run.
pub struct Simulation {
    seed: u64,
    options: SimulationOptions,
    random: Random,
    members: Vec<SimMember>,
    history: Arc<Mutex<History>>,
    in_flight: Vec<Message>,
    /// Second copies, which come when nobody expects them any more.
    late: Vec<Message>,
    blocked: BTreeSet<(u64, u64)>,
    reads: Vec<PendingRead>,
    leaders: BTreeMap<u64, u64>,
    proposals: u64,
    step: usize,
    summary: Summary,
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation").field("seed", &self.seed).field("step", &self.step).finish_non_exhaustive()
    }
}

impl Simulation {
    /// Sets up a cluster that has not started yet.
    pub fn new(seed: u64, options: SimulationOptions) -> Simulation {
        let mut random = Random::new(seed);
        let members = (1..=options.members)
            .map(|id| SimMember {
                id,
                disk: SimDisk::new(random.next_u64()),
                memory: Arc::default(),
                running: None,
                status: Arc::default(),
                outbox: Outbox::default(),
                boots: 0,
                received: BTreeMap::new(),
            })
            .collect();
        Simulation {
            seed,
            options,
            random,
            members,
            history: Arc::default(),
            in_flight: Vec::new(),
            late: Vec::new(),
            blocked: BTreeSet::new(),
            reads: Vec::new(),
            leaders: BTreeMap::new(),
            proposals: 0,
            step: 0,
            summary: Summary::default(),
        }
    }

    /// Runs it to its end.
    pub fn run(mut self) -> Result<Summary, Violation> {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.run_all()));
        let what = match outcome {
            Ok(Ok(())) => return Ok(self.summary),
            Ok(Err(what)) => what,
            Err(panic) => format!("panic: {}", crate::node::panic_message(panic.as_ref())),
        };
        Err(Violation { seed: self.seed, step: self.step, what })
    }

    fn run_all(&mut self) -> Result<(), String> {
        while self.step < self.options.steps {
            self.step += 1;
            self.one_step()?;
            if self.options.membership {
                self.stop_removed();
            }
            self.check()?;
            if self.step.is_multiple_of(32) {
                self.check_logs()?;
            }
        }
        self.calm_down()?;
        self.summary.terms = self.leaders.len();
        let history = self.history.lock();
        self.summary.applied = history.entries.len();
        self.summary.hash = history.entries.iter().fold(0, |hash, entry| {
            let text = format!("{entry:?}");
            u64::from(crc32c::crc32c_append(u32::try_from(hash).unwrap_or_default(), text.as_bytes()))
        });
        Ok(())
    }

    fn one_step(&mut self) -> Result<(), String> {
        match self.random.below(100) {
            0..38 => {
                for _ in 0..=self.random.below(4) {
                    self.deliver_one()?;
                }
                Ok(())
            }
            38..60 => self.with_random(|member, _| member.tick()),
            60..77 => {
                self.proposals += 1;
                let mut data = format!("{}-", self.proposals).into_bytes();
                data.resize(data.len() + self.random.index(900), b'x');
                self.with_random(|member, _| member.input(Input::Propose(Bytes::from(data))))
            }
            77..82 => self.read(),
            82..84 => self.crash_random(),
            84..92 => self.restart_random(),
            92..93 => {
                self.plan_faults();
                Ok(())
            }
            93..95 => {
                self.change_partition();
                Ok(())
            }
            95..97 => {
                if let Some(at) = self.pick() {
                    self.members[at].memory.lock().flush();
                }
                Ok(())
            }
            97 if self.options.membership => self.change_membership(),
            _ => {
                let to = self.random.below(self.options.members) + 1;
                self.with_random(|member, random| {
                    member.input(if random.chance(50) { Input::Campaign } else { Input::TransferLeader(to) });
                })
            }
        }
    }

    fn pick(&mut self) -> Option<usize> {
        let at = self.random.index(self.members.len());
        (at < self.members.len()).then_some(at)
    }

    /// Lets a random member take an input and a turn.
    fn with_random(
        &mut self,
        act: impl FnOnce(&mut Member<Machine, Outbox, NoObserver>, &mut Random),
    ) -> Result<(), String> {
        match self.pick() {
            Some(at) => self.with(at, act),
            None => Ok(()),
        }
    }

    fn with(
        &mut self,
        at: usize,
        act: impl FnOnce(&mut Member<Machine, Outbox, NoObserver>, &mut Random),
    ) -> Result<(), String> {
        let Some(member) = self.members[at].running.as_mut() else { return Ok(()) };
        act(member, &mut self.random);
        let outcome = member.turn();
        self.after_turn(at, &outcome);
        Ok(())
    }

    fn after_turn(&mut self, at: usize, outcome: &Result<(), StopReason>) {
        let sent = std::mem::take(&mut *self.members[at].outbox.0.lock());
        for message in sent {
            if self.random.chance(8) && message.r#type() != MessageType::MsgSnap {
                self.late.push(message.clone());
            }
            self.in_flight.push(message);
        }
        if self.late.len() > MAX_LATE {
            let lost = self.random.index(self.late.len());
            self.late.swap_remove(lost);
        }
        while self.in_flight.len() > MAX_IN_FLIGHT {
            let lost = self.random.index(self.in_flight.len());
            let lost = self.in_flight.swap_remove(lost);
            self.lose(&lost);
        }
        if outcome.is_err() {
            // The process ends itself; what a failed sync left undone is undone.
            self.crash(at, Keep::Some);
        }
    }

    fn deliver_one(&mut self) -> Result<(), String> {
        if !self.late.is_empty() && self.random.chance(5) {
            let at = self.random.index(self.late.len());
            let message = self.late.swap_remove(at);
            return self.deliver(message);
        }
        if self.in_flight.is_empty() {
            return Ok(());
        }
        let at = self.random.index(self.in_flight.len());
        let message = if self.random.chance(4) { self.in_flight[at].clone() } else { self.in_flight.swap_remove(at) };
        if self.random.chance(4) {
            self.lose(&message);
            return Ok(());
        }
        self.deliver(message)
    }

    fn deliver(&mut self, message: Message) -> Result<(), String> {
        let (from, to) = (message.from(), message.to());
        let Some(at) = self.index_of(to).filter(|at| self.members[*at].running.is_some()) else {
            self.lose(&message);
            return Ok(());
        };
        if self.blocked.contains(&(from, to)) {
            self.lose(&message);
            return Ok(());
        }
        if message.r#type() == MessageType::MsgSnap {
            self.summary.snapshots += 1;
            let metadata = message.snapshot.clone().unwrap_or_default().metadata.unwrap_or_default();
            let conf_state = metadata.conf_state.clone().unwrap_or_default();
            self.members[at].received.insert(metadata.index(), conf_state);
            self.report_snapshot(from, to, true)?;
        }
        self.with(at, |member, _| member.input(Input::Message(Box::new(message))))
    }

    fn lose(&mut self, message: &Message) {
        if message.r#type() == MessageType::MsgSnap {
            // A failing report is a crash, which is noticed on its own.
            let _ = self.report_snapshot(message.from(), message.to(), false);
        }
    }

    fn report_snapshot(&mut self, sender: u64, to: u64, delivered: bool) -> Result<(), String> {
        match self.index_of(sender) {
            Some(at) => self.with(at, |member, _| member.input(Input::ReportSnapshot { to, delivered })),
            None => Ok(()),
        }
    }

    fn index_of(&self, id: u64) -> Option<usize> {
        self.members.iter().position(|member| member.id == id)
    }

    fn read(&mut self) -> Result<(), String> {
        let at_least = self.history.lock().entries.len() as u64;
        let (send, answer) = oneshot::channel();
        let Some(at) = self.pick().filter(|at| self.members[*at].running.is_some()) else { return Ok(()) };
        let status = &self.members[at].status;
        if status.single_voter_leader.load(Ordering::Acquire) {
            // What the handle answers without asking.
            let _ = send.send(status.commit.load(Ordering::Acquire));
            self.reads.push(PendingRead { answer, at_least });
            return Ok(());
        }
        self.reads.push(PendingRead { answer, at_least });
        self.with(at, |member, _| member.input(Input::ReadIndex(send)))
    }

    fn change_membership(&mut self) -> Result<(), String> {
        let kind = match self.random.below(4) {
            0 => ConfChangeType::ConfChangeRemoveNode,
            1 => ConfChangeType::ConfChangeAddLearnerNode,
            _ => ConfChangeType::ConfChangeAddNode,
        };
        let change = ConfChange {
            id: Some(self.step as u64),
            r#type: Some(kind as i32),
            node_id: Some(self.random.below(self.options.members) + 1),
            context: None,
        };
        self.with_random(|member, _| member.input(Input::ProposeConfChange(change)))
    }

    /// The configuration after everything that was applied anywhere.
    fn configuration(&self) -> ConfState {
        let newest = self.members.iter().max_by_key(|member| member.memory.lock().applied.len());
        newest.map(|member| member.memory.lock().conf_state.clone()).unwrap_or_default()
    }

    /// A member that has been removed ends itself, as the server does.
    fn stop_removed(&mut self) {
        for at in 0..self.members.len() {
            let member = &self.members[at];
            let gone = {
                let memory = member.memory.lock();
                !memory.applied.is_empty() && !contains(&memory.conf_state, member.id)
            };
            if gone && member.running.is_some() && self.random.chance(20) {
                self.crash(at, Keep::All);
            }
        }
    }

    fn crash_random(&mut self) -> Result<(), String> {
        let keep = match self.random.below(3) {
            0 => Keep::All,
            1 => Keep::Nothing,
            _ => Keep::Some,
        };
        if let Some(at) = self.pick() {
            self.crash(at, keep);
        }
        Ok(())
    }

    fn crash(&mut self, at: usize, keep: Keep) {
        let member = &mut self.members[at];
        if member.running.take().is_some() {
            self.summary.crashes += 1;
        }
        member.disk.crash(keep);
        member.memory.lock().crash();
    }

    fn restart_random(&mut self) -> Result<(), String> {
        match self.pick() {
            Some(at) => self.restart(at),
            None => Ok(()),
        }
    }

    fn plan_faults(&mut self) {
        let Some(at) = self.pick() else { return };
        let mut soon = || Some(u32::try_from(self.random.below(12)).unwrap_or_default());
        let mut faults = Faults { short_writes: true, ..Faults::default() };
        match soon() {
            Some(0..4) => faults.fail_write = soon(),
            Some(4..8) => faults.fail_sync = soon(),
            Some(8..10) => faults.room = soon().map(|n| 500 * n as usize),
            _ => {}
        }
        self.members[at].disk.set_faults(faults);
    }

    fn change_partition(&mut self) {
        self.blocked.clear();
        if self.random.chance(50) {
            return;
        }
        let ids: Vec<_> = self.members.iter().map(|member| member.id).collect();
        let side: Vec<_> = ids.iter().filter(|_| self.random.chance(40)).copied().collect();
        let asymmetric = self.random.chance(30);
        for from in &ids {
            for to in &ids {
                if side.contains(from) && !side.contains(to) {
                    self.blocked.insert((*from, *to));
                    if !asymmetric {
                        self.blocked.insert((*to, *from));
                    }
                }
            }
        }
    }
}

fn contains(configuration: &ConfState, id: u64) -> bool {
    let ConfState { voters, learners, voters_outgoing, .. } = configuration;
    [voters, learners, voters_outgoing].iter().any(|ids| ids.contains(&id))
}
