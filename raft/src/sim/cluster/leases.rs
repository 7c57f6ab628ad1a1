//! Leases: clients grant, renew and revoke them through any member, and the leader revokes those that run out.
//!
//! A renewal goes to whoever believes to lead, and not through the log; what it promises must hold all the same:
//!
//! - a lease whose revocation was acknowledged is not renewed any more;
//! - nobody hears that a lease is gone while it lives;
//! - what a leader decided about a lease does not end it once a later leader has renewed it (looked at when it is
//!   applied: `Memory::execute`).

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use tokio::sync::oneshot;

use super::Simulation;
use crate::inbox::Input;
use crate::sim::Plant;
use crate::sim::command::Command;
use crate::sim::lessor::LeaseId;

/// Leases that clients have at once.
const MAX_LEASES: usize = 5;
/// Steps for which a leader that was confirmed as such needs no other confirmation.
const CONFIRMED: usize = 150;
/// Renewals under way.
const MAX_RENEWALS: usize = 8;

/// What clients know, and what is under way.
#[derive(Default)]
pub(super) struct LeaseBook {
    granted: LeaseId,
    known: BTreeMap<LeaseId, Known>,
    /// Asked of a member, in one of its runs, and not answered yet.
    asked: Vec<(usize, u64, Command)>,
    renewals: Vec<Renewal>,
    /// Revocations that were acknowledged a moment ago.
    just_revoked: Vec<LeaseId>,
    /// Revocations that a leader has decided on and not proposed yet, with its place and run.
    decided: Vec<(usize, u64, Command)>,
    /// Leaders that a quorum has confirmed: term and step.
    confirmed: BTreeMap<usize, (u64, usize)>,
}

/// What was acknowledged of a lease.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    granted: bool,
    revoked: bool,
}

struct Renewal {
    lease: LeaseId,
    /// When it began.
    known: Known,
    at: usize,
    boot: u64,
    term: u64,
    stage: Stage,
}

enum Stage {
    /// Asked a quorum who leads.
    Asked(oneshot::Receiver<u64>),
    /// Waits until this is applied.
    Index(u64),
}

impl Simulation {
    pub(super) fn lease_step(&mut self) -> Result<(), String> {
        self.find_expired();
        let at = self.pick();
        match self.random.below(10) {
            0..2 if self.leases.known.len() < MAX_LEASES => {
                self.leases.granted += 1;
                let id = self.leases.granted;
                self.leases.known.insert(id, Known::default());
                self.ask_for_lease(at, Command::Grant(id))
            }
            2 | 3 => match self.some_lease() {
                // A revocation that comes before the grant ends nothing.
                Some(id) if self.leases.known.get(&id).is_some_and(|known| known.granted) => {
                    self.ask_for_lease(at, Command::Revoke(id))
                }
                _ => Ok(()),
            },
            4 => self.propose_decision(),
            _ => match self.some_lease() {
                Some(id) => self.ask_to_renew(id),
                None => Ok(()),
            },
        }
    }

    fn some_lease(&mut self) -> Option<LeaseId> {
        let index = self.random.index(self.leases.known.len().max(1));
        self.leases.known.keys().nth(index).copied()
    }

    fn ask_for_lease(&mut self, at: usize, command: Command) -> Result<(), String> {
        if !self.members[at].is_running() {
            return Ok(());
        }
        self.leases.asked.push((at, self.members[at].boots, command));
        let id = self.members[at].id;
        self.say(|| format!("member {id} is asked for {command:?}"));
        self.give(at, Input::Propose(command.encode(0)))
    }

    /// What a member has carried out since the last look, for whoever asked it in this run.
    pub(super) fn answer_leases(&mut self, at: usize) {
        let done = std::mem::take(&mut self.members[at].memory.lock().carried_out);
        let boot = self.members[at].boots;
        for command in done {
            let LeaseBook { asked, known, just_revoked, .. } = &mut self.leases;
            let Some(place) = asked.iter().position(|known| *known == (at, boot, command)) else { continue };
            asked.swap_remove(place);
            let (Command::Grant(lease) | Command::Revoke(lease)) = command else { continue };
            if let Some(known) = known.get_mut(&lease) {
                known.granted |= command == Command::Grant(lease);
                known.revoked |= command == Command::Revoke(lease);
            }
            if command == Command::Revoke(lease) {
                just_revoked.push(lease);
            }
            self.say(|| format!("{command:?} is acknowledged"));
        }
    }

    /// Leases that have run out, as whoever leads, or did a moment ago, finds.
    fn find_expired(&mut self) {
        for at in 0..self.members.len() {
            let member = &self.members[at];
            if !member.is_running() || member.paused_until > self.step {
                continue;
            }
            let boot = member.boots;
            let mut memory = member.memory.lock();
            let due = memory.lessor.due();
            // Noticed a little later, as by the server.
            let in_office = memory.leader.filter(|leader| leader.is_leader).map(|leader| leader.term);
            if memory.lessor.primary_in.is_some_and(|term| in_office != Some(term)) {
                memory.lessor.demote();
            }
            drop(memory);
            for (lease, decided_in) in due {
                let decision = (at, boot, Command::Expire { lease, decided_in });
                if !self.leases.decided.contains(&decision) {
                    self.leases.decided.push(decision);
                }
            }
        }
    }

