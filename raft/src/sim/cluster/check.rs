//! What must always hold, and what must hold once everything works again.

use bytes::Bytes;
use tokio::sync::oneshot;

use super::{SimMember, Simulation, contains};
use crate::inbox::Input;
use crate::sim::Faults;

/// Rounds given to a healthy cluster to agree again.
const MAX_CALM_ROUNDS: usize = 400;

impl Simulation {
    pub(super) fn check(&mut self) -> Result<(), String> {
        for member in &self.members {
            let mut memory = member.memory.lock();
            if let Some(problem) = memory.problem.take() {
                return Err(format!("member {}: {problem}", member.id));
            }
            for state in memory.leaders.drain(..) {
                if state.is_leader && *self.leaders.entry(state.term).or_insert(member.id) != member.id {
                    return Err(format!("two leaders in term {}", state.term));
                }
            }
        }
        let mut stale = None;
        let mut answered = 0;
        self.reads.retain_mut(|read| match read.answer.try_recv() {
            Ok(index) => {
                if index < read.at_least {
                    stale = Some(format!("a read at index {index}, when {} was acknowledged", read.at_least));
                }
                answered += 1;
                false
            }
            Err(oneshot::error::TryRecvError::Empty) => true,
            Err(oneshot::error::TryRecvError::Closed) => false,
        });
        self.summary.reads += answered;
        stale.map_or(Ok(()), Err)
    }

    /// Log matching: where two logs agree in index and term, they agree in everything before.
    pub(super) fn check_logs(&self) -> Result<(), String> {
        for (i, a) in self.members.iter().enumerate() {
            for b in self.members.iter().skip(i + 1) {
                let (Some(a_run), Some(b_run)) = (&a.running, &b.running) else { continue };
                let mut matched = false;
                let mut index = a_run.driver.last_index().min(b_run.driver.last_index());
                while let (Some(x), Some(y)) = (a_run.driver.entry(index), b_run.driver.entry(index)) {
                    matched |= x.term() == y.term();
                    if matched && x != y {
                        return Err(format!("the logs of {} and {} differ at {index}", a.id, b.id));
                    }
                    index -= 1;
                }
            }
        }
        Ok(())
    }

    /// Everything works again: all members come to the same state, with everything acknowledged in it, and go on.
    pub(super) fn calm_down(&mut self) -> Result<(), String> {
        self.blocked.clear();
        for member in &self.members {
            member.disk.set_faults(Faults::default());
        }
        let mut asked = false;
        for _ in 0..MAX_CALM_ROUNDS {
            for at in 0..self.members.len() {
                self.restart(at)?;
                self.with(at, |member, _| member.tick())?;
            }
            for _ in 0..20 {
                for message in std::mem::take(&mut self.in_flight) {
                    self.deliver(message)?;
                }
            }
            self.check()?;
            self.check_logs()?;
            let agreed = self.history.lock().entries.len();
            let configuration = self.configuration();
            let members = self.members.iter().filter(|member| contains(&configuration, member.id));
            let all = members.clone().all(|member| member.memory.lock().applied.len() == agreed);
            let leads = |member: &SimMember| {
                member.running.as_ref().map(|running| running.driver.leader()).filter(|state| state.is_leader)
            };
            let leader = members.filter_map(leads).max_by_key(|state| state.term).map(|state| state.leader);
            if all && asked {
                return Ok(());
            }
            if let Some(at) = leader.filter(|_| all).and_then(|id| self.index_of(id)) {
                asked = true;
                self.with(at, |member, _| member.input(Input::Propose(Bytes::from_static(b"last"))))?;
                if self.history.lock().entries.len() == agreed && self.members.len() == 1 {
                    return Err("a proposal to the only member was not applied at once".into());
                }
            }
        }
        let applied: Vec<_> = self.members.iter().map(|member| member.memory.lock().applied.len()).collect();
        let agreed = self.history.lock().entries.len();
        Err(format!("no agreement in {MAX_CALM_ROUNDS} rounds: {applied:?} of {agreed} applied"))
    }
}
