//! Clients: each asks for one thing at a time, through any member, and gives up after a while.

use tokio::sync::oneshot;

use super::Simulation;
use crate::inbox::Input;
use crate::sim::Plant;
use crate::sim::command::{Command, OperationId};
use crate::sim::history::kv::{Guard, Keys, Request, Txn};

/// Steps for which a client waits at least, and as many more at random.
const PATIENCE: usize = 300;

#[derive(Default)]
pub(super) struct Client {
    waits: Option<Waits>,
}

struct Waits {
    operation: OperationId,
    /// The member asked, and its run.
    at: usize,
    boot: u64,
    until: usize,
    stage: Stage,
}

enum Stage {
    /// For the entry to be applied there.
    Applied,
    /// For the index that has to be applied there.
    Index(oneshot::Receiver<u64>),
    /// For that index.
    Read(u64),
}

impl Simulation {
    pub(super) fn client_step(&mut self) -> Result<(), String> {
        let client = self.random.index(self.clients.len());
        match &self.clients[client].waits {
            Some(waits) if waits.until > self.step => {}
            Some(waits) => {
                let operation = waits.operation;
                self.say(|| format!("client {client} gives up on #{operation}"));
                self.clients[client].waits = None;
            }
            None => {
                // Stale answers come from former leaders that do not know it yet.
                let several = self.leaders_in_their_own_eyes().len() > 1;
                let former =
                    if self.random.chance(if several { 70 } else { 20 }) { self.earliest_leader() } else { None };
                let at = former.unwrap_or_else(|| self.pick());
                if self.members[at].is_running() {
                    let txn = self.draw_request();
                    return self.ask(client, at, txn);
                }
            }
        }
        Ok(())
    }

    fn draw_request(&mut self) -> Txn {
        let (random, unique) = (&mut self.random, self.history.len().to_string());
        let key = |n: u64| format!("k{n}");
        let (one, other) = (key(random.below(4)), key(random.below(4)));
        match random.below(10) {
            0..3 => Txn::get(&one),
            3 => Txn::of(vec![Request::Range(Keys::range("k0", "k9"))]),
            4..7 => Txn::put(&one, &unique),
            7 => Txn::delete(&one),
            _ => {
                // Compare and swap, by what was last known or not at all.
                let revision = self.world.lock().entries.len() as u64;
                let guard = match random.below(3) {
                    0 => Guard::Version(one.clone(), random.below(3)),
                    1 => Guard::ModRevision(one.clone(), revision.saturating_sub(random.below(10))),
                    _ => Guard::CreateRevision(one.clone(), 0),
                };
                Txn {
                    guards: vec![guard],
                    then: vec![Request::Put(one.clone(), unique), Request::Range(Keys::one(&other))],
                    otherwise: vec![Request::Range(Keys::one(&one)), Request::Delete(Keys::one(&other))],
                }
            }
        }
    }

    pub(super) fn ask(&mut self, client: usize, at: usize, txn: Txn) -> Result<(), String> {
        let (id, boot) = (self.members[at].id, self.members[at].boots);
        let is_read = txn.is_read();
        let operation = self.history.begin(client as u64, txn.clone());
        self.say(|| format!("client {client} asks member {id}: #{operation} {txn:?}"));
        let until = self.step + PATIENCE + self.random.index(PATIENCE);
        let (stage, input) = if is_read {
            let (send, answer) = oneshot::channel();
            let status = &self.members[at].status;
            match status.sole_voter_index() {
                Some(_) if self.options.plant == Plant::ReadUnapplied => (Stage::Read(0), None),
                Some(index) => (Stage::Read(index), None),
                None => (Stage::Index(answer), Some(Input::ReadIndex(send))),
            }
        } else {
            let padding = self.random.index(900);
            self.world.lock().requests.insert(operation, txn);
            (Stage::Applied, Some(Input::Propose(Command::Keys(operation).encode(padding))))
        };
        self.clients[client].waits = Some(Waits { operation, at, boot, until, stage });
        input.map_or(Ok(()), |input| self.give(at, input))
    }

    /// Entries that a member applied, for whoever asked that member in this run of it.
    pub(super) fn answer_writes(&mut self, at: usize) {
        let (answers, dropped) = {
            let mut memory = self.members[at].memory.lock();
            (std::mem::take(&mut memory.answers), std::mem::take(&mut memory.dropped))
        };
        let boot = self.members[at].boots;
        for (operation, answer) in answers {
            if let Some(client) = self.clients.iter().position(|client| client.waits_for(operation, at, boot)) {
                self.say(|| format!("client {client}: #{operation} -> {answer:?}"));
                self.history.answer(operation, answer);
                self.clients[client].waits = None;
            }
        }
        for command in dropped.iter().filter_map(|data| Command::decode(data)) {
            let Command::Keys(operation) = command else {
                self.summary.decisions_dropped += usize::from(matches!(command, Command::Expire { .. }));
                continue;
            };
            self.say(|| format!("#{operation} is dropped"));
            self.history.refuse(operation);
            for client in &mut self.clients {
                client.waits.take_if(|waits| waits.operation == operation);
            }
        }
    }

    /// Reads whose index is known, or applied.
    pub(super) fn look_at_reads(&mut self) {
        for client in 0..self.clients.len() {
            let Some(waits) = &mut self.clients[client].waits else { continue };
            let member = &self.members[waits.at];
            if member.boots != waits.boot || !member.is_running() {
                // The connection is gone; whether a write will take effect nobody knows.
                self.clients[client].waits = None;
                continue;
            }
            if member.paused_until > self.step {
                continue;
            }
            if let Stage::Index(answer) = &mut waits.stage
                && let Ok(index) = answer.try_recv()
            {
                waits.stage = Stage::Read(index);
            }
            // The read itself takes its time.
            if let Stage::Read(index) = waits.stage
                && self.random.chance(50)
                && member.memory.lock().now.index >= index
                && let Some(txn) = self.history.get(waits.operation).map(|operation| operation.input.clone())
            {
                let answer = member.memory.lock().now.store.clone().execute(&txn);
                let operation = waits.operation;
                self.clients[client].waits = None;
                self.say(|| format!("client {client}: #{operation} at index {index} -> {answer:?}"));
                self.history.answer(operation, answer);
            }
        }
    }

    /// Whether nobody waits for anything.
    pub(super) fn all_answered(&self) -> bool {
        self.clients.iter().all(|client| client.waits.is_none())
    }

    /// Those who have waited too long.
    pub(super) fn give_up(&mut self) {
        for client in &mut self.clients {
            client.waits = None;
        }
    }
}

impl Client {
    fn waits_for(&self, operation: OperationId, at: usize, boot: u64) -> bool {
        let asked = |waits: &Waits| waits.operation == operation && waits.at == at && waits.boot == boot;
        self.waits.as_ref().is_some_and(asked)
    }
}
