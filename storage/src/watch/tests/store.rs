//! A store in memory, a hub over it, and ways to read a stream.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::backend::RowKey;
use crate::watch::{
    History, HistoryError, HistoryPage, HistoryRead, RevisionEvents, WatchHub, WatchMessage, WatchOptions, WatchSpec,
    WatchStream,
};
use crate::{Event, EventKind, KeyRange, Record, Versions};

#[derive(Debug)]
struct Contents {
    revision: i64,
    compacted: i64,
    revisions: Vec<RevisionEvents>,
    live: BTreeMap<Vec<u8>, Record>,
    rows: BTreeMap<RowKey, Record>,
}

#[derive(Debug)]
pub(super) struct Store(Mutex<Contents>);

/// One change: a key and its new value, or none to delete it.
pub(super) type Change<'a> = (&'a str, Option<&'a str>);

impl Store {
    pub(super) fn new() -> Store {
        let contents = Contents {
            revision: 1,
            compacted: -1,
            revisions: Vec::new(),
            live: BTreeMap::new(),
            rows: BTreeMap::new(),
        };
        Store(Mutex::new(contents))
    }

    /// Makes one revision, without publishing it. Deletions of what is not there are left out.
    pub(super) fn commit(&self, changes: &[Change<'_>]) -> RevisionEvents {
        let contents = &mut *self.0.lock();
        let revision = contents.revision + 1;
        let before = contents.live.clone();
        let mut events = Vec::new();
        for (key, value) in changes {
            let prev_kv = before.get(key.as_bytes()).cloned();
            let old = contents.live.get(key.as_bytes()).map(Record::versions);
            match value {
                Some(value) => {
                    let create_revision = old.map_or(revision, |old| old.create_revision);
                    let version = old.map_or(1, |old| old.version + 1);
                    let versions = Versions { create_revision, mod_revision: revision, version, lease: 0 };
                    let kv = Record::new(key.as_bytes(), value.as_bytes(), versions);
                    contents.live.insert(key.as_bytes().to_vec(), kv.clone());
                    events.push(Event { kind: EventKind::Put, kv, prev_kv });
                }
                None if old.is_some() => {
                    contents.live.remove(key.as_bytes());
                    let kv = Record::deletion(key.as_bytes(), revision);
                    events.push(Event { kind: EventKind::Delete, kv, prev_kv });
                }
                None => {}
            }
        }
        let made = RevisionEvents::new(revision, events);
        if made.events.is_empty() {
            return made;
        }
        contents.revision = revision;
        contents.revisions.push(made.clone());
        for (sub, event) in (0..).zip(&made.events) {
            contents.rows.insert(RowKey::new(revision, sub), event.kv.clone());
        }
        made
    }

    /// As a store publishes it that has evicted the values of every other revision: what was before is to be read.
    pub(super) fn evicted(&self, made: &RevisionEvents) -> RevisionEvents {
        let rows = &self.0.lock().rows;
        let mut made = made.clone();
        for (at, event) in made.events.iter_mut().enumerate() {
            if let Some(prev_kv) = event.prev_kv.take_if(|_| made.revision % 2 == 0) {
                let row = rows.iter().rev().find(|(_, record)| **record == prev_kv).expect("a row");
                made.stored_before.push((at, *row.0));
            }
        }
        made
    }

    /// Forgets everything before a revision.
    pub(super) fn compact(&self, revision: i64) {
        let contents = &mut *self.0.lock();
        contents.compacted = revision;
        contents.revisions.retain(|known| known.revision >= revision);
    }
}

impl History for Store {
    fn revision(&self) -> i64 {
        self.0.lock().revision
    }

    fn compacted(&self) -> i64 {
        self.0.lock().compacted
    }

