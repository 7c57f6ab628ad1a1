//! How long this member waits for a leader: drawn anew whenever its term, role or leader changes.
//!
//! `raft-rs` draws from a generator of its own; what it drew is replaced by a value from one that the configuration seeds.
//! Nothing else in it is random.
//!
//! A leader whose process has ended will not be heard again, and its peers know at once: their connections are closed and
//! new ones refused. They do not wait out the election timeout then, but a few ticks, in which one of them is first. Each
//! time that comes to nothing (votes are split, the others still hear the leader, disks are slow) the wait may be twice
//! as long, until it is the ordinary one. This is only about when an election begins; whom it elects does not depend on
//! it, and with pre-vote nobody who is wrong about the leader disturbs those who hear it.

use raft::{Raft, StateRole};

use super::log::MemoryLog;
use crate::random::Random;

/// Ticks to the first election after a leader's death, at most.
const FIRST: usize = 3;
/// Roles of one attempt: follower, pre-candidate, candidate. Each draws.
const DRAWS: usize = 3;

#[derive(Debug)]
pub(super) struct Patience {
    random: Random,
    election_ticks: usize,
    /// (term, role, leader) for which `timeout` was drawn.
    drawn_for: (u64, StateRole, u64),
    timeout: usize,
    /// The leader is dead, and so often a short wait was drawn since.
    hurried: Option<usize>,
}

impl Patience {
    pub(super) fn new(seed: u64, election_ticks: usize) -> Patience {
        let drawn_for = (0, StateRole::Leader, 0);
        Patience { random: Random::new(seed), election_ticks, drawn_for, timeout: 0, hurried: None }
    }

    /// From here on waits are short, until there is a leader.
    pub(super) fn hurry(&mut self) {
        self.hurried = Some(0);
    }

    /// Called after every input. Returns whether term, role or leader changed.
    pub(super) fn settle(&mut self, raft: &mut Raft<MemoryLog>) -> bool {
        let now = (raft.term, raft.state, raft.leader_id);
        let changed = now != self.drawn_for;
        if changed {
            self.drawn_for = now;
            self.timeout = self.election_ticks + self.draw(self.election_ticks);
            if raft.leader_id != 0 {
                self.hurried = None;
            }
        }
        // Also when the same role tries again: what it asked for was not answered.
        if (changed || raft.election_elapsed == 0)
            && let Some(wait) = self.short_wait()
        {
            raft.election_elapsed = self.timeout - wait;
        }
        raft.set_randomized_election_timeout(self.timeout);
        changed
    }

    fn short_wait(&mut self) -> Option<usize> {
        let draws = self.hurried?;
        let most = FIRST << (draws / DRAWS);
        self.hurried = (most < self.election_ticks).then_some(draws + 1);
        self.hurried.map(|_| 1 + self.draw(most))
    }

    fn draw(&mut self, below: usize) -> usize {
        usize::try_from(self.random.below(below as u64)).unwrap_or_default()
    }
}
