//! A member's process comes up: what the server does, in short.

use std::sync::Arc;

use bytes::Bytes;

use super::{Simulation, contains};
use crate::bootstrap::{InitialMember, create_log};
use crate::config::Config;
use crate::member::{Member, Parts};
use crate::observer::NoObserver;
use crate::sim::machine::Machine;
use crate::sim::{Keep, Plant};
use crate::status::SharedStatus;
use crate::wal::{Metadata, Wal, WalError, WalOptions};

impl Simulation {
    pub(super) fn restart(&mut self, at: usize) -> Result<(), String> {
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
}
