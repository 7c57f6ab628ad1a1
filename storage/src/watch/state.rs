//! Streams and watchers, and where each watcher stands.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::task::Waker;

use foldhash::fast::RandomState;
use slab::Slab;

use super::groups::{Groups, StreamId};
use super::outbox::{Delivery, Member, Offer, Outbox};
use super::range_index::GroupId;
use super::selector::Selector;
use super::stats::Counters;

/// Index of a watcher in the hub.
pub(super) type WatcherId = usize;

/// Everything behind the hub's lock.
#[derive(Debug, Default)]
pub(super) struct State {
    /// The newest revision published.
    pub(super) published: i64,
    pub(super) streams: Slab<Stream>,
    pub(super) watchers: Slab<Watcher>,
    pub(super) groups: Groups,
    /// (next revision, watcher) of those that wait for the present to reach them.
    pub(super) ahead: BTreeSet<(i64, WatcherId)>,
    /// (next revision, watcher) of those that the catch-up thread is to serve.
    pub(super) behind: BTreeSet<(i64, WatcherId)>,
    /// Progress requests to answer once a revision that the store already has is published.
    pub(super) progress_due: Vec<(StreamId, i64)>,
    /// Counts watchers ever made, to tell users of one index apart.
    pub(super) created: u64,
    /// Counts publications and catch-up passes, for "no events since".
    pub(super) deliveries: u64,
}

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) outbox: Arc<Outbox>,
    pub(super) watchers: HashMap<i64, WatcherId, RandomState>,
    pub(super) next_id: i64,
    pub(super) parked: BTreeSet<WatcherId>,
}

#[derive(Debug)]
pub(super) struct Watcher {
    pub(super) serial: u64,
    pub(super) stream: StreamId,
    pub(super) watch_id: i64,
    pub(super) group: GroupId,
    /// As requested; 0 for "from now".
    pub(super) start_revision: i64,
    pub(super) fragment: bool,
    pub(super) progress_notify: bool,
    pub(super) position: Position,
    /// When it last got events on its own, and when it was last looked at for a progress notification.
    pub(super) last_sent: u64,
    pub(super) ticked: u64,
}

/// Where a watcher stands. Revisions are the next one that it is to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Position {
    /// Among its group's synced members: its next revision is the next to be published.
    Synced,
    /// Its next revision is farther in the future.
    Ahead(i64),
    /// Waits for the catch-up thread.
    Behind(i64),
    /// Its stream is full.
    Parked(i64),
    /// Lost to compaction, and holding on to its id.
    Compacted,
    /// In no list; only between two positions.
    Nowhere,
}

impl Position {
    fn is_slow(self) -> bool {
        matches!(self, Position::Behind(_) | Position::Parked(_))
    }
}

impl State {
    pub(super) fn add_watcher(&mut self, mut watcher: Watcher, position: Position, counters: &Counters) -> WatcherId {
        self.created += 1;
        watcher.serial = self.created;
        watcher.position = Position::Nowhere;
        (watcher.last_sent, watcher.ticked) = (self.deliveries, self.deliveries);
        let (stream, watch_id) = (watcher.stream, watcher.watch_id);
        let id = self.watchers.insert(watcher);
        self.streams[stream].watchers.insert(watch_id, id);
        counters.watchers.add(1);
        self.place(id, position, counters);
        id
    }

    /// Forgets a watcher that its stream no longer lists.
    pub(super) fn remove_watcher(&mut self, id: WatcherId, counters: &Counters) {
        self.place(id, Position::Nowhere, counters);
        let watcher = self.watchers.remove(id);
        self.groups.leave(watcher.group);
        counters.watchers.sub(1);
    }

    pub(super) fn enter_group(&mut self, selector: Selector) -> GroupId {
        self.groups.enter(selector)
    }

    /// Where a live watcher belongs whose next revision this is.
    pub(super) fn position_for(&self, next: i64) -> Position {
        match next - self.published {
            1 => Position::Synced,
            2.. => Position::Ahead(next),
            _ => Position::Behind(next),
        }
    }

    /// Moves a watcher from the list that its position puts it in to another.
    pub(super) fn place(&mut self, id: WatcherId, position: Position, counters: &Counters) {
        let watcher = &mut self.watchers[id];
        let stream = &mut self.streams[watcher.stream];
        match watcher.position {
            Position::Synced => self.groups.part(watcher.group, watcher.stream, watcher.watch_id),
            Position::Ahead(next) => _ = self.ahead.remove(&(next, id)),
            Position::Behind(next) => _ = self.behind.remove(&(next, id)),
            Position::Parked(_) => _ = stream.parked.remove(&id),
            Position::Compacted | Position::Nowhere => {}
        }
        match position {
            Position::Synced => {
                let member = watcher.member(id);
                self.groups.join(watcher.group, watcher.stream, &stream.outbox, member, watcher.last_sent);
            }
            Position::Ahead(next) => _ = self.ahead.insert((next, id)),
            Position::Behind(next) => _ = self.behind.insert((next, id)),
            Position::Parked(_) => _ = stream.parked.insert(id),
            Position::Compacted | Position::Nowhere => {}
        }
        match (watcher.position.is_slow(), position.is_slow()) {
            (false, true) => counters.slow_watchers.add(1),
            (true, false) => counters.slow_watchers.sub(1),
            _ => {}
        }
        watcher.position = position;
    }
}

impl Watcher {
    pub(super) fn member(&self, id: WatcherId) -> Member {
        Member { watch_id: self.watch_id, watcher: id, fragment: self.fragment }
    }
}

/// Readers to wake once the hub's lock is free.
#[derive(Debug, Default)]
pub(super) struct Wakes(Vec<Waker>);

impl Wakes {
    pub(super) fn add(&mut self, waker: Option<Waker>) {
        self.0.extend(waker);
    }

    pub(super) fn wake(self) {
        self.0.into_iter().for_each(Waker::wake);
    }
}

/// Offers deliveries that follow one another; false if the stream was full.
pub(super) fn offer(
    outbox: &Outbox,
    deliveries: impl Iterator<Item = Delivery>,
    room: super::outbox::Room,
    counters: &Counters,
    wakes: &mut Wakes,
) -> bool {
    match outbox.offer(deliveries, room) {
        Offer::Queued { events, reader } => {
            wakes.add(reader);
            counters.pending_events.add(events);
            true
        }
        Offer::Full => false,
    }
}
