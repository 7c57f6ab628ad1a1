//! What of the log the followers still need.
//!
//! The log in memory is cut to a number of entries. A follower that a snapshot is on its way to, or that is behind and
//! catching up, would find its next entry gone, and need another snapshot, for as long as clients write. So a leader
//! keeps what such a follower needs, up to the bound in bytes. One that is away is not waited for.

use std::collections::HashMap;

use raft::{ProgressState, StateRole};

use super::Driver;

/// Ticks since a peer was last heard of; kept while this member leads.
#[derive(Debug, Default)]
pub(super) struct Heard(HashMap<u64, usize>);

impl Driver {
    /// One tick has passed. (`raft-rs` keeps whom it has heard of, but forgets everybody once in an election timeout.)
    pub(super) fn note_heard(&mut self) {
        let raft = &self.raw.raft;
        if raft.state != StateRole::Leader {
            self.heard.0.clear();
            return;
        }
        let before = std::mem::take(&mut self.heard.0);
        let silent = |id, active: bool| if active { 0 } else { before.get(id).map_or(0, |ticks| ticks + 1) };
        self.heard.0 = raft.prs().iter().map(|(id, progress)| (*id, silent(id, progress.recent_active))).collect();
    }

    /// The first entry that a follower still needs.
    pub(super) fn first_needed(&self) -> u64 {
        let raft = &self.raw.raft;
        if raft.state != StateRole::Leader {
            return u64::MAX;
        }
        let patience = 2 * self.config.election_ticks;
        let is_there = |id: &u64| self.heard.0.get(id).is_none_or(|ticks| *ticks <= patience);
        let needed = raft.prs().iter().filter(|(id, _)| **id != raft.id).filter_map(|(id, progress)| {
            match progress.state {
                ProgressState::Snapshot => Some(progress.pending_snapshot + 1),
                // Nothing is known of its log yet, or it has none: that takes a snapshot anyway.
                ProgressState::Probe if progress.matched == 0 => None,
                ProgressState::Probe | ProgressState::Replicate => is_there(id).then_some(progress.matched + 1),
            }
        });
        needed.min().unwrap_or(u64::MAX)
    }
}
