//! Snapshots on their way, beside the messages: an image of the sender's state as of when the transfer begins, which
//! may be newer than the message that asked for it, arrives chunk by chunk or not at all. Only when it is complete and
//! durable at the receiver does Raft hear of it.

use keyport_api::raftpb::{Message, SnapshotMetadata};

use super::Simulation;
use crate::inbox::Input;
use crate::sim::Random;
use crate::sim::machine::State;

pub(super) struct Transfer {
    /// The sender's place and run.
    from: usize,
    boot: u64,
    message: Message,
    image: Option<State>,
    chunks: usize,
    /// The receiver's run in which the first chunk arrived.
    receiver_boot: u64,
}

impl Transfer {
    pub(super) fn new(from: usize, boot: u64, message: Message, random: &mut Random) -> Transfer {
        Transfer { from, boot, message, image: None, chunks: 1 + random.index(12), receiver_boot: 0 }
    }
}

impl Simulation {
    pub(super) fn transfer_step(&mut self) -> Result<(), String> {
        if self.transfers.is_empty() {
            return Ok(());
        }
        let at = self.random.index(self.transfers.len());
        let cut = self.random.chance(3);
        self.advance_transfer(at, cut)
    }

    pub(super) fn advance_transfer(&mut self, at: usize, cut: bool) -> Result<(), String> {
        let transfer = &mut self.transfers[at];
        let (from, to) = (transfer.from, transfer.message.to());
        let sender = &self.members[from];
        if !sender.is_running() || sender.boots != transfer.boot {
            // Nobody is left to report to.
            self.transfers.swap_remove(at);
            self.summary.broken_transfers += 1;
            return Ok(());
        }
        let receiver = self.members.iter().position(|member| member.id == to);
        let receiver = receiver.filter(|at| self.members[*at].is_running());
        let Some(receiver) = receiver.filter(|_| !cut && !self.network.blocked.contains(&(sender.id, to))) else {
            return self.end_transfer(at, false);
        };
        if sender.paused_until > self.step || self.members[receiver].paused_until > self.step {
            return Ok(());
        }
        let boot = self.members[receiver].boots;
        match &transfer.image {
            None => {
                let image = sender.memory.lock().now.clone();
                let metadata = transfer.message.snapshot.as_ref().and_then(|snapshot| snapshot.metadata.as_ref());
                let promised = metadata.map_or(0, SnapshotMetadata::index);
                if image.index < promised {
                    return Err(format!("an image ends at {}, and {promised} was promised", image.index));
                }
                transfer.image = Some(image);
                transfer.receiver_boot = boot;
            }
            Some(_) if transfer.receiver_boot != boot => return self.end_transfer(at, false),
            Some(_) if transfer.chunks > 0 => transfer.chunks -= 1,
            Some(_) => return self.end_transfer(at, true),
        }
        Ok(())
    }

    fn end_transfer(&mut self, at: usize, arrived: bool) -> Result<(), String> {
        let Transfer { from, mut message, image, .. } = self.transfers.swap_remove(at);
        let to = message.to();
        self.say(|| format!("a snapshot from {} to {to} ends: arrived {arrived}", message.from()));
        if !arrived {
            self.summary.broken_transfers += 1;
            return self.give_surely(from, Input::ReportSnapshot { to, delivered: false });
        }
        self.summary.snapshots += 1;
        let Some((receiver, image)) = self.index_of(to).zip(image) else { return Ok(()) };
        // What arrived is what Raft is told.
        let (index, term, conf_state) = (Some(image.index), Some(image.term), Some(image.conf_state.clone()));
        message.snapshot.get_or_insert_default().metadata = Some(SnapshotMetadata { conf_state, index, term });
        self.members[receiver].memory.lock().received.insert(image.index, image);
        if self.random.chance(self.weather.interrupted) {
            // Between any two steps of the installation.
            let effects = 1 + u32::try_from(self.random.below(8)).unwrap_or_default();
            self.members[receiver].disk.fail_power_after(effects);
        }
        self.give(receiver, Input::Message(Box::new(message)))?;
        self.give_surely(from, Input::ReportSnapshot { to, delivered: true })
    }

    /// An input that is not lost, however long the queue.
    fn give_surely(&mut self, at: usize, input: Input) -> Result<(), String> {
        if self.members[at].is_running() {
            self.members[at].queue.push_back(input);
        }
        self.turn(at, 0)
    }
}
