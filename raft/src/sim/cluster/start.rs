//! A member's process comes up: what the server does, in short.

use std::sync::Arc;

use bytes::Bytes;

use super::known_log::KnownLog;
use super::{Run, Simulation};
use crate::bootstrap::{InitialMember, create_log};
use crate::config::Config;
use crate::member::{Member, Parts};
use crate::observer::NoObserver;
use crate::plant::{Plant, Plants};
use crate::sim::machine::{Machine, members};
use crate::status::SharedStatus;
use crate::wal::{Metadata, Recovered, Wal, WalError, WalOptions};

/// Segments so small that there are many of them.
pub(super) fn wal_options() -> WalOptions {
    WalOptions {
        first_segment_bytes: 8 << 10,
        segment_bytes: 16 << 10,
        // Some segments are filled with zeros, some are reserved.
        large_batch_bytes: 300,
        background: false,
        ..WalOptions::default()
    }
}

impl Simulation {
    pub(super) fn restart(&mut self, at: usize) -> Result<(), String> {
        let member = &self.members[at];
        let configuration = self.configuration();
        // Somebody who is not in the configuration is not started; initial members are, before there is one. Who was
        // removed and ended before anybody else knew is (the server refuses; with two members that is a fault too many).
        let wanted = if configuration.voters.is_empty() {
            member.id <= self.options.members
        } else {
            members(&configuration).contains(&member.id) || (member.boots > 0 && !self.is_known_as_removed(at))
        };
        if member.is_running() || !wanted {
            return Ok(());
        }
        let (wal, recovered) = match self.open_log(at) {
            Ok(opened) => opened,
            // An injected fault; the next start has better luck.
            Err(WalError::Io { .. }) => {
                let keep = self.any_keep();
                return self.crash(at, keep);
            }
            Err(error) => return Err(format!("member {} cannot start: {error}", self.members[at].id)),
        };
        let (state, last) = (recovered.hard_state, recovered.entries.last().map(|entry| entry.index()));
        let seed = self.random.next_u64();
        let member = &mut self.members[at];
        member.boots += 1;
        member.status = Arc::new(SharedStatus::new(member.id));
        member.known = KnownLog::default();
        let options = &self.options;
        let (applied, conf_state) = {
            let memory = member.memory.lock();
            let again = u64::from(options.plant == Plant::ApplyTwice);
            (memory.durable.index.saturating_sub(again), memory.durable.conf_state.clone())
        };
        let config = Config {
            boot_id: member.boots,
            seed,
            election_ticks: 5,
            pre_vote: options.pre_vote,
            snapshot_count: options.snapshot_count,
            snapshot_catchup_entries: options.catchup_entries,
            plants: Plants::only(options.plant),
            ..Config::new(member.id)
        };
        let parts = Parts {
            config,
            wal,
            recovered,
            applied,
            conf_state: (applied > 0).then(|| conf_state.clone()),
            state_machine: Machine {
                handed_over: (applied, conf_state),
                memory: Arc::clone(&member.memory),
                world: Arc::clone(&self.world),
                disk: member.disk.clone(),
            },
            transport: member.outbox.clone(),
            observer: NoObserver,
        };
        let mut process = Member::new(parts, Arc::clone(&member.status))
            .map_err(|error| format!("member {} cannot start: {error}", member.id))?;
        let outcome = process.start();
        member.run = Run::Up(Box::new(process));
        let (id, boots) = (member.id, member.boots);
        self.say(|| {
            let log = format!("index {applied} applied, log up to {last:?}, {state:?}");
            format!("member {id} starts for the {boots}. time, with {log}")
        });
        self.after_turn(at, &outcome)
    }

    fn open_log(&mut self, at: usize) -> Result<(Wal, Recovered), WalError> {
        let initial = self.options.members;
        let member = &mut self.members[at];
        let disk = Arc::new(member.disk.clone());
        let durable = member.memory.lock().durable.index;
        let options = WalOptions { plants: Plants::only(self.options.plant), ..wal_options() };
        match Wal::open(disk.clone(), options.clone(), durable) {
            Err(WalError::NotFound(_)) if durable == 0 && member.boots == 0 => {
                // Who joins later begins with nothing.
                let initial = if member.id <= initial { initial } else { 0 };
                let initial = (1..=initial).map(|id| InitialMember { id, context: Bytes::new() }).collect();
                create_log(disk, wal_options(), Metadata { node_id: member.id, cluster_id: 1 }, initial)
            }
            Err(WalError::SnapshotNeeded { index, .. }) if member.memory.lock().received.contains_key(&index) => {
                // What the server does: complete the installation that the crash interrupted.
                self.summary.resumed_installations += 1;
                member.memory.lock().install(index, &self.world.lock());
                Wal::open(disk, options, index)
            }
            other => other,
        }
    }
}
