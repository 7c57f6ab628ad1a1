//! Carrying what was published to the watchers that are up to date.

use std::borrow::Cow;
use std::sync::Arc;

use super::groups::StreamId;
use super::outbox::{Delivery, Member};
use super::selection::Pages;
use super::selector::KeyedEvents;
use super::shared::Hub;
use super::state::{Position, State, Wakes, WatcherId, offer};
use super::{HistoryError, RevisionEvents, WatchMessage};

impl State {
    /// Says whether the catch-up thread has something to do now.
    pub(super) fn publish(&mut self, hub: &Hub, revisions: &[RevisionEvents], wakes: &mut Wakes) -> bool {
        let known = revisions.partition_point(|revision| revision.revision <= self.published);
        let new = revisions.get(known..).unwrap_or_default();
        let (Some(first), Some(last)) = (new.first(), new.last()) else { return false };
        let (first, last) = (first.revision, last.revision);
        if first > self.published + 1 {
            tracing::warn!(
                published = self.published,
                first,
                "revisions were not published, reading them from history"
            );
            self.resync(hub, last, wakes);
            return true;
        }
        let complete = match self.complete(hub, new) {
            Ok(complete) => complete,
            Err(failure) => {
                tracing::warn!(%failure, first, "cannot read what was before a change, reading it from history");
                self.resync(hub, last, wakes);
                return true;
            }
        };
        let new = &complete[..];
        self.deliveries += 1;

        self.join_up_to(first, hub);
        self.groups.select(new);
        self.deliver(hub, first, wakes);
        self.deliver_from_within(hub, new, last, wakes);
        self.published = last;
        self.join_up_to(last + 1, hub);
        self.answer_due_progress(hub, wakes);
        false
    }

    /// The same, with what was before each change if anybody wants to see that.
    fn complete<'a>(
        &self,
        hub: &Hub,
        revisions: &'a [RevisionEvents],
    ) -> Result<Cow<'a, [RevisionEvents]>, HistoryError> {
        let is_complete = revisions.iter().all(|revision| revision.stored_before.is_empty());
        if is_complete || !self.groups.want_prev_kv() {
            return Ok(Cow::Borrowed(revisions));
        }
        let mut revisions = revisions.to_vec();
        for RevisionEvents { events, stored_before, .. } in &mut revisions {
            for (at, row) in stored_before.drain(..) {
                if let Some(event) = events.get_mut(at) {
                    event.prev_kv = hub.history.record(row)?;
                }
            }
        }
        Ok(Cow::Owned(revisions))
    }

    /// Makes watchers synced whose first revision is due.
    fn join_up_to(&mut self, revision: i64, hub: &Hub) {
        while let Some(&(next, id)) = self.ahead.first()
            && next <= revision
        {
            self.place(id, Position::Synced, &hub.counters);
        }
    }

    /// Gives the groups what was selected for them. The members of full streams are parked before `first`.
    fn deliver(&mut self, hub: &Hub, first: i64, wakes: &mut Wakes) {
        let (room, now) = (hub.room(), self.deliveries);
        let mut full: Vec<Member> = Vec::new();
        while let Some((events, synced)) = self.groups.next_found() {
            let pages = hub.pages(events);
            synced.retain_mut(|stream| {
                let members = stream.shared();
                let queued = offer(&stream.outbox, deliveries(&members, &pages), room, &hub.counters, wakes);
                if queued {
                    stream.last_sent = now;
                } else {
                    full.append(&mut stream.members);
                }
                queued
            });
        }
        for member in full {
            // Its group has let go of it already.
            self.watchers[member.watcher].position = Position::Nowhere;
            self.place(member.watcher, Position::Parked(first), &hub.counters);
        }
    }

    /// Serves those that begin at one of these revisions but the first.
    fn deliver_from_within(&mut self, hub: &Hub, revisions: &[RevisionEvents], last: i64, wakes: &mut Wakes) {
        let beginning: Vec<(i64, WatcherId)> = self.ahead.range(..=(last, WatcherId::MAX)).copied().collect();
        if beginning.is_empty() {
            return;
        }
        let events = KeyedEvents::new(revisions);
        for (next, id) in beginning {
            let watcher = &self.watchers[id];
            let found = events.select(self.groups.selector(watcher.group), next);
            let mut position = Position::Synced;
            if !found.is_empty() {
                let (members, pages) = ([watcher.member(id)].into(), hub.pages(found.into()));
                let outbox = &self.streams[watcher.stream].outbox;
                if !offer(outbox, deliveries(&members, &pages), hub.room(), &hub.counters, wakes) {
                    position = Position::Parked(next);
                }
            }
            self.watchers[id].last_sent = self.deliveries;
            self.place(id, position, &hub.counters);
        }
    }

    /// Counts everything up to a revision as published, and leaves it to the catch-up thread to deliver it.
    pub(super) fn resync(&mut self, hub: &Hub, revision: i64, wakes: &mut Wakes) {
        if revision <= self.published {
            return;
        }
        let next = self.published + 1;
        let synced = self.watchers.iter().filter(|(_, watcher)| watcher.position == Position::Synced);
        let mut moving: Vec<(i64, WatcherId)> = synced.map(|(id, _)| (next, id)).collect();
        moving.extend(self.ahead.range(..=(revision, WatcherId::MAX)));
        self.published = revision;
        for (next, id) in moving {
            self.place(id, Position::Behind(next), &hub.counters);
        }
        self.join_up_to(revision + 1, hub);
        self.answer_due_progress(hub, wakes);
    }

    pub(super) fn answer_due_progress(&mut self, hub: &Hub, wakes: &mut Wakes) {
        let published = self.published;
        let due: Vec<StreamId> = self
            .progress_due
            .extract_if(.., |(_, revision)| *revision <= published)
            .map(|(stream, _)| stream)
            .collect();
        for stream in due {
            self.answer_progress(stream, hub, wakes);
        }
    }

    /// Says how far the whole stream is, if all of it is up to date and nothing of it starts in the future.
    pub(super) fn answer_progress(&mut self, id: StreamId, hub: &Hub, wakes: &mut Wakes) {
        let Some(stream) = self.streams.get(id) else { return };
        let revision = self.published;
        let is_current = |id: &WatcherId| {
            self.watchers
                .get(*id)
                .is_some_and(|watcher| watcher.position == Position::Synced && watcher.start_revision <= revision)
        };
        if !stream.watchers.is_empty() && stream.watchers.values().all(is_current) {
            wakes.add(stream.outbox.say_if_room(WatchMessage::Progress { watch_id: -1, revision }, hub.room()));
        }
    }
}

/// Each page says how far it goes.
fn deliveries(members: &Arc<[Member]>, pages: &Pages) -> impl Iterator<Item = Delivery> {
    pages.iter().map(|selection| Delivery {
        members: Arc::clone(members),
        revision: selection.last_revision(),
        selection: Arc::clone(selection),
    })
}
