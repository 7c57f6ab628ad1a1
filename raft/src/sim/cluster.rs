//! The scheduler: members, messages on their way, and what happens next.

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
use crate::bootstrap::{InitialMember, create_log};
use crate::config::Config;
use crate::handle::Input;
use crate::member::{Member, Parts};
use crate::observer::NoObserver;
use crate::random::Random;
use crate::state_machine::StopReason;
use crate::status::SharedStatus;
use crate::transport::Transport;
use crate::wal::{Metadata, Wal, WalError, WalOptions};

/// Messages on their way; more are lost.
const MAX_IN_FLIGHT: usize = 400;
/// Second copies kept back.
const MAX_LATE: usize = 60;
/// Rounds given to a healthy cluster to agree again.
const MAX_CALM_ROUNDS: usize = 400;

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

    fn restart(&mut self, at: usize) -> Result<(), String> {
        let configuration = self.configuration();
        let id = self.members[at].id;
        if self.members[at].running.is_some() || !(configuration.voters.is_empty() || contains(&configuration, id)) {
            return Ok(());
        }
        let options = self.options.clone();
        let member = &mut self.members[at];
        let disk = Arc::new(member.disk.clone());
        let wal_options = WalOptions {
            first_segment_bytes: 8 << 10,
            segment_bytes: 16 << 10,
            background: false,
            ..WalOptions::default()
        };
        let durable = member.memory.lock().durable as u64;
        let opened = match Wal::open(disk.clone(), wal_options.clone(), durable) {
            Err(WalError::NotFound(_)) if durable == 0 && member.boots == 0 => {
                let members = (1..=options.members).map(|id| InitialMember { id, context: Bytes::new() }).collect();
                create_log(disk, wal_options, Metadata { node_id: member.id, cluster_id: 1 }, members)
            }
            Err(WalError::SnapshotNeeded { index, .. }) if member.received.contains_key(&index) => {
                // What the server does: complete the installation that the crash interrupted.
                let conf_state = member.received.get(&index).cloned().unwrap_or_default();
                member.memory.lock().install(&self.history.lock(), index, conf_state);
                Wal::open(disk, wal_options, index)
            }
            other => other,
        };
        let (wal, recovered) = match opened {
            Ok(opened) => opened,
            // An injected fault; the next start has better luck.
            Err(WalError::Io { .. }) => {
                self.crash(at, Keep::Some);
                return Ok(());
            }
            Err(error) => return Err(format!("member {} cannot start: {error}", member.id)),
        };
        member.boots += 1;
        member.status = Arc::new(SharedStatus::new(member.id));
        let (applied, conf_state) = {
            let memory = member.memory.lock();
            let again = u64::from(options.plant == Plant::ApplyTwice);
            ((memory.durable as u64).saturating_sub(again), memory.durable_conf_state.clone())
        };
        let config = Config {
            boot_id: member.boots,
            seed: self.random.next_u64(),
            election_ticks: 5,
            snapshot_count: 15,
            snapshot_catchup_entries: 10,
            plant: options.plant,
            ..Config::new(member.id)
        };
        let parts = Parts {
            config,
            wal,
            recovered,
            applied,
            conf_state: (applied > 0).then_some(conf_state),
            state_machine: Machine { memory: Arc::clone(&member.memory), history: Arc::clone(&self.history) },
            transport: member.outbox.clone(),
            observer: NoObserver,
        };
        let mut running = Member::new(parts, Arc::clone(&member.status))
            .map_err(|error| format!("member {} cannot start: {error}", member.id))?;
        let outcome = running.start();
        member.running = Some(running);
        self.after_turn(at, &outcome);
        Ok(())
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

    fn check(&mut self) -> Result<(), String> {
        for member in &self.members {
            let mut memory = member.memory.lock();
            if let Some(problem) = memory.problem.take() {
                return Err(format!("member {}: {problem}", member.id));
            }
            for state in memory.leaders.drain(..) {
                if state.is_leader && *self.leaders.entry(state.term).or_insert(member.id) != member.id {
                    return Err(format!("two leaders in term {}", state.term));
                }
            }
        }
        let mut stale = None;
        let mut answered = 0;
        self.reads.retain_mut(|read| match read.answer.try_recv() {
            Ok(index) => {
                if index < read.at_least {
                    stale = Some(format!("a read at index {index}, when {} was acknowledged", read.at_least));
                }
                answered += 1;
                false
            }
            Err(oneshot::error::TryRecvError::Empty) => true,
            Err(oneshot::error::TryRecvError::Closed) => false,
        });
        self.summary.reads += answered;
        stale.map_or(Ok(()), Err)
    }

    /// Log matching: where two logs agree in index and term, they agree in everything before.
    fn check_logs(&self) -> Result<(), String> {
        for (i, a) in self.members.iter().enumerate() {
            for b in self.members.iter().skip(i + 1) {
                let (Some(a_run), Some(b_run)) = (&a.running, &b.running) else { continue };
                let mut matched = false;
                let mut index = a_run.driver.last_index().min(b_run.driver.last_index());
                while let (Some(x), Some(y)) = (a_run.driver.entry(index), b_run.driver.entry(index)) {
                    matched |= x.term() == y.term();
                    if matched && x != y {
                        return Err(format!("the logs of {} and {} differ at {index}", a.id, b.id));
                    }
                    index -= 1;
                }
            }
        }
        Ok(())
    }

    /// Everything works again: all members come to the same state, with everything acknowledged in it, and go on.
    fn calm_down(&mut self) -> Result<(), String> {
        self.blocked.clear();
        for member in &self.members {
            member.disk.set_faults(Faults::default());
        }
        let mut asked = false;
        for _ in 0..MAX_CALM_ROUNDS {
            for at in 0..self.members.len() {
                self.restart(at)?;
                self.with(at, |member, _| member.tick())?;
            }
            for _ in 0..20 {
                for message in std::mem::take(&mut self.in_flight) {
                    self.deliver(message)?;
                }
            }
            self.check()?;
            self.check_logs()?;
            let agreed = self.history.lock().entries.len();
            let configuration = self.configuration();
            let members = self.members.iter().filter(|member| contains(&configuration, member.id));
            let all = members.clone().all(|member| member.memory.lock().applied.len() == agreed);
            let leads = |member: &SimMember| {
                member.running.as_ref().map(|running| running.driver.leader()).filter(|state| state.is_leader)
            };
            let leader = members.filter_map(leads).max_by_key(|state| state.term).map(|state| state.leader);
            if all && asked {
                return Ok(());
            }
            if let Some(at) = leader.filter(|_| all).and_then(|id| self.index_of(id)) {
                asked = true;
                self.with(at, |member, _| member.input(Input::Propose(Bytes::from_static(b"last"))))?;
                if self.history.lock().entries.len() == agreed && self.members.len() == 1 {
                    return Err("a proposal to the only member was not applied at once".into());
                }
            }
        }
        let applied: Vec<_> = self.members.iter().map(|member| member.memory.lock().applied.len()).collect();
        let agreed = self.history.lock().entries.len();
        Err(format!("no agreement in {MAX_CALM_ROUNDS} rounds: {applied:?} of {agreed} applied"))
    }
}

