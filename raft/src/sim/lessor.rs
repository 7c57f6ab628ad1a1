//! Leases as a member's process counts them down while it leads: what the server's lessor does, in ticks.

use std::collections::{BTreeMap, BTreeSet};

pub(super) type LeaseId = u64;

/// Ticks that a lease lives without a renewal.
const TTL: u64 = 12;
/// What a new leader gives besides: an election timeout.
const EXTENSION: u64 = 5;

#[derive(Debug, Default)]
pub(super) struct Lessor {
    clock: u64,
    /// The term in which it counts down; none while its member does not lead.
    pub(super) primary_in: Option<u64>,
    deadlines: BTreeMap<LeaseId, u64>,
}

impl Lessor {
    pub(super) fn promote(&mut self, term: u64, leases: &BTreeSet<LeaseId>) {
        self.primary_in = Some(term);
        self.deadlines = leases.iter().map(|id| (*id, self.clock + TTL + EXTENSION)).collect();
    }

    pub(super) fn demote(&mut self) {
        self.primary_in = None;
        self.deadlines.clear();
    }

    pub(super) fn grant(&mut self, id: LeaseId) {
        if self.primary_in.is_some() {
            self.deadlines.insert(id, self.clock + TTL);
        }
    }

    pub(super) fn forget(&mut self, id: LeaseId) {
        self.deadlines.remove(&id);
    }

    /// Whether the lease has time left; then it starts anew.
    pub(super) fn renew(&mut self, id: LeaseId) -> bool {
        let deadline = self.deadlines.get_mut(&id).filter(|deadline| **deadline > self.clock);
        let renewed = deadline.is_some();
        if let Some(deadline) = deadline {
            *deadline = self.clock + TTL;
        }
        renewed
    }

    pub(super) fn tick(&mut self) {
        self.clock += 1;
    }

    /// Leases that have just run out, with the term of whoever says so. One that stays is named again after a while.
    pub(super) fn due(&mut self) -> Vec<(LeaseId, u64)> {
        let Some(term) = self.primary_in else { return Vec::new() };
        let clock = self.clock;
        let over = |deadline: u64| deadline <= clock && (clock - deadline).is_multiple_of(TTL);
        self.deadlines.iter().filter(|(_, deadline)| over(**deadline)).map(|(id, _)| (*id, term)).collect()
    }
}
