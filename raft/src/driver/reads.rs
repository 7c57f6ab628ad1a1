//! Linearizable reads: many waiters, one round.

use std::mem;

/// Identifies a waiter to the caller.
pub type ReadToken = u64;

/// One ReadIndex round at a time; who comes meanwhile shares the next one.
///
/// A context is never used twice, not even by another run of this member: it names the member, the run and a count. An
/// answer to an earlier round that was given up is therefore never taken for an answer to a later one.
#[derive(Debug)]
pub(super) struct Reads {
    prefix: [u8; 16],
    rounds: u64,
    in_flight: Option<Round>,
    waiting: Vec<ReadToken>,
    /// What a round adds to the count; 0 only as a planted bug.
    step: u64,
}

#[derive(Debug)]
struct Round {
    context: Vec<u8>,
    tokens: Vec<ReadToken>,
    /// Ticks since it was started.
    age: usize,
}

impl Reads {
    pub(super) fn new(id: u64, boot_id: u64) -> Reads {
        let mut prefix = [0; 16];
        let (member, boot) = prefix.split_at_mut(8);
        member.copy_from_slice(&id.to_be_bytes());
        boot.copy_from_slice(&boot_id.to_be_bytes());
        Reads { prefix, rounds: 0, in_flight: None, waiting: Vec::new(), step: 1 }
    }

    #[cfg(any(test, feature = "sim"))]
    pub(super) fn plant(self, plant: crate::sim::Plant) -> Reads {
        Reads { step: u64::from(plant != crate::sim::Plant::ReuseReadContext), ..self }
    }

    pub(super) fn add(&mut self, token: ReadToken) {
        self.waiting.push(token);
    }

    /// The context of a round to be started now, if one is due.
    pub(super) fn start(&mut self) -> Option<Vec<u8>> {
        if self.in_flight.is_some() || self.waiting.is_empty() {
            return None;
        }
        self.rounds += self.step;
        let mut context = self.prefix.to_vec();
        context.extend_from_slice(&self.rounds.to_be_bytes());
        self.in_flight = Some(Round { context: context.clone(), tokens: mem::take(&mut self.waiting), age: 0 });
        Some(context)
    }

    /// Takes an answer; returns who waited for it.
    pub(super) fn finish(&mut self, context: &[u8]) -> Vec<ReadToken> {
        self.in_flight.take_if(|round| round.context == context).map(|round| round.tokens).unwrap_or_default()
    }

    /// Counts a tick; gives up a round that has lasted for `limit` of them. Returns whether it did.
    pub(super) fn tick(&mut self, limit: usize) -> bool {
        match &mut self.in_flight {
            Some(round) if round.age >= limit => {
                self.give_up();
                true
            }
            Some(round) => {
                round.age += 1;
                false
            }
            None => false,
        }
    }

    /// Forgets waiters that have gone.
    pub(super) fn retain(&mut self, alive: impl Fn(ReadToken) -> bool) {
        self.waiting.retain(|token| alive(*token));
    }

    /// The round will not be answered: its waiters share the next one.
    pub(super) fn give_up(&mut self) {
        if let Some(round) = self.in_flight.take() {
            let late = mem::replace(&mut self.waiting, round.tokens);
            self.waiting.extend(late);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiters_share_rounds() {
        let mut reads = Reads::new(1, 2);
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
    fn a_round_given_up_is_never_answered() {
        let mut reads = Reads::new(1, 2);
        reads.add(1);
        let first = reads.start().unwrap();
        assert!(!reads.tick(1));
        assert!(reads.tick(1));
        reads.add(2);
        let second = reads.start().unwrap();
        assert!(reads.finish(&first).is_empty());
        assert_eq!(reads.finish(&second), [1, 2]);
        let mut next_run = Reads::new(1, 3);
        next_run.add(1);
        assert_ne!(next_run.start().unwrap(), first);
    }
}
