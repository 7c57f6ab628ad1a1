//! The hub: what the apply thread publishes to, and what streams are made from.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;

use super::shared::{Hub, WatchOptions};
use super::signal::Signal;
use super::state::{State, Wakes};
use super::stats::Counters;
use super::{History, RevisionEvents, WatchStats, WatchStream, catch_up};
use crate::ThreadPanic;

/// Tells watchers what changes. Dropping it ends all its streams.
#[derive(Debug)]
pub struct WatchHub {
    pub(super) shared: Arc<Hub>,
    catch_up: Option<JoinHandle<()>>,
}

impl WatchHub {
    /// Starts with everything up to the store's revision counted as published.
    ///
    /// # Errors
    /// When the catch-up thread cannot be started.
    pub fn new(history: Arc<dyn History>, options: WatchOptions) -> io::Result<WatchHub> {
        let state = State { published: history.revision(), ..State::default() };
        let shared = Arc::new(Hub {
            history,
            options,
            state: Mutex::new(state),
            signal: Signal::default(),
            counters: Counters::default(),
            held: Arc::default(),
            panicked: OnceLock::new(),
        });
        let hub = Arc::clone(&shared);
        let catch_up = thread::Builder::new().name("watch-catch-up".into()).spawn(move || catch_up::run(&hub))?;
        Ok(WatchHub { shared, catch_up: Some(catch_up) })
    }

    /// Tells of revisions that the store has made, oldest first, none left out; those published before are ignored.
    /// One caller at a time. Never waits for a reader.
    pub fn publish(&self, revisions: &[RevisionEvents]) {
        let mut wakes = Wakes::default();
        let behind = self.shared.state.lock().publish(&self.shared, revisions, &mut wakes);
        wakes.wake();
        if behind {
            self.shared.signal.work();
        }
    }

    /// To be called when the store was replaced by a newer one, as by a snapshot of another member: every watcher
    /// reads from history what it has not seen.
    pub fn resync(&self) {
        let mut wakes = Wakes::default();
        self.shared.state.lock().resync(&self.shared, self.shared.history.revision(), &mut wakes);
        wakes.wake();
        self.shared.signal.work();
    }

    /// A new stream without watchers.
    pub fn stream(&self) -> WatchStream {
        WatchStream::new(Arc::clone(&self.shared))
    }

    /// A panic of the catch-up thread, if there was one: watchers that are behind stay behind.
    pub fn failure(&self) -> Option<ThreadPanic> {
        self.shared.panicked.get().cloned()
    }

    /// What the events that wait for readers take, in bytes.
    pub fn held_bytes(&self) -> usize {
        self.shared.held.load(Ordering::Relaxed)
    }

    pub fn stats(&self) -> WatchStats {
        self.shared.counters.stats()
    }
}

impl Drop for WatchHub {
    fn drop(&mut self) {
        self.shared.signal.stop();
        let mut wakes = Wakes::default();
        for (_, stream) in &self.shared.state.lock().streams {
            wakes.add(stream.outbox.close());
        }
        wakes.wake();
        if let Some(catch_up) = self.catch_up.take() {
            // A panic was caught and told.
            let _ = catch_up.join();
        }
    }
}
