//! Membership changes that take effect when they are written: what [`Plant::ConfChangeOnAppend`] does. Always empty
//! otherwise.

use raft::eraftpb::{Entry, EntryType};

use super::Driver;
use super::membership::decode_change;
use crate::convert;
use crate::plant::Plant;

#[derive(Debug, Default)]
pub(super) struct EarlyChanges {
    /// Written, and to be carried out at the end of the turn.
    written: Vec<Entry>,
    /// How many were carried out and are still to be delivered.
    ahead: u64,
}

impl EarlyChanges {
    pub(super) fn note(&mut self, entries: &[Entry]) {
        let changes = entries.iter().filter(|entry| entry.get_entry_type() != EntryType::EntryNormal);
        self.written.extend(changes.cloned());
    }
}

impl Driver {
    /// Whether the change that is delivered now is in force already.
    pub(super) fn was_carried_out_early(&mut self) -> bool {
        let early = self.config.plants.has(Plant::ConfChangeOnAppend) && self.early.ahead > 0;
        self.early.ahead -= u64::from(early);
        early
    }

    pub(super) fn carry_out_early(&mut self) {
        for entry in std::mem::take(&mut self.early.written) {
            self.early.ahead += 1;
            let change = decode_change(entry.get_entry_type(), &entry.data);
            if let Ok(Ok(Some(conf_state))) = change.map(|change| self.carry_out(&change)) {
                self.raw.mut_store().set_conf_state(convert::conf_state_from_raft(&conf_state));
            }
        }
    }
}
