//! A member's process: what it is fed, its turns, and how it stops.
//!
//! A turn runs at once, except when its sync is to take long: then it runs on a thread of its own up to that sync and
//! waits there, so that what comes before the sync has happened and what comes after has not. Only one thread ever
//! runs: the scheduler waits for the other one to reach the sync, or the end of the turn.

use std::collections::{BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use keyport_api::raftpb::Message;
use parking_lot::Mutex;

use super::Simulation;
use super::known_log::KnownLog;
use crate::inbox::Input;
use crate::member::Member;
use crate::observer::NoObserver;
use crate::sim::disk::Gate;
use crate::sim::machine::{Machine, Memory};
use crate::sim::{Keep, SimDisk};
use crate::state_machine::StopReason;
use crate::status::SharedStatus;
use crate::transport::Transport;

/// Inputs that wait for a member; more are lost.
const MAX_QUEUE: usize = 300;

pub(super) type Process = Member<Machine, Outbox, NoObserver>;

/// What a member has sent in its turn.
#[derive(Clone)]
pub(super) struct Outbox {
    messages: Arc<Mutex<Vec<Message>>>,
    /// Who does not run, as far as that is noticed: their connections are closed.
    gone: Arc<Mutex<BTreeSet<u64>>>,
    disk: SimDisk,
}

impl Transport for Outbox {
    fn send(&self, messages: Vec<Message>) {
        if self.disk.effect() {
            self.messages.lock().extend(messages);
        }
    }

    fn reaches(&self, peer: u64) -> bool {
        !self.gone.lock().contains(&peer)
    }
}

pub(super) enum Run {
    Down,
    Up(Box<Process>),
    /// In the middle of a turn.
    Syncing(Syncing),
}

type Turned = (Box<Process>, Result<(), StopReason>);

pub(super) struct Syncing {
    go: Sender<bool>,
    outcome: Receiver<Result<Turned, String>>,
    until: usize,
}

pub(super) struct SimMember {
    pub(super) id: u64,
    pub(super) disk: SimDisk,
    pub(super) memory: Arc<Mutex<Memory>>,
    pub(super) run: Run,
    pub(super) status: Arc<SharedStatus>,
    pub(super) outbox: Outbox,
    /// Starts so far.
    pub(super) boots: u64,
    pub(super) queue: VecDeque<Input>,
    /// It gets no time until this step.
    pub(super) paused_until: usize,
    /// Steps that the next sync takes.
    pub(super) slow_sync: usize,
    /// Ticks for each tick of a correct clock, in percent.
    pub(super) clock: u64,
    pub(super) known: KnownLog,
}

impl SimMember {
    pub(super) fn new(id: u64, seed: u64) -> SimMember {
        let disk = SimDisk::new(seed);
        SimMember {
            id,
            outbox: Outbox { messages: Arc::default(), gone: Arc::default(), disk: disk.clone() },
            disk,
            memory: Arc::default(),
            run: Run::Down,
            status: Arc::default(),
            boots: 0,
            queue: VecDeque::new(),
            paused_until: 0,
            slow_sync: 0,
            clock: 100,
            known: KnownLog::default(),
        }
    }

    pub(super) fn is_running(&self) -> bool {
        !matches!(self.run, Run::Down)
    }

    /// The process, unless it is in the middle of a turn.
    pub(super) fn process(&self) -> Option<&Process> {
        match &self.run {
            Run::Up(process) => Some(process),
            Run::Down | Run::Syncing(_) => None,
        }
    }
}

fn work(process: &mut Process, inputs: VecDeque<Input>, ticks: usize) -> Result<(), StopReason> {
    inputs.into_iter().for_each(|input| process.input(input));
    process.turn()?;
    for _ in 0..ticks {
        process.state_machine.memory.lock().lessor.tick();
        process.tick();
        process.turn()?;
    }
    Ok(())
}

impl Simulation {
    /// Queues an input, and mostly lets the member take its turn.
    pub(super) fn give(&mut self, at: usize, input: Input) -> Result<(), String> {
        let member = &mut self.members[at];
        if !member.is_running() || member.queue.len() >= MAX_QUEUE {
            return Ok(());
        }
        member.queue.push_back(input);
        if self.random.chance(self.weather.gather) { Ok(()) } else { self.turn(at, 0) }
    }

    /// A turn with everything that is queued, and then with so many ticks.
    pub(super) fn turn(&mut self, at: usize, ticks: usize) -> Result<(), String> {
        let gone = self.members.iter().filter(|member| !member.is_running()).map(|member| member.id).collect();
        *self.members[at].outbox.gone.lock() = gone;
        let member = &mut self.members[at];
        if member.paused_until > self.step || !matches!(member.run, Run::Up(_)) {
            return Ok(());
        }
        let Run::Up(mut process) = std::mem::replace(&mut member.run, Run::Down) else { return Ok(()) };
        let inputs = std::mem::take(&mut member.queue);
        let steps = std::mem::take(&mut member.slow_sync);
        if steps == 0 {
            let outcome = work(&mut process, inputs, ticks);
            member.run = Run::Up(process);
            return self.after_turn(at, &outcome);
        }
        let (reached, arrival) = channel();
        let (go, wait) = channel();
        let (done, outcome) = channel();
        member.disk.slow_sync(Gate { reached, go: wait });
        let disk = member.disk.clone();
        std::thread::spawn(move || {
            let turned = catch_unwind(AssertUnwindSafe(|| work(&mut process, inputs, ticks)));
            drop(disk.take_gate());
            let turned = turned.map_err(|panic| crate::node::panic_message(panic.as_ref()));
            // A scheduler that is gone does not need it.
            let _ = done.send(turned.map(|turned| (process, turned)));
        });
        if arrival.recv().is_ok() {
            member.run = Run::Syncing(Syncing { go, outcome, until: self.step + steps });
            self.summary.slow_syncs += 1;
            let id = member.id;
            self.say(|| format!("member {id}: a sync begins that takes {steps} steps"));
            self.take_outbox(at)?;
            return self.look_at_memory(at);
        }
        self.turned(at, &outcome)
    }

    fn turned(&mut self, at: usize, outcome: &Receiver<Result<Turned, String>>) -> Result<(), String> {
        let turned = outcome.recv().map_err(|_| "a turn ended without an outcome".to_owned())?;
        let (process, outcome) = turned.map_err(|panic| format!("panic: {panic}"))?;
        self.members[at].run = Run::Up(process);
        self.after_turn(at, &outcome)
    }

    pub(super) fn after_turn(&mut self, at: usize, outcome: &Result<(), StopReason>) -> Result<(), String> {
        self.take_outbox(at)?;
        self.look_at_memory(at)?;
        let off = self.members[at].disk.is_off();
        self.summary.power_failures += usize::from(off);
        if outcome.is_err() || off {
            // The process ends itself, and the machine may too; what a failed sync left undone is undone.
            let keep = self.any_keep();
            return self.crash(at, keep);
        }
        self.look_at_log(at)?;
        let works = if self.random.chance(self.weather.prompt) { usize::MAX } else { 0 };
        self.apply_some(at, works)
    }

    fn take_outbox(&mut self, at: usize) -> Result<(), String> {
        let sent = std::mem::take(&mut *self.members[at].outbox.messages.lock());
        sent.into_iter().for_each(|message| self.send(at, message));
        Ok(())
    }

    /// Pauses and slow syncs that are over.
    pub(super) fn wake(&mut self) -> Result<(), String> {
        for at in 0..self.members.len() {
            let (step, member) = (self.step, &mut self.members[at]);
            match &member.run {
                Run::Syncing(syncing) if syncing.until <= step => self.end_sync(at, true)?,
                Run::Up(_) if member.paused_until == step => {
                    let id = member.id;
                    self.say(|| format!("member {id} goes on"));
                    self.turn(at, 1)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Lets a turn go on, or fail because the machine stops.
    pub(super) fn end_sync(&mut self, at: usize, go: bool) -> Result<(), String> {
        let member = &mut self.members[at];
        if let Run::Syncing(_) = &member.run
            && let Run::Syncing(syncing) = std::mem::replace(&mut member.run, Run::Down)
        {
            // It waits for this.
            let _ = syncing.go.send(go);
            if go {
                return self.turned(at, &syncing.outcome);
            }
            if let Ok(Err(panic)) = syncing.outcome.recv() {
                return Err(format!("panic: {panic}"));
            }
            self.members[at].outbox.messages.lock().clear();
        }
        Ok(())
    }

    pub(super) fn crash(&mut self, at: usize, keep: Keep) -> Result<(), String> {
        let running = self.members[at].is_running();
        self.end_sync(at, false)?;
        let member = &mut self.members[at];
        member.run = Run::Down;
        member.queue.clear();
        member.paused_until = 0;
        member.slow_sync = 0;
        member.disk.crash(keep);
        member.memory.lock().crash();
        if running {
            self.summary.crashes += 1;
            let id = self.members[at].id;
            self.say(|| format!("member {id} crashes; of what is not synced it keeps: {keep:?}"));
        }
        Ok(())
    }

    pub(super) fn any_keep(&mut self) -> Keep {
        match self.random.below(3) {
            0 => Keep::All,
            1 => Keep::Nothing,
            _ => Keep::Some,
        }
    }
}
