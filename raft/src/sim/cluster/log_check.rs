//! Raft's own invariants, looked at after every turn of the member that took it: log matching, committed entries,
//! leader completeness, one membership change at a time.

use std::collections::HashMap;

use keyport_api::raftpb::Entry;

use super::Simulation;
use super::known_log::KnownLog;
use super::process::Process;
use crate::sim::machine::World;

/// What is known about entries and commits, over all members.
#[derive(Default)]
pub(super) struct LogBook {
    /// Of an entry, by index and term: what it holds, and the term of the one before.
    entries: HashMap<(u64, u64), (u32, Option<u64>)>,
    /// Of every committed entry, from index 1: its term, and the term of the member that first knew it committed.
    committed: Vec<(u64, u64)>,
    /// Committed entries that nobody has looked for on the disks.
    pub(super) unseen: bool,
}

fn place(index: u64) -> usize {
    usize::try_from(index.saturating_sub(1)).unwrap_or(usize::MAX)
}

impl LogBook {
    /// The last committed index, and the term of an entry.
    pub(super) fn committed(&self) -> u64 {
        self.committed.len() as u64
    }

    pub(super) fn term_at(&self, index: u64) -> Option<u64> {
        self.committed.get(place(index)).map(|(term, _)| *term)
    }

    /// Log matching: an entry is known by its index and term, and so is the one before it.
    fn enter(&mut self, entry: &Entry, before: Option<u64>) -> Result<(), String> {
        let data = entry.data.as_deref().unwrap_or_default();
        let content = crc32c::crc32c(data).wrapping_add(entry.r#type.unwrap_or(0).unsigned_abs());
        let known = self.entries.entry((entry.index(), entry.term())).or_insert((content, before));
        if known.1.is_none() {
            known.1 = before;
        }
        if known.0 != content || (before.is_some() && known.1 != before) {
            return Err(format!("two logs differ at index {} of term {}, or before", entry.index(), entry.term()));
        }
        Ok(())
    }

    fn commit(&mut self, process: &Process, known: &mut KnownLog, world: &World) -> Result<(), String> {
        let state = process.driver.hard_state();
        if state.commit() < known.commit {
            return Err(format!("the commit index falls from {} to {}", known.commit, state.commit()));
        }
        for index in known.commit + 1..=state.commit() {
            // What the log does not have any more was applied.
            let applied = || world.entries.get(place(index)).map(|applied| applied.term);
            let Some(term) = process.driver.term_at(index).or_else(applied) else {
                return Err(format!("entry {index} is committed, but neither in the log nor applied"));
            };
            match self.term_at(index) {
                Some(committed) if committed != term => {
                    return Err(format!("entry {index} was committed with term {committed} and is {term} here"));
                }
                None if place(index) == self.committed.len() => {
                    self.committed.push((term, state.term()));
                    self.unseen = true;
                }
                _ => {}
            }
        }
        known.commit = state.commit();
        Ok(())
    }

    /// A leader has everything that was committed in earlier terms.
    fn check_leader(&self, process: &Process, term: u64) -> Result<(), String> {
        let earlier = self.committed.iter().rposition(|(_, known_in)| *known_in < term);
        let Some((index, (committed, _))) = earlier.map(|at| (at as u64 + 1, self.committed[at])) else {
            return Ok(());
        };
        match process.driver.term_at(index) {
            Some(found) if found == committed => Ok(()),
            None if process.driver.delivered().index >= index => Ok(()),
            found => Err(format!(
                "the leader of term {term} has {found:?} where index {index} was committed with term {committed}"
            )),
        }
    }
}

impl Simulation {
    pub(super) fn look_at_log(&mut self, at: usize) -> Result<(), String> {
        let member = &mut self.members[at];
        let (id, known) = (member.id, &mut member.known);
        let super::Run::Up(process) = &member.run else { return Ok(()) };
        let driver = &process.driver;
        let last = driver.last_index();
        known.terms.resize(place(last + 1), 0);
        for index in (1..=last).rev() {
            let Some(entry) = driver.entry(index) else { break };
            if known.terms[place(index)] == entry.term() {
                break;
            }
            known.terms[place(index)] = entry.term();
            let before = driver.term_at(index - 1);
            self.logs.enter(&entry, before).map_err(|what| format!("member {id}: {what}"))?;
        }
        self.logs.commit(process, known, &self.world.lock()).map_err(|what| format!("member {id}: {what}"))?;
        let leader = driver.leader();
        if leader.is_leader {
            if self.leaders.get(&leader.term) == Some(&id) {
                self.logs.check_leader(process, leader.term)?;
            }
            let open = (self.logs.committed() + 1..=last).filter_map(|index| driver.entry(index));
            let changes = open.filter(|entry| entry.r#type.unwrap_or(0) != 0).count();
            if changes > 1 {
                return Err(format!("member {id} leads with {changes} membership changes that are not committed"));
            }
        }
        self.look_at_disks()
    }
}