    /// It takes its time from a decision to its proposal.
    fn propose_decision(&mut self) -> Result<(), String> {
        if self.leases.decided.is_empty() {
            return Ok(());
        }
        let place = self.random.index(self.leases.decided.len());
        let (at, boot, command) = self.leases.decided.swap_remove(place);
        let Command::Expire { decided_in: term, .. } = command else { return Ok(()) };
        if self.members[at].boots != boot {
            return Ok(());
        }
        self.summary.expiries += 1;
        let id = self.members[at].id;
        self.say(|| format!("member {id} proposes {command:?}"));
        self.give(at, Input::ProposeInTerm { term, data: command.encode(0) })
    }

    fn ask_to_renew(&mut self, lease: LeaseId) -> Result<(), String> {
        let leaders = self.leaders_in_their_own_eyes();
        if leaders.is_empty() || self.leases.renewals.len() >= MAX_RENEWALS {
            return Ok(());
        }
        let at = leaders[self.random.index(leaders.len())];
        let known = self.leases.known.get(&lease).copied().unwrap_or_default();
        let (status, boot) = (&self.members[at].status, self.members[at].boots);
        let term = status.term.load(Ordering::Acquire);
        let told = status.told.load(Ordering::Acquire);
        let (stage, input) = match status.sole_voter_index() {
            Some(index) => (Stage::Index(index), None),
            None if self.leads_for_sure(at, term) => (Stage::Index(told), None),
            None => {
                let (send, answer) = oneshot::channel();
                (Stage::Asked(answer), Some(Input::ReadIndex(send)))
            }
        };
        self.leases.renewals.push(Renewal { lease, known, at, boot, term, stage });
        input.map_or(Ok(()), |input| self.give(at, input))
    }

    /// Whether a quorum has confirmed this leader a moment ago. The server measures that with clocks, which are wild here:
    /// instead, that nobody was elected since is looked up.
    fn leads_for_sure(&self, at: usize, term: u64) -> bool {
        let confirmed = self.leases.confirmed.get(&at);
        let lately = confirmed.is_some_and(|(known, step)| *known == term && *step + CONFIRMED > self.step);
        let unchallenged = self.leaders.keys().next_back() <= Some(&term);
        let handed_over = self.members[at].status.handed_over.load(Ordering::Acquire) == term;
        lately && unchallenged && !handed_over
    }

    /// Renewals that can be answered.
    pub(super) fn look_at_renewals(&mut self) -> Result<(), String> {
        // Somebody may try at once, where it is not applied yet.
        for lease in std::mem::take(&mut self.leases.just_revoked) {
            self.ask_to_renew(lease)?;
        }
        let mut renewals = std::mem::take(&mut self.leases.renewals);
        for mut renewal in renewals.drain(..) {
            let member = &self.members[renewal.at];
            let status = &member.status;
            let in_office = status.leader.load(Ordering::Acquire) == member.id
                && status.term.load(Ordering::Acquire) == renewal.term;
            if member.boots != renewal.boot || !member.is_running() || !in_office {
                continue;
            }
            if let Stage::Asked(answer) = &mut renewal.stage
                && let Ok(index) = answer.try_recv()
            {
                self.leases.confirmed.insert(renewal.at, (renewal.term, self.step));
                renewal.stage = Stage::Index(index);
            }
            let Stage::Index(index) = renewal.stage else {
                self.leases.renewals.push(renewal);
                continue;
            };
            let is_applied = member.memory.lock().now.index >= index || self.options.plant == Plant::RenewUnapplied;
            if is_applied && member.paused_until <= self.step && self.random.chance(50) {
                self.renew(&renewal)?;
            } else {
                self.leases.renewals.push(renewal);
            }
        }
        Ok(())
    }

    fn renew(&mut self, renewal: &Renewal) -> Result<(), String> {
        let Renewal { lease, known, at, term, .. } = *renewal;
        let mut memory = self.members[at].memory.lock();
        if memory.lessor.primary_in != Some(term) {
            return Ok(());
        }
        if !memory.now.leases.contains(&lease) {
            drop(memory);
            let ended = self.world.lock().ended.contains(&lease);
            if known.granted && !ended {
                return Err(format!("member {} says that lease {lease} is gone, and it lives", self.members[at].id));
            }
            // It is gone, or may never have come: nobody asks for it any more.
            self.leases.known.remove(&lease);
            return Ok(());
        }
        // One that has run out is not answered for before it is revoked.
        if memory.lessor.renew(lease) {
            drop(memory);
            if known.revoked {
                return Err(format!("lease {lease} is renewed after its revocation was acknowledged"));
            }
            self.summary.renewals += 1;
            let mut world = self.world.lock();
            let renewed_in = world.renewed.entry(lease).or_default();
            *renewed_in = term.max(*renewed_in);
            drop(world);
            self.say(|| format!("lease {lease} is renewed in term {term}"));
        }
        Ok(())
    }
}
