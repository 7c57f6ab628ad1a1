//! Whose turn it is to be defragmented.
//!
//! The leader gives turns: it asks every member whether one is under way, and only if all of them say no, it has the next one begin.
//! Who asks says in which term he leads, and from then on nobody of an earlier term can have it begin here. So of two leaders, of
//! whom one does not know that he is none any more, the later has either seen what the earlier began, or made sure that it cannot
//! begin: there are never two members at once that were told to. What somebody asks for by hand does not wait, but counts.

use std::sync::Arc;

use parking_lot::Mutex;

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct Turn(Arc<Mutex<Standing>>);

#[derive(Debug, Default)]
struct Standing {
    running: usize,
    /// The latest term in which a leader has asked.
    term: u64,
}

impl Turn {
    /// For the leader of `term`: whether a defragmentation is under way.
    pub(crate) fn ask(&self, term: u64) -> bool {
        let mut standing = self.0.lock();
        standing.term = standing.term.max(term);
        standing.running > 0
    }

    /// The leader of `term` says so. None if there is a later one, or one is under way.
    pub(crate) fn begin(&self, term: u64) -> Option<Running> {
        let mut standing = self.0.lock();
        if standing.running > 0 || term < standing.term {
            return None;
        }
        standing.running += 1;
        Some(Running(Arc::clone(&self.0)))
    }

    pub(super) fn begin_by_hand(&self) -> Running {
        self.0.lock().running += 1;
        Running(Arc::clone(&self.0))
    }
}

/// A defragmentation, for as long as it is there.
#[derive(Debug)]
pub(crate) struct Running(Arc<Mutex<Standing>>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.lock().running -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_nobody_of_an_earlier_term() {
        let turn = Turn::default();
        assert!(!turn.ask(3));
        assert!(turn.begin(2).is_none(), "the leader of term 3 has asked");
        let running = turn.begin(3).unwrap();
        assert!(turn.begin(4).is_none() && turn.ask(4), "one is under way");
        let by_hand = turn.begin_by_hand();
        drop(running);
        assert!(turn.ask(4) && turn.begin(4).is_none());
        drop(by_hand);
        assert!(turn.begin(3).is_none());
        assert!(turn.begin(4).is_some());
    }
}
