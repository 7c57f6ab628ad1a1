//! Linearizable reads: many waiters, one round.

use std::collections::VecDeque;

use crate::plant::{Plant, Plants};

/// Identifies a waiter to the caller.
pub type ReadToken = u64;

/// Rounds without an answer whose late answer would still be taken.
const MAX_OPEN: usize = 16;

/// One ReadIndex round at a time; who comes meanwhile shares the next one.
///
/// A context is never used twice, not even by another run of this member: it names the member, the run and a count. So
/// an answer is always the answer to the round that it names, and serves whoever was waiting when that round began,
/// however late it comes and however often the question was repeated meanwhile: on a slow disk it always comes late.
#[derive(Debug)]
pub(super) struct Reads {
    prefix: [u8; 16],
    /// Rounds begun so far.
    rounds: u64,
    /// Rounds without an answer, the oldest in front.
    open: VecDeque<u64>,
    waiting: Vec<Waiting>,
    /// Ticks since the last round began, while it is worth waiting for.
    in_flight: Option<usize>,
    plants: Plants,
}

#[derive(Debug)]
struct Waiting {
    token: ReadToken,
    /// The first round that began after it came; none if it still waits for one.
    since: Option<u64>,
}

impl Reads {
    pub(super) fn new(id: u64, boot_id: u64, plants: Plants) -> Reads {
        let mut prefix = [0; 16];
        let (member, boot) = prefix.split_at_mut(8);
        member.copy_from_slice(&id.to_be_bytes());
        boot.copy_from_slice(&boot_id.to_be_bytes());
        Reads { prefix, rounds: 0, open: VecDeque::new(), waiting: Vec::new(), in_flight: None, plants }
    }

    pub(super) fn add(&mut self, token: ReadToken) {
        self.waiting.push(Waiting { token, since: None });
    }

    /// The context of a round to be started now, if one is due.
    pub(super) fn start(&mut self) -> Option<Vec<u8>> {
        if self.in_flight.is_some() || self.waiting.is_empty() {
            return None;
        }
        if !self.plants.has(Plant::ReuseReadContext) {
            self.rounds += 1;
        }
        for waiting in &mut self.waiting {
            waiting.since.get_or_insert(self.rounds);
        }
        if self.open.len() >= MAX_OPEN {
            self.open.pop_front();
        }
        self.open.push_back(self.rounds);
        self.in_flight = Some(0);
        let mut context = self.prefix.to_vec();
        context.extend_from_slice(&self.rounds.to_be_bytes());
        Some(context)
    }

    /// Takes an answer; returns who is served by it.
    pub(super) fn finish(&mut self, context: &[u8]) -> Vec<ReadToken> {
        let round = context.strip_prefix(&self.prefix).and_then(|count| count.try_into().ok()).map(u64::from_be_bytes);
        let Some(round) = round.filter(|round| self.open.contains(round)) else { return Vec::new() };
        // Whom an earlier round would have served, this one has.
        self.open.retain(|open| *open > round);
        if self.open.is_empty() {
            self.in_flight = None;
        }
        let served = self.waiting.extract_if(.., |waiting| waiting.since.is_some_and(|since| since <= round));
        served.map(|waiting| waiting.token).collect()
    }

    /// Counts a tick; gives up a round that has lasted for `limit` of them. Returns whether it did.
    pub(super) fn tick(&mut self, limit: usize) -> bool {
        match &mut self.in_flight {
            Some(age) if *age >= limit => {
                self.give_up();
                true
            }
            Some(age) => {
                *age += 1;
                false
            }
            None => false,
        }
    }

    /// Forgets waiters that have gone.
    pub(super) fn retain(&mut self, alive: impl Fn(ReadToken) -> bool) {
        self.waiting.retain(|waiting| alive(waiting.token));
    }

    /// The last round may never be answered: another one may begin.
    pub(super) fn give_up(&mut self) {
        self.in_flight = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiters_share_rounds() {
        let mut reads = Reads::new(1, 2, Plants::default());
        assert_eq!(reads.start(), None);
        reads.add(1);
        reads.add(2);
        let first = reads.start().unwrap();
        reads.add(3);
        assert_eq!(reads.start(), None);
        assert!(reads.finish(b"other").is_empty());
        assert_eq!(reads.finish(&first), [1, 2]);
        assert!(reads.finish(&first).is_empty());
        let second = reads.start().unwrap();
        assert_ne!(first, second);
        assert_eq!(reads.finish(&second), [3]);
    }

    #[test]
    fn an_answer_serves_whoever_waited_when_its_round_began() {
        let mut reads = Reads::new(1, 2, Plants::default());
        reads.add(1);
        let first = reads.start().unwrap();
        assert!(!reads.tick(1));
        assert!(reads.tick(1));
        reads.add(2);
        let second = reads.start().unwrap();
        assert_eq!(reads.start(), None);
        // The answer to the first round is late, but it came after the question of 1; that of 2 is another one.
        assert_eq!(reads.finish(&first), [1]);
        assert_eq!(reads.start(), None, "the second round is still under way");
        assert_eq!(reads.finish(&second), [2]);
    }

    #[test]
    fn a_later_answer_serves_earlier_rounds_too() {
        let mut reads = Reads::new(1, 2, Plants::default());
        reads.add(1);
        let first = reads.start().unwrap();
        reads.give_up();
        reads.add(2);
        let second = reads.start().unwrap();
        assert_eq!(reads.finish(&second), [1, 2]);
        assert!(reads.finish(&first).is_empty());
    }

    #[test]
    fn no_context_comes_back() {
        let mut reads = Reads::new(1, 2, Plants::default());
        reads.add(1);
        let first = reads.start().unwrap();
        let mut next_run = Reads::new(1, 3, Plants::default());
        next_run.add(1);
        assert_ne!(next_run.start().unwrap(), first);
        assert!(next_run.finish(&first).is_empty());
        // What is remembered of rounds without an answer is bounded.
        for _ in 0..2 * MAX_OPEN {
            reads.give_up();
            reads.start().unwrap();
        }
        assert!(reads.finish(&first).is_empty());
        assert_eq!(reads.open.len(), MAX_OPEN);
    }
}
