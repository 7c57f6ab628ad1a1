//! What one group of watchers is told at once, matched once and encoded once.

use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::{BufMut, Bytes, BytesMut};
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

use crate::{Event, EventKind, Record};

/// Tag of `events` in `etcdserverpb.WatchResponse`.
const EVENTS_TAG: u32 = 11;
/// Tags in `mvccpb.Event`.
const TYPE_TAG: u32 = 1;
const KV_TAG: u32 = 2;
const PREV_KV_TAG: u32 = 3;

/// An event and its place in history.
#[derive(Clone, Debug, PartialEq)]
pub struct SelectedEvent {
    pub revision: i64,
    /// Counts all the changes of the revision from 0, those that were not selected too, so `(revision, index)`
    /// names an event whatever was watched.
    pub index: u32,
    pub event: Event,
}

/// The forms in which a selection is kept once someone has asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Protobuf,
    Json,
    Sse,
}

/// Events in the order of history, and their encodings, shared by all watchers that are to see exactly these.
/// Never empty; whole revisions, except for the parts that [`Selection::split`] makes.
#[derive(Debug)]
pub struct Selection {
    events: Box<[SelectedEvent]>,
    size: usize,
    encoded: [OnceLock<Bytes>; 3],
    /// Where the size is counted while the selection lives.
    counted: Option<Arc<AtomicUsize>>,
}

impl Selection {
    fn new(events: Box<[SelectedEvent]>) -> Selection {
        let size = encoded_len(&events);
        Selection { events, size, encoded: Default::default(), counted: None }
    }

    /// Adds the size to a count of bytes held, until dropped.
    fn counted(mut self, held: &Arc<AtomicUsize>) -> Arc<Selection> {
        held.fetch_add(self.size, Ordering::Relaxed);
        self.counted = Some(Arc::clone(held));
        Arc::new(self)
    }

    /// Length of [`Selection::protobuf`].
    pub fn encoded_len(&self) -> usize {
        self.size
    }

    /// The revision of the newest event.
    pub fn last_revision(&self) -> i64 {
        self.events.last().map_or(0, |last| last.revision)
    }

    /// An encoding of these events, made by the first who asks.
    pub fn encoded(&self, encoding: Encoding, encode: impl FnOnce(&[SelectedEvent]) -> Bytes) -> Bytes {
        self.encoded[encoding as usize].get_or_init(|| encode(&self.events)).clone()
    }

    /// The field `events` of an `etcdserverpb.WatchResponse`, entry after entry, ready to follow the other fields.
    pub fn protobuf(&self) -> Bytes {
        self.encoded(Encoding::Protobuf, |events| {
            let mut encoded = BytesMut::with_capacity(self.size);
            for event in events {
                event.encode(&mut encoded);
            }
            encoded.freeze()
        })
    }

    /// Cuts into parts whose encoded events stay below a size where possible; a part has at least one event.
    pub fn split(&self, max_bytes: usize) -> Vec<Selection> {
        let (mut parts, last) = pack(self.events.chunks(1), max_bytes);
        parts.push(last);
        parts
    }
}

/// Selections that go out one after the other: each a message that any client takes, unless a single revision is
/// larger than that.
#[derive(Debug)]
pub(super) struct Pages {
    /// Mostly there are none.
    before: Vec<Arc<Selection>>,
    last: Arc<Selection>,
}

impl Pages {
    /// Pages whose encoded events stay below a size, except for revisions that do not by themselves: a page has at least
    /// one, and whole ones. Their sizes are added to a count of bytes held, until they are dropped.
    pub(super) fn new(events: Box<[SelectedEvent]>, max_bytes: usize, held: &Arc<AtomicUsize>) -> Pages {
        let all = Selection::new(events);
        if all.size < max_bytes {
            return Pages { before: Vec::new(), last: all.counted(held) };
        }
        let (before, last) = pack(all.events.chunk_by(|a, b| a.revision == b.revision), max_bytes);
        Pages { before: before.into_iter().map(|page| page.counted(held)).collect(), last: last.counted(held) }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Selection>> {
        self.before.iter().chain([&self.last])
    }
}

/// Puts runs of events together whose encodings stay below a size; a run is not cut. The last part is returned beside
/// those before it.
fn pack<'a>(runs: impl Iterator<Item = &'a [SelectedEvent]>, max_bytes: usize) -> (Vec<Selection>, Selection) {
    let mut before = Vec::new();
    let mut part: Vec<SelectedEvent> = Vec::new();
    let mut size = 0;
    for run in runs {
        let len = encoded_len(run);
        if !part.is_empty() && size + len >= max_bytes {
            before.push(Selection::new(std::mem::take(&mut part).into()));
            size = 0;
        }
        size += len;
        part.extend_from_slice(run);
    }
    (before, Selection::new(part.into()))
}

fn encoded_len(events: &[SelectedEvent]) -> usize {
    events.iter().map(SelectedEvent::encoded_len).sum()
}

impl Deref for Selection {
    type Target = [SelectedEvent];

    fn deref(&self) -> &[SelectedEvent] {
        &self.events
    }
}

impl Drop for Selection {
    fn drop(&mut self) {
        if let Some(held) = &self.counted {
            held.fetch_sub(self.size, Ordering::Relaxed);
        }
    }
}

impl SelectedEvent {
    /// Length of the event as an entry of `WatchResponse.events`.
    fn encoded_len(&self) -> usize {
        let body = self.body_len();
        1 + encoded_len_varint(body as u64) + body
    }

    fn body_len(&self) -> usize {
        let Event { kind, kv, prev_kv } = &self.event;
        let kind = if *kind == EventKind::Delete { 2 } else { 0 };
        kind + field_len(kv) + prev_kv.as_ref().map_or(0, field_len)
    }

    fn encode(&self, to: &mut BytesMut) {
        encode_key(EVENTS_TAG, WireType::LengthDelimited, to);
        encode_varint(self.body_len() as u64, to);
        let Event { kind, kv, prev_kv } = &self.event;
        if *kind == EventKind::Delete {
            encode_key(TYPE_TAG, WireType::Varint, to);
            encode_varint(1, to);
        }
        put_field(KV_TAG, kv, to);
        if let Some(prev_kv) = prev_kv {
            put_field(PREV_KV_TAG, prev_kv, to);
        }
    }
}

fn field_len(record: &Record) -> usize {
    let len = record.encoded().len();
    1 + encoded_len_varint(len as u64) + len
}

fn put_field(tag: u32, record: &Record, to: &mut BytesMut) {
    encode_key(tag, WireType::LengthDelimited, to);
    encode_varint(record.encoded().len() as u64, to);
    to.put_slice(record.encoded());
}
