//! Changes of the membership: one at a time, and several through a joint configuration.

use keyport_api::raftpb::{
    ConfChange, ConfChangeSingle, ConfChangeTransition, ConfChangeType, ConfChangeV2, ConfState,
};

use super::Simulation;
use crate::inbox::Input;
use crate::sim::Keep;
use crate::state_machine::Configuration;

impl Simulation {
    pub(super) fn change_membership(&mut self) -> Result<(), String> {
        let change = match self.random.below(10) {
            0 => Configuration::Joint(ConfChangeV2::default()),
            1..3 => {
                let changes = 1 + self.random.index(3);
                let transition = match self.random.below(3) {
                    0 => ConfChangeTransition::Auto,
                    1 => ConfChangeTransition::JointImplicit,
                    _ => ConfChangeTransition::JointExplicit,
                };
                let changes = (0..changes).map(|_| {
                    let (kind, node_id) = self.draw_change();
                    ConfChangeSingle { r#type: Some(kind as i32), node_id: Some(node_id) }
                });
                let changes = changes.collect();
                Configuration::Joint(ConfChangeV2 { transition: Some(transition as i32), changes, context: None })
            }
            _ => {
                let (kind, node_id) = self.draw_change();
                let id = Some(self.step as u64);
                Configuration::Simple(ConfChange {
                    id,
                    r#type: Some(kind as i32),
                    node_id: Some(node_id),
                    context: None,
                })
            }
        };
        let at = self.pick();
        let id = self.members[at].id;
        self.say(|| format!("member {id} is asked for {change:?}"));
        self.give(at, Input::ProposeConfChange(change))
    }

    fn draw_change(&mut self) -> (ConfChangeType, u64) {
        let kind = match self.random.below(10) {
            0..3 => ConfChangeType::ConfChangeRemoveNode,
            3..5 => ConfChangeType::ConfChangeAddLearnerNode,
            _ => ConfChangeType::ConfChangeAddNode,
        };
        (kind, self.random.below(self.members.len() as u64) + 1)
    }

    /// The configuration after everything that was ever applied anywhere.
    pub(super) fn configuration(&self) -> ConfState {
        self.world.lock().configuration.clone()
    }

    /// A member that was removed ends itself as soon as another voter says so, as the server does. Until then the others
    /// may need its vote to find out.
    pub(super) fn stop_removed(&mut self) -> Result<(), String> {
        for at in 0..self.members.len() {
            if self.members[at].is_running() && self.is_known_as_removed(at) && self.random.chance(20) {
                let id = self.members[at].id;
                self.say(|| format!("member {id} was removed and ends"));
                self.crash(at, Keep::All)?;
            }
        }
        Ok(())
    }

    /// Whether another voter has applied that this member was removed. It tells the others when it asks for their votes,
    /// or refuses its own.
    pub(super) fn is_known_as_removed(&self, at: usize) -> bool {
        let (id, voters) = (self.members[at].id, self.configuration().voters);
        let mut others = self.members.iter().filter(|other| other.id != id && voters.contains(&other.id));
        others.any(|other| other.memory.lock().now.removed.contains(&id))
    }
}