    fn events(&self, read: HistoryRead) -> Result<HistoryPage, HistoryError> {
        let contents = self.0.lock();
        if read.from < contents.compacted {
            return Err(HistoryError::Compacted);
        }
        let mut page = HistoryPage { revisions: Vec::new(), through: contents.revision };
        let mut bytes = 0;
        for revision in contents.revisions.iter().filter(|revision| revision.revision >= read.from) {
            if page.revisions.len() == read.max_revisions || bytes > read.max_bytes {
                page.through = page.revisions.last().map_or(page.through, |last| last.revision);
                break;
            }
            let records = revision.events.iter().flat_map(|event| [Some(&event.kv), event.prev_kv.as_ref()]);
            bytes += records.flatten().map(|record| record.encoded().len()).sum::<usize>();
            page.revisions.push(revision.clone());
        }
        if !read.prev_kv {
            page.revisions.iter_mut().flat_map(|revision| &mut revision.events).for_each(|event| event.prev_kv = None);
        }
        Ok(page)
    }

    fn record(&self, row: RowKey) -> Result<Option<Record>, HistoryError> {
        Ok(self.0.lock().rows.get(&row).cloned())
    }
}

/// A store and its hub.
pub(super) struct World {
    pub(super) store: Arc<Store>,
    pub(super) hub: WatchHub,
}

impl World {
    pub(super) fn new() -> World {
        World::with(WatchOptions::default())
    }

    pub(super) fn with(options: WatchOptions) -> World {
        let store = Arc::new(Store::new());
        let hub = WatchHub::new(Arc::clone(&store) as Arc<dyn History>, options).expect("a hub");
        World { store, hub }
    }

    /// Commits and publishes one revision.
    pub(super) fn change(&self, changes: &[Change<'_>]) -> i64 {
        let made = self.store.commit(changes);
        self.publish(&[made]);
        self.store.revision()
    }

    pub(super) fn publish(&self, revisions: &[RevisionEvents]) {
        let revisions: Vec<_> = revisions.iter().map(|made| self.store.evicted(made)).collect();
        self.hub.publish(&revisions);
    }

    pub(super) fn put(&self, key: &str, value: &str) -> i64 {
        self.change(&[(key, Some(value))])
    }
}

pub(super) fn range(start: &str, end: &str) -> KeyRange {
    KeyRange::new(Bytes::copy_from_slice(start.as_bytes()), Bytes::copy_from_slice(end.as_bytes()))
}

pub(super) fn from(start_revision: i64, range: KeyRange) -> WatchSpec {
    WatchSpec { start_revision, ..WatchSpec::new(range) }
}

/// Waits for the next message.
pub(super) fn next(stream: &WatchStream) -> WatchMessage {
    block_on(stream.next()).expect("an open stream")
}

/// Everything that is queued now.
pub(super) fn queued(stream: &WatchStream) -> Vec<WatchMessage> {
    let mut messages = Vec::new();
    let _ = stream.poll_batch(&mut Context::from_waker(Waker::noop()), &mut messages, usize::MAX);
    messages
}

/// A message in short: what it says, the watch id, the header's revision and `key@revision.index` of its events.
pub(super) fn brief(message: &WatchMessage) -> String {
    match message {
        WatchMessage::Created { watch_id, revision } => format!("created {watch_id} at {revision}"),
        WatchMessage::Refused { revision, error } => format!("refused at {revision}: {error}"),
        WatchMessage::Events { watch_id, revision, selection, .. } => {
            let events = selection.iter().map(|selected| {
                let kind = if selected.event.kind == EventKind::Put { '+' } else { '-' };
                let key = String::from_utf8_lossy(selected.event.kv.key());
                format!("{kind}{key}@{}.{}", selected.revision, selected.index)
            });
            format!("events {watch_id} at {revision}: {}", events.collect::<Vec<_>>().join(" "))
        }
        WatchMessage::Progress { watch_id, revision } => format!("progress {watch_id} at {revision}"),
        WatchMessage::Canceled { watch_id, revision } => format!("canceled {watch_id} at {revision}"),
        WatchMessage::Compacted { watch_id, compact_revision } => format!("compacted {watch_id}: {compact_revision}"),
    }
}

pub(super) fn briefs(stream: &WatchStream) -> Vec<String> {
    queued(stream).iter().map(brief).collect()
}

/// Runs a future on this thread, not for ever.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park_timeout(Duration::from_secs(30)),
        }
        assert!(Instant::now() < deadline, "nothing came");
    }
}
