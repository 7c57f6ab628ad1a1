//! What a reader sees: server-sent events or lines of JSON, keys and values as text or as etcd's gateway writes them.

use std::fmt::Display;
use std::io::Write as _;

use bytes::Bytes;
use keyport_storage::watch::{self, SelectedEvent, Selection};
use keyport_storage::{Event, EventKind, Record};

use super::Anew;
use super::position::Position;
use crate::faces::events::Framing;
use crate::faces::text::{write_event, write_readable};

/// How keys and values are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Encoding {
    /// As text where they are valid UTF-8, else in a field `key_b64` or `value_b64`.
    #[default]
    Text,
    /// An `mvccpb.Event` as on `POST /v3/watch`.
    Base64,
}

/// How one reader wants it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    pub(super) framing: Framing,
    pub(super) encoding: Encoding,
}

impl Format {
    /// The changes of a selection after a position, each with the position that the reader has after it. Readers of
    /// the same format share the bytes, unless one of them has seen a part.
    pub(super) fn changes(self, selection: &Selection, seen: &Position) -> Bytes {
        let seen_some = selection.first().is_some_and(|first| !seen.is_before(first.revision, first.index));
        match (self.framing, self.encoding) {
            (Framing::EventStream, Encoding::Text) if !seen_some => {
                selection.encoded(watch::Encoding::Sse, |events| self.encode_changes(events, seen))
            }
            _ => self.encode_changes(selection, seen),
        }
    }

    fn encode_changes(self, events: &[SelectedEvent], seen: &Position) -> Bytes {
        let mut out = Vec::with_capacity(events.iter().map(size_hint).sum());
        for (at, change) in events.iter().enumerate() {
            let SelectedEvent { revision, index, event } = change;
            if !seen.is_before(*revision, *index) {
                continue;
            }
            let is_last = events.get(at + 1).is_none_or(|next| next.revision != *revision);
            let name = match event.kind {
                EventKind::Put => "put",
                EventKind::Delete => "delete",
            };
            let id = if is_last {
                Position::After(*revision)
            } else {
                Position::Inside { revision: *revision, index: *index }
            };
            self.event(&mut out, Some(&id), name, |out| match self.encoding {
                Encoding::Text => write_readable(out, &event.kv, event.prev_kv.as_ref()),
                Encoding::Base64 => write_event(out, event),
            });
        }
        out.into()
    }

    /// A key of the state, as the put that it looks like.
    pub(super) fn state(self, out: &mut Vec<u8>, id: &Position, kv: &Record) {
        self.event(out, Some(id), "put", |out| match self.encoding {
            Encoding::Text => write_readable(out, kv, None),
            Encoding::Base64 => write_event(out, &Event { kind: EventKind::Put, kv: kv.clone(), prev_kv: None }),
        });
    }

    /// An event whose data is one revision.
    pub(super) fn revision(self, out: &mut Vec<u8>, id: Option<&Position>, name: &str, field: &str, revision: i64) {
        self.event(out, id, name, |out| write(out, format_args!("{{\"{field}\":\"{revision}\"}}")));
    }

    /// The last event for a reader whose next change is no longer known. Its id is where to begin anew, lest a browser
    /// comes back with what it had, again and again.
    pub(super) fn compacted(self, out: &mut Vec<u8>, anew: Anew) {
        self.revision(out, Some(&anew.position()), "compacted", "oldest_revision", anew.revision);
    }

    /// The last event for a reader that has seen more than there is; its id likewise.
    pub(super) fn ahead(self, out: &mut Vec<u8>, anew: Anew) {
        self.revision(out, Some(&anew.position()), "ahead", "revision", anew.revision);
    }

    /// The last event of a stream that fails.
    pub(super) fn error(self, out: &mut Vec<u8>, problem: &[u8]) {
        self.event(out, None, "failed", |out| out.extend_from_slice(problem));
    }

    /// How long a browser waits before it comes back.
    pub(super) fn retry(self, out: &mut Vec<u8>) {
        if self.framing.is_of_events() {
            out.extend_from_slice(b"retry: 2000\n");
        }
    }

    fn event(self, out: &mut Vec<u8>, id: Option<&Position>, name: &str, data: impl FnOnce(&mut Vec<u8>)) {
        self.framing.event(out, id, name, data);
    }
}

fn write(out: &mut Vec<u8>, text: impl Display) {
    // A vector takes everything.
    let _ = write!(out, "{text}");
}

fn size_hint(change: &SelectedEvent) -> usize {
    let records = [Some(&change.event.kv), change.event.prev_kv.as_ref()];
    128 + records.into_iter().flatten().map(|record| record.encoded().len() * 4 / 3 + 96).sum::<usize>()
}
