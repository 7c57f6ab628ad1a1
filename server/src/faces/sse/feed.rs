//! One reader's stream: the state if it wants it, then what changes, and heartbeats in the pauses.
//!
//! Nothing is produced before the connection asks for it. What changes meanwhile waits in the watcher's bounded queue,
//! and beyond that in history.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use futures_util::stream;
use keyport_api::error::Error;
use keyport_storage::Record;
use keyport_storage::watch::WatchMessage;
use tokio::time::{Instant, Sleep};

use super::Anew;
use super::encode::Format;
use super::listing::Listing;
use super::position::Position;
use crate::calls::{Caller, Calls, Subscription};

/// How many messages are taken out of the queue at once.
const BATCH: usize = 64;

/// See the module's text.
pub(super) struct Feed {
    calls: Calls,
    caller: Caller,
    format: Format,
    /// Whether the reader wants the state if it has to begin anew.
    initial: bool,
    /// The state, as far as it is still to be shown.
    listing: Option<Listing>,
    /// A stream with one watcher, and why the node ends it.
    subscription: Subscription,
    /// What the reader has seen.
    position: Position,
    /// What was taken out of the queue, in reverse.
    batch: Vec<WatchMessage>,
    heartbeat: Duration,
    next_heartbeat: Pin<Box<Sleep>>,
    ended: bool,
}

impl Feed {
    pub(super) fn new(
        calls: Calls,
        caller: Caller,
        format: Format,
        initial: bool,
        (listing, subscription, position): (Option<Listing>, Subscription, Position),
        heartbeat: Duration,
    ) -> Feed {
        let next_heartbeat = Box::pin(tokio::time::sleep(heartbeat));
        let batch = Vec::new();
        let ended = false;
        Feed {
            calls,
            caller,
            format,
            initial,
            listing,
            subscription,
            position,
            batch,
            heartbeat,
            next_heartbeat,
            ended,
        }
    }

    /// The frames of an answer's body.
    pub(super) fn frames(self) -> impl Stream<Item = Bytes> + Send {
        stream::unfold(self, async |mut feed| {
            if feed.listing.is_some() {
                // Whoever else is served by this event loop comes before the next page.
                tokio::task::yield_now().await;
            }
            let frame = feed.next().await?;
            let due = Instant::now() + feed.heartbeat;
            feed.next_heartbeat.as_mut().reset(due);
            Some((frame, feed))
        })
    }

    async fn next(&mut self) -> Option<Bytes> {
        while !self.ended {
            if self.subscription.rules_changed.anew()
                && let Err(error) = self.calls.watch.still_may(&self.subscription)
            {
                return Some(self.fail(error));
            }
            let frame = if self.listing.is_some() { self.list().await } else { self.follow().await };
            if !frame.is_empty() {
                return Some(frame);
            }
        }
        None
    }

    async fn list(&mut self) -> Bytes {
        let Some(listing) = &mut self.listing else { return Bytes::new() };
        let kvs = match listing.page(&self.calls.kv, &self.caller).await {
            Ok(kvs) => kvs,
            Err(error) => return self.fail(error),
        };
        let mut out = Vec::new();
        self.show_state(&mut out, kvs);
        out.into()
    }

    /// Writes a page of the state, and after the last one that it was.
    pub(super) fn show_state(&mut self, out: &mut Vec<u8>, kvs: Vec<Record>) {
        let Some(listing) = &self.listing else { return };
        let revision = listing.revision();
        for kv in kvs {
            self.position = Position::State { revision, key: Bytes::copy_from_slice(kv.key()) };
            self.format.state(out, &self.position, &kv);
        }
        if listing.is_done() {
            self.position = Position::After(revision);
            self.format.revision(out, Some(&self.position), "synced", "revision", revision);
            self.listing = None;
        }
    }

    async fn follow(&mut self) -> Bytes {
        let Some(message) = self.batch.pop() else { return self.wait().await };
        match message {
            WatchMessage::Events { selection, .. } => {
                let frame = self.format.changes(&selection, &self.position);
                self.position = Position::After(selection.last_revision());
                frame
            }
            WatchMessage::Progress { revision, .. } => self.bookmark(revision),
            WatchMessage::Compacted { compact_revision, .. } => self.compacted(compact_revision),
            WatchMessage::Created { .. } => Bytes::new(),
            WatchMessage::Refused { .. } | WatchMessage::Canceled { .. } => {
                self.ended = true;
                Bytes::new()
            }
        }
    }

    /// Fills the batch. What is waited for in vain is answered with a heartbeat.
    async fn wait(&mut self) -> Bytes {
        let Subscription { stream, end, rules_changed, .. } = &mut self.subscription;
        tokio::select! {
            count = stream.next_batch(&mut self.batch, BATCH) => {
                self.batch.reverse();
                self.ended = count == 0;
                Bytes::new()
            }
            () = self.next_heartbeat.as_mut() => {
                // The answer, if there is one, becomes a bookmark.
                stream.request_progress();
                self.format.framing.heartbeat()
            }
            reason = end.cut_short() => self.fail(reason),
            () = rules_changed.again() => match self.calls.watch.still_may(&self.subscription) {
                Ok(()) => Bytes::new(),
                Err(error) => self.fail(error),
            },
        }
    }

    /// Moves the reader's position though nothing happened to its keys, lest it falls behind a compaction.
    fn bookmark(&mut self, revision: i64) -> Bytes {
        let seen = Position::After(revision);
        if !self.position.is_before(revision, u32::MAX) || self.position == seen {
            return Bytes::new();
        }
        self.position = seen;
        let mut out = Vec::new();
        self.format.revision(&mut out, Some(&self.position), "bookmark", "revision", revision);
        out.into()
    }

    fn compacted(&mut self, compact_revision: i64) -> Bytes {
        self.ended = true;
        let mut out = Vec::new();
        self.format.compacted(&mut out, Anew { revision: compact_revision, initial: self.initial });
        out.into()
    }

    fn fail(&mut self, error: Error) -> Bytes {
        if error == Error::Compacted {
            return self.compacted(self.calls.watch.compacted());
        }
        self.ended = true;
        self.format.framing.failed(&error.into())
    }
}
