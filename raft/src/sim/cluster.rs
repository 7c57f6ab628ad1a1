//! The scheduler: members, messages on their way, clients, and what happens next.

mod calm;
mod check;
mod clients;
mod durable;
mod faults;
mod known_log;
mod leases;
mod log_check;
mod membership;
mod network;
mod options;
mod process;
mod start;
#[cfg(test)]
mod tests;
mod transfers;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parking_lot::Mutex;

use super::Random;
use super::history::{History, kv};
use super::machine::World;
use super::weather::{Happening, Weather};
use clients::Client;
use leases::LeaseBook;
use log_check::LogBook;
use network::Network;
pub use options::{SimulationOptions, Summary, Violation};
use process::{Run, SimMember};
use transfers::Transfer;

/// One seeded run.
pub struct Simulation {
    seed: u64,
    options: SimulationOptions,
    random: Random,
    weather: Weather,
    members: Vec<SimMember>,
    world: Arc<Mutex<World>>,
    network: Network,
    transfers: Vec<Transfer>,
    clients: Vec<Client>,
    history: History<kv::Txn, kv::Answer>,
    leases: LeaseBook,
    /// Who led in which term.
    leaders: BTreeMap<u64, u64>,
    logs: LogBook,
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
        let weather = Weather::draw(&mut random, options.spares > 0);
        let ids = 1..=options.members + options.spares;
        let members = ids.map(|id| SimMember::new(id, random.next_u64())).collect();
        let clients = (0..options.clients).map(|_| Client::default()).collect();
        Simulation {
            seed,
            options,
            random,
            weather,
            members,
            world: Arc::default(),
            network: Network::default(),
            transfers: Vec::new(),
            clients,
            history: History::new(),
            leases: LeaseBook::default(),
            leaders: BTreeMap::new(),
            logs: LogBook::default(),
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
        self.say(|| format!("membership: {:?}", self.world.lock().membership()));
        self.say(|| format!("VIOLATION {what}"));
        Err(Violation { seed: self.seed, step: self.step, plant: self.options.plant, what })
    }

    fn run_all(&mut self) -> Result<(), String> {
        self.say(|| format!("{:?} {:?}", self.options, self.weather));
        for at in 0..self.members.len() {
            self.restart(at)?;
        }
        while self.step < self.options.steps {
            self.step += 1;
            self.wake()?;
            self.one_step()?;
            self.stop_removed()?;
            self.look_at_reads();
            self.look_at_renewals()?;
        }
        self.calm_down()?;
        self.check_history()?;
        self.summary.seeds = 1;
        self.summary.steps = self.step;
        self.summary.terms = self.leaders.len();
        self.summary.operations = self.history.len();
        self.summary.answered = self.history.answered();
        let world = self.world.lock();
        self.summary.applied = world.entries.len();
        (self.summary.changes, self.summary.refused_changes) = world.changes;
        (self.summary.with_learners, self.summary.joint) = world.learners_and_joint;
        self.summary.hash = world.hash();
        Ok(())
    }

    fn one_step(&mut self) -> Result<(), String> {
        match self.weather.next(&mut self.random) {
            // Where nothing is on its way, time passes until something is.
            Happening::Deliver if self.network.is_idle() => self.tick(),
            Happening::Deliver => {
                for _ in 0..=self.random.below(4) {
                    self.deliver_one()?;
                }
                Ok(())
            }
            Happening::Tick => self.tick(),
            Happening::Client => self.client_step(),
            Happening::Apply => self.apply_step(),
            Happening::Lease => self.lease_step(),
            Happening::Transfer => self.transfer_step(),
            Happening::Flush => {
                let at = self.pick();
                self.members[at].memory.lock().flush();
                Ok(())
            }
            Happening::Room => self.change_room(),
            Happening::Crash => self.crash_random(),
            Happening::Restart => {
                let at = self.pick();
                self.restart(at)
            }
            Happening::Power => self.plan_power_failure(),
            Happening::DiskFault => self.plan_disk_fault(),
            Happening::SlowSync => self.plan_slow_sync(),
            Happening::Pause => self.pause_random(),
            Happening::Partition => self.change_partition(),
            Happening::Clock => self.change_clock(),
            Happening::Leadership => self.change_leader(),
            Happening::Rumor => self.spread_rumor(),
            Happening::Membership => self.change_membership(),
        }
    }

    /// A member, by its place.
    fn pick(&mut self) -> usize {
        self.random.index(self.members.len())
    }

    fn index_of(&self, id: u64) -> Option<usize> {
        self.members.iter().position(|member| member.id == id)
    }

    /// A line of the trace of a replayed seed.
    fn say(&self, text: impl FnOnce() -> String) {
        if self.options.trace {
            println!("{:>5} {}", self.step, text());
        }
    }

    fn blocked(&self) -> &BTreeSet<(u64, u64)> {
        &self.network.blocked
    }
}
