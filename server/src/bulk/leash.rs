//! How far a read may go before it has to stop, or to move.

use std::cell::Cell;
use std::thread;

use keyport_storage::mvcc::Pace;

use super::Gone;

/// Keys that a read may look at on an event loop.
const KEYS: usize = 4096;

/// See the module's text.
#[derive(Debug)]
pub(crate) enum Leash<'a> {
    /// On an event loop: what is left of the budget, in keys.
    Short(Cell<usize>),
    /// Aside: as long as somebody waits.
    Long(&'a Gone),
}

impl<'a> Leash<'a> {
    /// For a read on an event loop: less than a millisecond, and of what is in memory alone.
    pub(crate) fn short() -> Leash<'a> {
        Leash::Short(Cell::new(KEYS))
    }

    /// For a read aside.
    pub(crate) fn long(gone: &'a Gone) -> Leash<'a> {
        Leash::Long(gone)
    }

    /// Whether somebody is held up by it.
    pub(crate) fn is_short(&self) -> bool {
        matches!(self, Leash::Short(_))
    }

    /// Whether a reader goes on that has just done this, or is about to.
    pub(crate) fn goes_on(&self, pace: Pace) -> bool {
        match (self, pace) {
            (Leash::Short(left), Pace::Keys(keys)) => {
                let rest = left.get().saturating_sub(keys);
                left.set(rest);
                rest > 0
            }
            // How long the disk takes is not known.
            (Leash::Short(_), Pace::Rows(_)) => false,
            (Leash::Long(gone), _) => {
                // The reader holds no lock now. Were its time to end while it holds one, a writer would wait until it is its
                // turn again, and so would everybody who waits for the writer.
                thread::yield_now();
                !gone.is_so()
            }
        }
    }
}
