//! What waits for a stream's reader, within bounds.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use foldhash::fast::RandomState;
use parking_lot::Mutex;

use super::{Selection, WatchMessage};

/// Cancelled ids that are not worth a sweep.
const CANCELLED_SLACK: usize = 64;

/// Bounds of one outbox.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

/// A watcher as its stream names it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) watch_id: i64,
    /// Index of the watcher in the hub.
    pub(super) watcher: usize,
    pub(super) fragment: bool,
}

/// A selection for one or more watchers of a stream.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) members: Arc<[Member]>,
    pub(super) revision: i64,
    pub(super) selection: Arc<Selection>,
}

#[derive(Debug)]
enum Entry {
    Message(WatchMessage),
    Delivery(Delivery),
}

/// One stream's queue. The hub fills it, the stream's reader empties it.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    entries: VecDeque<Entry>,
    /// How many entries were taken out before the first in `entries`.
    taken: u64,
    /// How many members of the first entry already have their message.
    served: usize,
    bytes: usize,
    pending_events: usize,
    reader: Option<Waker>,
    /// A watcher of this stream waits for room.
    wanted: bool,
    closed: bool,
    /// Cancelled watch ids: what was queued for them before this entry is dropped.
    cancelled: HashMap<i64, u64, RandomState>,
}

/// What came of offering a delivery.
pub(super) enum Offer {
    Queued {
        events: usize,
        reader: Option<Waker>,
    },
    /// No room; the reader will report when there is.
    Full,
}

/// What a poll took out.
pub(super) struct Taken {
    pub(super) messages: usize,
    pub(super) events: usize,
    /// How far the count of pending events fell; more than `events` if some were dropped.
    pub(super) settled: usize,
    /// There is room again for which a watcher waits.
    pub(super) has_room: bool,
    pub(super) closed: bool,
}

impl Outbox {
    /// Queues a message that has no bound of its own: there is at most a few for each request of the client.
    pub(super) fn say(&self, message: WatchMessage) -> Option<Waker> {
        let mut queue = self.queue.lock();
        queue.entries.push_back(Entry::Message(message));
        queue.reader.take()
    }

    /// Queues a message unless the outbox is full.
    pub(super) fn say_if_room(&self, message: WatchMessage, room: Room) -> Option<Waker> {
        let mut queue = self.queue.lock();
        if !queue.has_room(room) {
            return None;
        }
        queue.entries.push_back(Entry::Message(message));
        queue.reader.take()
    }

    /// Queues deliveries that follow one another, all or none of them.
    pub(super) fn offer(&self, deliveries: impl Iterator<Item = Delivery>, room: Room) -> Offer {
        let mut queue = self.queue.lock();
        if !queue.has_room(room) {
            queue.wanted = true;
            return Offer::Full;
        }
        let mut events = 0;
        for delivery in deliveries {
            events += delivery.selection.len() * delivery.members.len();
            queue.bytes += delivery.selection.encoded_len();
            queue.entries.push_back(Entry::Delivery(delivery));
        }
        queue.pending_events += events;
        Offer::Queued { events, reader: queue.reader.take() }
    }

    /// Whether a delivery would be taken now; if not, the reader will report when there is room.
    pub(super) fn has_room(&self, room: Room) -> bool {
        let mut queue = self.queue.lock();
        let has_room = queue.has_room(room);
        queue.wanted |= !has_room;
        has_room
    }

    /// Drops what is queued for a watcher.
    pub(super) fn forget(&self, watch_id: i64) {
        let mut queue = self.queue.lock();
        if queue.entries.iter().any(|entry| matches!(entry, Entry::Delivery(_))) {
            let (taken, waiting) = (queue.taken, queue.entries.len());
            // Each that still matters has its answer in the queue, so a sweep leaves at most as many as wait there.
            if queue.cancelled.len() > 2 * waiting + CANCELLED_SLACK {
                queue.cancelled.retain(|_, end| *end > taken);
            }
            queue.cancelled.insert(watch_id, taken + waiting as u64);
        }
    }

    #[cfg(test)]
    pub(super) fn remembered_cancellations(&self) -> usize {
        self.queue.lock().cancelled.len()
    }

    pub(super) fn close(&self) -> Option<Waker> {
        let mut queue = self.queue.lock();
        queue.closed = true;
        queue.reader.take()
    }

    /// How many messages wait.
    pub(super) fn len(&self) -> usize {
        self.queue.lock().entries.len()
    }

    pub(super) fn pending_events(&self) -> usize {
        self.queue.lock().pending_events
    }

    /// Takes out up to `max` messages. Ready without any when it is closed, or when only what was cancelled was taken
    /// out.
    pub(super) fn poll(
        &self,
        cx: &mut Context<'_>,
        max: usize,
        room: Room,
        mut each: impl FnMut(WatchMessage),
    ) -> Poll<Taken> {
        let mut queue = self.queue.lock();
        let pending = queue.pending_events;
        let (mut messages, mut events) = (0, 0);
        while messages < max
            && let Some(message) = queue.take_message()
        {
            if let WatchMessage::Events { selection, .. } = &message {
                events += selection.len();
            }
            messages += 1;
            each(message);
        }
        let settled = pending - queue.pending_events;
        let has_room = queue.wanted && queue.entries.len() <= room.messages / 2 && queue.bytes <= room.bytes / 2;
        if has_room {
            queue.wanted = false;
        }
        // Cancelled watchers may leave nothing to say, but room to report.
        if messages == 0 && !queue.closed && !has_room && settled == 0 {
            match &queue.reader {
                Some(reader) if reader.will_wake(cx.waker()) => {}
                _ => queue.reader = Some(cx.waker().clone()),
            }
            return Poll::Pending;
        }
        Poll::Ready(Taken { messages, events, settled, has_room, closed: queue.closed })
    }
}

impl Queue {
    fn has_room(&self, room: Room) -> bool {
        self.entries.is_empty() || (self.entries.len() < room.messages && self.bytes < room.bytes)
    }

    fn take_message(&mut self) -> Option<WatchMessage> {
        loop {
            let delivery = match self.entries.front()? {
                Entry::Delivery(delivery) => delivery,
                Entry::Message(_) => {
                    let Some(Entry::Message(message)) = self.take_entry() else { return None };
                    return Some(message);
                }
            };
            let (revision, selection) = (delivery.revision, Arc::clone(&delivery.selection));
            let member = delivery.members.get(self.served).copied();
            let cancelled = member.is_some_and(|member| self.is_cancelled(member.watch_id));
            self.served += 1;
            if self.served >= delivery.members.len() {
                self.bytes -= selection.encoded_len();
                self.take_entry();
            }
            let Some(Member { watch_id, fragment, .. }) = member else { continue };
            self.pending_events -= selection.len();
            if !cancelled {
                return Some(WatchMessage::Events { watch_id, revision, selection, fragment });
            }
        }
    }

    /// Whether the watcher of the entry in front was cancelled after the entry was queued.
    fn is_cancelled(&self, watch_id: i64) -> bool {
        !self.cancelled.is_empty() && self.cancelled.get(&watch_id).is_some_and(|&end| self.taken < end)
    }

    fn take_entry(&mut self) -> Option<Entry> {
        self.served = 0;
        self.taken += 1;
        let entry = self.entries.pop_front();
        if self.entries.is_empty() {
            self.cancelled.clear();
        }
        entry
    }
}
