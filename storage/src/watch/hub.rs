//! The hub: what the apply thread publishes to, and what streams are made from.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::{fmt, io};

use parking_lot::Mutex;

use super::catch_up::{self, Signal};
use super::outbox::Room;
use super::selection::Pages;
use super::state::{State, Wakes};
use super::stats::Counters;
use super::{History, RevisionEvents, SelectedEvent, WatchStats, WatchStream};
use crate::ThreadPanic;

/// Bounds of a hub.
#[derive(Clone, Copy, Debug)]
pub struct WatchOptions {
    /// How many messages a stream's queue holds; one that goes to several watchers of the stream counts once.
    pub queue_messages: usize,
    /// How many bytes of encoded events one message may have, unless a single revision has more; clients take 4 MiB by
    /// default.
    pub message_bytes: usize,
    /// How many bytes of encoded events a stream's queue holds before it takes no more; what is published at once, or
    /// read from history at once, is taken or left as a whole.
    pub queue_bytes: usize,
    /// How many bytes of encoded events all queues may hold before only empty ones take any.
    pub held_bytes: usize,
    /// How many distinct revisions are read from history at a time.
    pub page_revisions: usize,
    /// About how many bytes are read from history at a time, values before the changes included.
    pub page_bytes: usize,
    /// How many watchers are served from one page.
    pub pass_watchers: usize,
}

impl Default for WatchOptions {
    fn default() -> WatchOptions {
        WatchOptions {
            queue_messages: 128,
            message_bytes: 1 << 20,
            queue_bytes: 1 << 20,
            held_bytes: 256 << 20,
            page_revisions: 1000,
            page_bytes: 4 << 20,
            pass_watchers: 512,
        }
    }
}

/// Tells watchers what changes. Dropping it ends all its streams.
#[derive(Debug)]
pub struct WatchHub {
    pub(super) shared: Arc<Hub>,
    catch_up: Option<JoinHandle<()>>,
}

/// What the hub's owner, its streams and its thread share.
pub(super) struct Hub {
    pub(super) history: Arc<dyn History>,
    pub(super) options: WatchOptions,
    /// Lock order: this one, then a stream's queue.
    pub(super) state: Mutex<State>,
    pub(super) signal: Signal,
    pub(super) counters: Counters,
    /// Bytes of encoded events that are alive anywhere.
    pub(super) held: Arc<AtomicUsize>,
    /// Why nobody catches up any more.
    pub(super) panicked: OnceLock<ThreadPanic>,
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("stats", &self.counters.stats()).finish_non_exhaustive()
    }
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

impl Hub {
    /// Events as messages of a size that clients take.
    pub(super) fn pages(&self, events: Box<[SelectedEvent]>) -> Pages {
        Pages::new(events, self.options.message_bytes, &self.held)
    }

    /// The room of each stream, by how much is held altogether.
    pub(super) fn room(&self) -> Room {
        if self.held.load(Ordering::Relaxed) < self.options.held_bytes {
            self.configured_room()
        } else {
            Room { messages: 1, bytes: 1 }
        }
    }

    pub(super) fn configured_room(&self) -> Room {
        Room { messages: self.options.queue_messages, bytes: self.options.queue_bytes }
    }
}
