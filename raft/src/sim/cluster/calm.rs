//! Everything works again: all members come to the same state, with everything acknowledged in it, and go on.

use bytes::Bytes;
use keyport_api::raftpb::ConfChangeV2;

use super::{SimMember, Simulation};
use crate::inbox::Input;
use crate::sim::Faults;
use crate::sim::history::kv::{Keys, Request, Txn};
use crate::sim::machine::members;
use crate::state_machine::Configuration;

/// Rounds given to a healthy cluster to agree again.
const MAX_CALM_ROUNDS: usize = 300;

impl Simulation {
    pub(super) fn calm_down(&mut self) -> Result<(), String> {
        self.say(|| "calm".to_owned());
        self.network.blocked.clear();
        self.network.release(usize::MAX);
        self.weather.quiet();
        for member in &mut self.members {
            member.disk.set_faults(Faults::default());
            member.paused_until = 0;
            member.slow_sync = 0;
            member.memory.lock().is_full = false;
        }
        let mut asked = false;
        for _ in 0..MAX_CALM_ROUNDS {
            self.step += 1;
            for at in 0..self.members.len() {
                self.end_sync(at, true)?;
                self.restart(at)?;
                self.turn(at, 1)?;
            }
            self.settle()?;
            self.stop_removed()?;
            if self.all_agree() {
                if asked {
                    return self.last_reads();
                }
                if let Some(at) = self.calm_leader() {
                    asked = self.prepare_end(at)?;
                }
            }
        }
        let state = |member: &SimMember| {
            let memory = member.memory.lock();
            (member.id, member.is_running(), memory.now.index, member.process().map(|process| process.driver.leader()))
        };
        let states: Vec<_> = self.members.iter().map(state).collect();
        let configuration = self.configuration();
        let agreed = self.world.lock().entries.len();
        Err(format!("no agreement in {MAX_CALM_ROUNDS} rounds on {agreed} entries by {configuration:?}: {states:?}"))
    }

    /// Delivers until nothing is under way any more.
    fn settle(&mut self) -> Result<(), String> {
        for _ in 0..40 {
            for message in std::mem::take(&mut self.network.in_flight) {
                self.deliver(message)?;
            }
            for at in (0..self.transfers.len()).rev() {
                self.advance_transfer(at, false)?;
            }
            for at in 0..self.members.len() {
                self.apply_some(at, usize::MAX)?;
            }
            self.look_at_reads();
            self.look_at_renewals()?;
        }
        Ok(())
    }

    fn all_agree(&self) -> bool {
        let agreed = self.world.lock().entries.len() as u64;
        let inside = members(&self.configuration());
        let mut inside = self.members.iter().filter(|member| inside.contains(&member.id));
        inside.all(|member| member.memory.lock().now.index == agreed)
    }

    fn is_inside(&self, at: usize) -> bool {
        members(&self.configuration()).contains(&self.members[at].id)
    }

    fn calm_leader(&self) -> Option<usize> {
        let inside = members(&self.configuration());
        let leader = |member: &SimMember| {
            let leader = member.process().map(|process| process.driver.leader());
            leader.filter(|leader| leader.is_leader && inside.contains(&member.id))
        };
        let leader = self.members.iter().filter_map(leader).max_by_key(|leader| leader.term)?;
        self.index_of(leader.leader)
    }

    /// Leaves a joint configuration that nobody leaves, or proposes something; returns whether it was the latter.
    fn prepare_end(&mut self, at: usize) -> Result<bool, String> {
        if !self.configuration().voters_outgoing.is_empty() {
            let leave = Input::ProposeConfChange(Configuration::Joint(ConfChangeV2::default()));
            return self.give(at, leave).map(|()| false);
        }
        let before = self.world.lock().entries.len();
        self.give(at, Input::Propose(Bytes::from_static(b"last")))?;
        if self.members.len() == 1 && self.world.lock().entries.len() == before {
            return Err("a proposal to the only member was not applied at once".into());
        }
        Ok(true)
    }

    /// Everybody answers, and the same, although somebody else takes no entries.
    fn last_reads(&mut self) -> Result<(), String> {
        let (full, configuration) = (self.pick(), self.configuration());
        for at in 0..self.members.len() {
            self.give_up();
            // That one itself may have to catch up before, and changes that are under way may need it as a voter.
            let unchanged = self.configuration() == configuration;
            self.members[full].memory.lock().is_full = at != full && unchanged;
            if !self.is_inside(at) || self.clients.is_empty() {
                continue;
            }
            self.ask(0, at, Txn::of(vec![Request::Range(Keys::range("k", "l"))]))?;
            for _ in 0..30 {
                self.step += 1;
                for at in 0..self.members.len() {
                    self.restart(at)?;
                    self.turn(at, 1)?;
                }
                self.settle()?;
                if self.configuration() != configuration {
                    self.members[full].memory.lock().is_full = false;
                }
                // Changes that were under way still come, and may remove it.
                if self.all_answered() || !self.is_inside(at) {
                    break;
                }
            }
            if !self.all_answered() && self.is_inside(at) {
                return Err(format!("member {} does not answer a read", self.members[at].id));
            }
        }
        Ok(())
    }
}
