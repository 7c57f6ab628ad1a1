//! Proposals that other members pass on.

use keyport_api::raftpb::{EntryType, Message, MessageType};

use super::Member;
use crate::state_machine::StateMachine;

impl<S: StateMachine, T, O> Member<S, T, O> {
    /// Takes out of a proposal what the state machine would not understand, if this member is the one to write it to the
    /// log. Whether there is anything left to be stepped.
    pub(super) fn keep_understood(&self, message: &mut Message) -> bool {
        if message.r#type() != MessageType::MsgProp || !self.driver.leader().is_leader {
            return true;
        }
        let (from, passed_on) = (message.from(), message.entries.len());
        message.entries.retain(|entry| {
            let data = entry.data.clone().unwrap_or_default();
            entry.r#type() != EntryType::EntryNormal || self.state_machine.understands(&data)
        });
        let refused = passed_on - message.entries.len();
        if refused > 0 {
            tracing::warn!(from = format!("{from:x}"), refused, "refused proposals that nobody could apply");
        }
        refused == 0 || !message.entries.is_empty()
    }
}
