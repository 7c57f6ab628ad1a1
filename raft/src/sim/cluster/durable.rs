//! What is committed is on enough disks. Looked at from time to time, because it means opening every log as a start
//! after a crash would that keeps nothing unsynced.

use std::sync::Arc;

use keyport_api::raftpb::ConfState;

use super::start::wal_options;
use super::{Run, Simulation};
use crate::wal::{Recovered, Wal, WalError};

/// What a member would have after the worst crash.
struct OnDisk {
    id: u64,
    /// The state itself, or a complete image of it.
    state: u64,
    log: Option<Recovered>,
}

impl OnDisk {
    fn last(&self) -> u64 {
        let log = self.log.as_ref().map_or(0, |log| log.snapshot.index + log.entries.len() as u64);
        log.max(self.state)
    }

    fn holds(&self, index: u64, term: u64) -> bool {
        let in_log = self.log.as_ref().is_some_and(|log| {
            log.snapshot.index >= index
                || log.entries.iter().any(|entry| entry.index() == index && entry.term() == term)
        });
        in_log || self.state >= index
    }
}

/// Whether every quorum includes one of `holders`, so that no election goes without what they hold.
fn no_quorum_without(holders: &[u64], conf_state: &ConfState) -> bool {
    let covers = |voters: &[u64]| {
        let without = voters.iter().filter(|id| !holders.contains(id)).count();
        !voters.is_empty() && without < voters.len() / 2 + 1
    };
    covers(&conf_state.voters) || covers(&conf_state.voters_outgoing)
}

impl Simulation {
    pub(super) fn look_at_disks(&mut self) -> Result<(), String> {
        if !self.logs.unseen || !self.random.chance(6) {
            return Ok(());
        }
        self.logs.unseen = false;
        let disks = self.members.iter().filter(|member| member.boots > 0);
        let disks = disks.map(|member| {
            let memory = member.memory.lock();
            let durable = memory.durable.index;
            let disk = Arc::new(member.disk.synced());
            let (state, opened) = match Wal::open(disk.clone(), wal_options(), durable) {
                Err(WalError::SnapshotNeeded { index, .. }) if memory.received.contains_key(&index) => {
                    (index, Wal::open(disk, wal_options(), index))
                }
                opened => (durable, opened),
            };
            let log = opened.map(|(_, recovered)| recovered);
            log.map(|log| OnDisk { id: member.id, state, log: Some(log) })
                .map_err(|error| format!("member {} could not start again: {error}", member.id))
        });
        let disks = disks.collect::<Result<Vec<_>, String>>()?;
        for (member, disk) in self.members.iter().filter(|member| member.boots > 0).zip(&disks) {
            let applied = member.memory.lock().now.index;
            if matches!(member.run, Run::Up(_)) && applied > disk.last() {
                return Err(format!("member {} has applied {applied}, its disk ends at {}", member.id, disk.last()));
            }
        }
        let index = self.logs.committed();
        // What every initial member writes when its log is made.
        if index <= self.options.members {
            return Ok(());
        }
        let term = self.logs.term_at(index).unwrap_or_default();
        let holders: Vec<_> = disks.iter().filter(|disk| disk.holds(index, term)).map(|disk| disk.id).collect();
        let configuration = self.configuration();
        if index > 0 && !configuration.voters.is_empty() && !no_quorum_without(&holders, &configuration) {
            return Err(format!(
                "entry {index} of term {term} is committed, but only {holders:?} of {configuration:?} hold it"
            ));
        }
        Ok(())
    }
}
