//! What every call counts is kept per thread slot, on cache lines of its own, so that the workers do not pass lines to and
//! fro; a scrape adds the slots up.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Slots for threads; a power of two.
const SLOTS: usize = 4;

/// One of each for every slot.
#[derive(Debug, Default)]
pub(super) struct Slots<T>([Lines<T>; SLOTS]);

#[derive(Debug, Default)]
#[repr(align(64))]
struct Lines<T>(T);

impl<T> Slots<T> {
    /// That of the thread that asks.
    pub(super) fn own(&self) -> &T {
        // SLOT is below SLOTS, which the mask lets the compiler see.
        &self.0[SLOT.get() & (SLOTS - 1)].0
    }

    /// The sum over all of them.
    pub(super) fn sum(&self, of: impl Fn(&T) -> u64) -> u64 {
        self.0.iter().map(|lines| of(&lines.0)).sum()
    }
}

thread_local! {
    static SLOT: Cell<usize> = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        Cell::new(NEXT.fetch_add(1, Relaxed) % SLOTS)
    };
}
