//! What goes wrong with machines, disks, clocks and leaders.

use std::sync::atomic::Ordering;

use super::{Run, SimMember, Simulation};
use crate::inbox::Input;
use crate::sim::Faults;

impl Simulation {
    /// Time passes: most clocks tick.
    pub(super) fn tick(&mut self) -> Result<(), String> {
        for at in 0..self.members.len() {
            let clock = self.members[at].clock;
            let ticks = clock / 100 + u64::from(self.random.chance(clock % 100));
            if ticks > 0 && self.random.chance(80) {
                self.turn(at, usize::try_from(ticks).unwrap_or(1))?;
            }
        }
        Ok(())
    }

    /// A clock that is fast or slow from now on, or that jumps: many ticks at once.
    pub(super) fn change_clock(&mut self) -> Result<(), String> {
        let at = self.pick();
        let id = self.members[at].id;
        if self.random.chance(50) {
            let ticks = 1 + self.random.index(30);
            self.say(|| format!("the clock of member {id} jumps by {ticks} ticks"));
            return self.turn(at, ticks);
        }
        let clock = [20, 50, 100, 150, 400][self.random.index(5)];
        self.members[at].clock = clock;
        self.say(|| format!("the clock of member {id} runs at {clock} percent"));
        Ok(())
    }

    /// A member applies a little of what waits for that, or all of it.
    pub(super) fn apply_step(&mut self) -> Result<(), String> {
        let at = self.pick();
        let works = [1, 1, 3, 10, usize::MAX][self.random.index(5)];
        self.apply_some(at, works)
    }

    pub(super) fn apply_some(&mut self, at: usize, works: usize) -> Result<(), String> {
        let member = &self.members[at];
        if member.is_running() && member.paused_until <= self.step && !member.disk.is_off() {
            member.memory.lock().apply_some(works, &mut self.world.lock());
            self.look_at_memory(at)?;
        }
        Ok(())
    }

    pub(super) fn crash_random(&mut self) -> Result<(), String> {
        let (at, keep) = (self.pick(), self.any_keep());
        self.crash(at, keep)
    }

    pub(super) fn plan_power_failure(&mut self) -> Result<(), String> {
        let at = self.pick();
        let effects = 1 + u32::try_from(self.random.below(25)).unwrap_or_default();
        self.members[at].disk.fail_power_after(effects);
        Ok(())
    }

    pub(super) fn plan_disk_fault(&mut self) -> Result<(), String> {
        let at = self.pick();
        let mut soon = || Some(u32::try_from(self.random.below(12)).unwrap_or_default());
        let mut faults = Faults { short_writes: true, ..Faults::default() };
        match soon() {
            Some(0..4) => faults.fail_write = soon(),
            Some(4..8) => faults.fail_sync = soon(),
            Some(8..10) => faults.room = soon().map(|n| 500 * n as usize),
            _ => {}
        }
        let id = self.members[at].id;
        self.say(|| format!("member {id}: {faults:?}"));
        self.members[at].disk.set_faults(faults);
        Ok(())
    }

    /// Mostly of whoever leads.
    pub(super) fn plan_slow_sync(&mut self) -> Result<(), String> {
        let leader = if self.random.chance(60) { self.earliest_leader() } else { None };
        let at = leader.unwrap_or_else(|| self.pick());
        self.members[at].slow_sync = 5 + self.random.index(200);
        Ok(())
    }

    /// A state machine that is behind, or has caught up.
    pub(super) fn change_room(&mut self) -> Result<(), String> {
        let at = self.pick();
        let mut memory = self.members[at].memory.lock();
        memory.is_full = !memory.is_full;
        let (id, is_full) = (self.members[at].id, memory.is_full);
        drop(memory);
        self.summary.full += usize::from(is_full);
        self.say(|| format!("member {id} has {}", if is_full { "no room" } else { "room" }));
        Ok(())
    }

    /// Those who believe to lead, by their places.
    pub(super) fn leaders_in_their_own_eyes(&self) -> Vec<usize> {
        let leads =
            |member: &SimMember| member.is_running() && member.status.leader.load(Ordering::Acquire) == member.id;
        (0..self.members.len()).filter(|at| leads(&self.members[*at])).collect()
    }

    /// Of those the one that was elected first.
    pub(super) fn earliest_leader(&self) -> Option<usize> {
        let term = |at: &usize| self.members[*at].status.term.load(Ordering::Acquire);
        self.leaders_in_their_own_eyes().into_iter().min_by_key(term)
    }

    /// Mostly whoever leads.
    pub(super) fn pause_random(&mut self) -> Result<(), String> {
        let at = match self.earliest_leader() {
            Some(leader) if self.random.chance(70) => leader,
            _ => self.pick(),
        };
        if matches!(self.members[at].run, Run::Up(_)) && self.members[at].paused_until <= self.step {
            let steps = 10 + self.random.index(400);
            self.members[at].paused_until = self.step + steps;
            self.summary.pauses += 1;
            let id = self.members[at].id;
            self.say(|| format!("member {id} is stopped for {steps} steps"));
        }
        Ok(())
    }

    /// Mostly about whom the member takes for the leader.
    pub(super) fn spread_rumor(&mut self) -> Result<(), String> {
        let at = self.pick();
        let leader = self.members[at].status.leader.load(Ordering::Acquire);
        let peer = if self.random.chance(70) { leader } else { self.random.below(self.members.len() as u64) + 1 };
        let id = self.members[at].id;
        self.summary.rumors += 1;
        self.say(|| format!("member {id} hears that {peer} has ended"));
        self.give(at, Input::ReportDown(peer))
    }

    pub(super) fn change_leader(&mut self) -> Result<(), String> {
        let at = self.pick();
        let to = self.random.below(self.members.len() as u64) + 1;
        let input = if self.random.chance(50) { Input::Campaign } else { Input::TransferLeader(to) };
        let id = self.members[at].id;
        self.say(|| format!("member {id} is told: {input:?}"));
        self.give(at, input)
    }
}