fn contains(configuration: &ConfState, id: u64) -> bool {
    let ConfState { voters, learners, voters_outgoing, .. } = configuration;
    [voters, learners, voters_outgoing].iter().any(|ids| ids.contains(&id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(members: u64, seed: u64, plant: Plant) -> Result<Summary, Violation> {
        run_with(seed, SimulationOptions { members, steps: 1_500, membership: false, plant })
    }

    fn run_with(seed: u64, options: SimulationOptions) -> Result<Summary, Violation> {
        Simulation::new(seed, options).run()
    }

    fn seeds() -> u64 {
        std::env::var("KEYPORT_SIM_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(40)
    }

    fn holds(members: u64, membership: bool) {
        let mut total = Summary::default();
        for seed in 0..seeds() {
            let options = SimulationOptions { members, steps: 1_500, membership, plant: Plant::Nothing };
            let summary = run_with(seed, options).unwrap_or_else(|violation| panic!("{violation}"));
            total.applied += summary.applied;
            total.crashes += summary.crashes;
            total.reads += summary.reads;
            total.snapshots += summary.snapshots;
            total.terms += summary.terms;
        }
        println!("{members} members: {total:?}");
        assert!(total.applied > 0 && total.crashes > 0 && total.reads > 0);
    }

    /// Looks from a seed a little before the first that is known to find it, so that the suite stays quick.
    fn finds(members: u64, plant: Plant, from: u64) {
        let found = (from..from + 2_000).find_map(|seed| run(members, seed, plant).err());
        println!("{plant:?}: {}", found.expect("the planted bug was not found"));
    }

    #[test]
    fn one_member_keeps_its_promises() {
        holds(1, false);
    }

    #[test]
    fn three_members_keep_their_promises() {
        holds(3, false);
    }

    #[test]
    fn five_members_keep_their_promises() {
        holds(5, false);
    }

    #[test]
    fn changing_members_keep_their_promises() {
        holds(4, true);
    }

    #[test]
    fn a_seed_replays_exactly() {
        for seed in 0..5 {
            assert_eq!(run(3, seed, Plant::Nothing).unwrap(), run(3, seed, Plant::Nothing).unwrap());
        }
    }

    #[test]
    fn acknowledging_before_the_sync_is_found() {
        finds(1, Plant::AckBeforeSync, 0);
        finds(3, Plant::AckBeforeSync, 0);
    }

    #[test]
    fn applying_twice_is_found() {
        finds(1, Plant::ApplyTwice, 0);
    }

    #[test]
    fn reusing_a_read_context_is_found() {
        finds(3, Plant::ReuseReadContext, 0);
    }

    #[test]
    fn skipping_the_term_check_is_found() {
        finds(3, Plant::SkipTermCheck, 1_310);
    }
}
