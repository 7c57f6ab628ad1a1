//! What must always hold of the members' states, and of the clients' history.

use super::Simulation;
use crate::sim::history::{Verdict, check, kv};

/// Places that the search for an order of the history may remember.
const MAX_SEARCH: usize = 200_000;

impl Simulation {
    /// What a member did in its turn, whether or not it survived it.
    pub(super) fn look_at_memory(&mut self, at: usize) -> Result<(), String> {
        let member = &self.members[at];
        let id = member.id;
        let leaders = {
            let mut memory = member.memory.lock();
            if let Some(problem) = memory.problem.take() {
                return Err(format!("member {id}: {problem}"));
            }
            std::mem::take(&mut memory.leaders)
        };
        for state in leaders.into_iter().filter(|state| state.is_leader) {
            self.say(|| format!("member {id} leads in term {}", state.term));
            if *self.leaders.entry(state.term).or_insert(id) != id {
                return Err(format!("two leaders in term {}", state.term));
            }
        }
        self.answer_writes(at);
        self.answer_leases(at);
        Ok(())
    }

    pub(super) fn check_history(&mut self) -> Result<(), String> {
        match check(&kv::Store::new(&self.history), &self.history, MAX_SEARCH) {
            Verdict::Linearizable { .. } => Ok(()),
            Verdict::Violation(violation) => {
                Err(format!("the history is not linearizable: {}", violation.describe(&self.history)))
            }
            Verdict::Undecided => {
                self.summary.undecided += 1;
                Ok(())
            }
        }
    }
}
