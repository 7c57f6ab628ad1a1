//! Messages on their way: in order or not, lost, late, twice; and who cannot reach whom.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use keyport_api::raftpb::{Message, MessageType};

use super::Simulation;
use super::transfers::Transfer;
use crate::inbox::Input;

/// Messages on their way; more are lost.
const MAX_IN_FLIGHT: usize = 400;
/// Second copies kept back.
const MAX_LATE: usize = 60;
/// Steps that a slow message takes at most.
const MAX_DELAY: u64 = 200;

#[derive(Default)]
pub(super) struct Network {
    pub(super) in_flight: VecDeque<Message>,
    /// By the step in which they go on, and a number of their own.
    delayed: BTreeMap<(usize, u64), Message>,
    sent: u64,
    /// Second copies, which come when nobody expects them any more.
    late: Vec<Message>,
    /// From whom to whom nothing gets through.
    pub(super) blocked: BTreeSet<(u64, u64)>,
}

impl Network {
    /// Nothing is on its way, or only for later.
    pub(super) fn is_idle(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// What was delayed until `step`, or all of it.
    pub(super) fn release(&mut self, step: usize) {
        while let Some(due) = self.delayed.first_entry().filter(|entry| entry.key().0 <= step) {
            self.in_flight.push_back(due.remove());
        }
    }
}

impl Simulation {
    pub(super) fn send(&mut self, at: usize, message: Message) {
        if message.r#type() == MessageType::MsgSnap {
            let transfer = Transfer::new(at, self.members[at].boots, message, &mut self.random);
            self.transfers.push(transfer);
            return;
        }
        let (weather, random, network) = (&self.weather, &mut self.random, &mut self.network);
        // The transport never sends anything a second time. Raft would not mind, but a proposal that is forwarded twice
        // is two proposals.
        let may_repeat = message.r#type() != MessageType::MsgProp;
        if may_repeat && random.chance(weather.late) {
            network.late.push(message.clone());
        }
        if may_repeat && random.chance(weather.twice) {
            network.in_flight.push_back(message.clone());
        }
        if network.late.len() > MAX_LATE {
            let lost = random.index(network.late.len());
            network.late.swap_remove(lost);
        }
        if random.chance(weather.delay) {
            network.sent += 1;
            let until = self.step + 1 + random.index(usize::try_from(MAX_DELAY).unwrap_or_default());
            network.delayed.insert((until, network.sent), message);
        } else {
            network.in_flight.push_back(message);
        }
        while network.in_flight.len() > MAX_IN_FLIGHT {
            let lost = random.index(network.in_flight.len());
            network.in_flight.remove(lost);
        }
    }

    pub(super) fn deliver_one(&mut self) -> Result<(), String> {
        let (weather, random, network) = (&self.weather, &mut self.random, &mut self.network);
        network.release(self.step);
        if !network.late.is_empty() && random.chance(5) {
            let at = random.index(network.late.len());
            let message = network.late.swap_remove(at);
            return self.deliver(message);
        }
        let next = if random.chance(weather.in_order) { 0 } else { random.index(network.in_flight.len()) };
        let Some(message) = network.in_flight.remove(next) else { return Ok(()) };
        if random.chance(weather.loss) {
            return Ok(());
        }
        self.deliver(message)
    }

    pub(super) fn deliver(&mut self, message: Message) -> Result<(), String> {
        let (from, to) = (message.from(), message.to());
        let at = self.index_of(to).filter(|at| self.members[*at].is_running());
        let Some(at) = at.filter(|_| !self.blocked().contains(&(from, to))) else {
            return Ok(());
        };
        self.summary.messages += 1;
        self.say(|| describe(&message));
        self.give(at, Input::Message(Box::new(message)))
    }

    pub(super) fn change_partition(&mut self) -> Result<(), String> {
        self.network.blocked.clear();
        if self.random.chance(50) {
            self.say(|| "the network is whole".to_owned());
            return Ok(());
        }
        let ids: Vec<_> = self.members.iter().map(|member| member.id).collect();
        // Whoever leads, alone: it goes on in the belief that it does, for as long as its clock lets it.
        let leader = if self.random.chance(40) { self.earliest_leader() } else { None };
        let side: Vec<_> = match leader {
            Some(at) => vec![self.members[at].id],
            None => ids.iter().filter(|_| self.random.chance(40)).copied().collect(),
        };
        let asymmetric = self.random.chance(30);
        for from in &ids {
            for to in &ids {
                if side.contains(from) && !side.contains(to) {
                    self.network.blocked.insert((*from, *to));
                    if !asymmetric {
                        self.network.blocked.insert((*to, *from));
                    }
                }
            }
        }
        self.say(|| format!("blocked: {:?}", self.network.blocked));
        Ok(())
    }
}

fn describe(message: &Message) -> String {
    let Message { term, log_term, index, commit, reject, .. } = message;
    let mut text = format!("{} -> {}: {:?} term {}", message.from(), message.to(), message.r#type(), term.unwrap_or(0));
    for (name, value) in [("index", index), ("of term", log_term), ("commit", commit)] {
        if let Some(value) = value.filter(|value| *value != 0) {
            text.push_str(&format!(" {name} {value}"));
        }
    }
    if let (Some(first), Some(last)) = (message.entries.first(), message.entries.last()) {
        text.push_str(&format!(" entries {}..={} of term {}", first.index(), last.index(), last.term()));
    }
    if reject == &Some(true) {
        text.push_str(" rejected");
    }
    text
}
