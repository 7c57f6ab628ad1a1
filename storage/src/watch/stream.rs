//! One client's stream of watchers.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::groups::StreamId;
use super::outbox::Outbox;
use super::selector::{Selector, Watched};
use super::shared::Hub;
use super::state::{Position, Stream, Wakes, Watcher};
use super::{CreateError, Created, WatchMessage, WatchSpec};

/// A stream of watchers, each with its own id, and the messages for them in one queue. All that is asked of it is
/// answered there too, in order. One task at a time may read. Dropping it ends its watchers.
///
/// Answers to requests are queued without a bound: whoever takes requests from a client should take none while
/// [`WatchStream::backlog`] is high.
#[derive(Debug)]
pub struct WatchStream {
    hub: Arc<Hub>,
    id: StreamId,
    outbox: Arc<Outbox>,
}

impl WatchStream {
    pub(super) fn new(hub: Arc<Hub>) -> WatchStream {
        let outbox: Arc<Outbox> = Arc::default();
        let stream = Stream {
            outbox: Arc::clone(&outbox),
            watchers: Default::default(),
            next_id: 0,
            parked: Default::default(),
        };
        let id = hub.state.lock().streams.insert(stream);
        hub.counters.streams.add(1);
        WatchStream { hub, id, outbox }
    }

    /// Adds a watcher and queues the message that says so, before any event of it; when the start is compacted, also
    /// the one that cancels it.
    ///
    /// # Errors
    /// When there is no such watcher to be had. A message with the same error is queued.
    pub fn create(&self, spec: WatchSpec) -> Result<Created, CreateError> {
        let mut wakes = Wakes::default();
        let result = self.create_locked(spec, &mut wakes);
        wakes.wake();
        result
    }

    fn create_locked(&self, spec: WatchSpec, wakes: &mut Wakes) -> Result<Created, CreateError> {
        let hub = &*self.hub;
        let state = &mut *hub.state.lock();
        let revision = hub.history.revision().max(state.published);
        let stream = &mut state.streams[self.id];

        let error = if spec.has_empty_range() {
            Some(CreateError::EmptyRange)
        } else if spec.start_revision < 0 {
            Some(CreateError::NegativeRevision)
        } else if spec.watch_id != 0 && stream.watchers.contains_key(&spec.watch_id) {
            Some(CreateError::DuplicateId)
        } else {
            None
        };
        if let Some(error) = error {
            wakes.add(self.outbox.say(WatchMessage::Refused { revision, error }));
            return Err(error);
        }
        let watch_id = if spec.watch_id == 0 { stream.choose_id() } else { spec.watch_id };

        let next = if spec.start_revision == 0 { revision + 1 } else { spec.start_revision };
        let compacted = hub.history.compacted();
        let position = if next < compacted { Position::Compacted } else { state.position_for(next) };
        let WatchSpec { ranges, filters, prev_kv, .. } = spec;
        let group = state.enter_group(Selector { ranges: ranges.into(), filters, prev_kv });
        let watcher = Watcher {
            serial: 0,
            stream: self.id,
            watch_id,
            group,
            start_revision: spec.start_revision,
            fragment: spec.fragment,
            progress_notify: spec.progress_notify,
            position: Position::Nowhere,
            last_sent: 0,
            ticked: 0,
        };
        state.add_watcher(watcher, position, &hub.counters);
        wakes.add(self.outbox.say(WatchMessage::Created { watch_id, revision }));
        match position {
            Position::Compacted => {
                let compact_revision = compacted;
                wakes.add(self.outbox.say(WatchMessage::Compacted { watch_id, compact_revision }));
            }
            Position::Behind(_) => hub.signal.work(),
            _ => {}
        }
        Ok(Created { watch_id, revision })
    }

    /// Ends a watcher and queues the message that says so; what was queued for it is dropped. Nothing happens if there
    /// is none of this id.
    pub fn cancel(&self, watch_id: i64) -> bool {
        let hub = &*self.hub;
        let mut state = hub.state.lock();
        let Some(id) = state.streams[self.id].watchers.remove(&watch_id) else { return false };
        state.remove_watcher(id, &hub.counters);
        let revision = hub.history.revision().max(state.published);
        self.outbox.forget(watch_id);
        let waker = self.outbox.say(WatchMessage::Canceled { watch_id, revision });
        drop(state);
        waker.into_iter().for_each(|waker| waker.wake());
        true
    }

