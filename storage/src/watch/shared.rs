//! What the hub's owner, its streams and its thread share.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::outbox::Room;
use super::selection::Pages;
use super::signal::Signal;
use super::state::State;
use super::stats::Counters;
use super::{History, SelectedEvent};
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

/// See the module's text.
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