    /// All that is watched, by the watcher's id.
    pub fn watched(&self) -> Vec<(i64, Watched)> {
        let state = self.hub.state.lock();
        let watchers = state.streams[self.id].watchers.iter();
        watchers.map(|(&watch_id, &id)| (watch_id, state.groups.watched(state.watchers[id].group))).collect()
    }

    /// Queues a [`WatchMessage::Progress`] for the whole stream if all its watchers are up to date and none starts in
    /// the future; if not, there will be no answer.
    pub fn request_progress(&self) {
        let mut wakes = Wakes::default();
        {
            let mut state = self.hub.state.lock();
            let revision = self.hub.history.revision();
            if revision <= state.published {
                state.answer_progress(self.id, &self.hub, &mut wakes);
            } else if !state.progress_due.contains(&(self.id, revision)) {
                // What the client may have read already is about to be published.
                state.progress_due.push((self.id, revision));
            }
        }
        wakes.wake();
    }

    /// Queues a [`WatchMessage::Progress`] for each watcher that asked for notifications, is up to date and got no
    /// events since the last call. To be called every so many minutes.
    pub fn notify_progress(&self) {
        let mut wakes = Wakes::default();
        {
            let state = &mut *self.hub.state.lock();
            let (revision, now, room) = (state.published, state.deliveries, self.hub.room());
            for &id in state.streams[self.id].watchers.values() {
                let watcher = &mut state.watchers[id];
                if !watcher.progress_notify {
                    continue;
                }
                let last_sent = watcher.last_sent.max(state.groups.last_sent(watcher.group, watcher.stream));
                let is_quiet = last_sent <= watcher.ticked;
                watcher.ticked = now;
                if is_quiet && watcher.position == Position::Synced && watcher.start_revision <= revision {
                    let message = WatchMessage::Progress { watch_id: watcher.watch_id, revision };
                    wakes.add(self.outbox.say_if_room(message, room));
                }
            }
        }
        wakes.wake();
    }

    #[cfg(test)]
    pub(super) fn remembered_cancellations(&self) -> usize {
        self.outbox.remembered_cancellations()
    }

    /// How many messages wait to be read.
    pub fn backlog(&self) -> usize {
        self.outbox.len()
    }

    /// The next message; none once the hub has ended.
    pub async fn next(&self) -> Option<WatchMessage> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// See [`WatchStream::next`].
    pub fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<WatchMessage>> {
        let mut next = None;
        ready!(self.poll(cx, 1, |message| next = Some(message)));
        Poll::Ready(next)
    }

    /// Appends all that waits, up to `max` messages, and says how many; waits for the first. 0 once the hub has ended.
    pub async fn next_batch(&self, to: &mut Vec<WatchMessage>, max: usize) -> usize {
        poll_fn(|cx| self.poll_batch(cx, to, max)).await
    }

    /// See [`WatchStream::next_batch`].
    pub fn poll_batch(&self, cx: &mut Context<'_>, to: &mut Vec<WatchMessage>, max: usize) -> Poll<usize> {
        self.poll(cx, max, |message| to.push(message))
    }

    fn poll(&self, cx: &mut Context<'_>, max: usize, mut each: impl FnMut(WatchMessage)) -> Poll<usize> {
        loop {
            let taken = ready!(self.outbox.poll(cx, max.max(1), self.hub.configured_room(), &mut each));
            if taken.settled > 0 {
                self.hub.counters.events_sent.add(taken.events);
                self.hub.counters.pending_events.sub(taken.settled);
            }
            if taken.has_room {
                self.hub.signal.has_room(self.id);
            }
            if taken.messages > 0 || taken.closed {
                return Poll::Ready(taken.messages);
            }
        }
    }
}

impl Drop for WatchStream {
    fn drop(&mut self) {
        let hub = &*self.hub;
        let mut state = hub.state.lock();
        let watchers: Vec<_> = state.streams[self.id].watchers.drain().map(|(_, id)| id).collect();
        for id in watchers {
            state.remove_watcher(id, &hub.counters);
        }
        state.streams.remove(self.id);
        let id = self.id;
        state.progress_due.retain(|(stream, _)| *stream != id);
        hub.counters.streams.sub(1);
        hub.counters.pending_events.sub(self.outbox.pending_events());
    }
}

impl Stream {
    /// The next number that no watcher of the stream has.
    fn choose_id(&mut self) -> i64 {
        while self.watchers.contains_key(&self.next_id) {
            self.next_id = self.next_id.wrapping_add(1);
        }
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        id
    }
}
