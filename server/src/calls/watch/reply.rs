//! One answer of a watch stream, its events still shared with every other watcher that gets them.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::BufMut;
use keyport_api::etcdserverpb::{ResponseHeader, WatchResponse};
use keyport_api::mvccpb::event::EventType;
use keyport_api::mvccpb::{self};
use keyport_storage::watch::{SelectedEvent, Selection};
use keyport_storage::{EventKind, Record};
use prost::Message;

/// A `WatchResponse` before it is encoded.
#[derive(Clone, Debug, Default)]
pub struct WatchReply {
    pub header: ResponseHeader,
    pub watch_id: i64,
    pub created: bool,
    pub canceled: bool,
    pub compact_revision: i64,
    pub cancel_reason: Cow<'static, str>,
    /// More of the same revision follows.
    pub fragment: bool,
    /// Whole revisions, but for fragments.
    pub events: Option<Arc<Selection>>,
}

impl WatchReply {
    /// The wire message; copies keys and values.
    pub fn into_message(self) -> WatchResponse {
        let events = self.events.as_ref().map(|events| events.iter().map(event_message).collect());
        WatchResponse { events: events.unwrap_or_default(), ..self.without_events() }
    }

    /// Appends the encoded `WatchResponse`; the events' part was encoded once for all who get them.
    pub fn encode(&self, to: &mut impl BufMut) {
        // The events have the highest field number, so they may follow everything else.
        self.without_events().encode_raw(to);
        if let Some(events) = &self.events {
            to.put_slice(&events.protobuf());
        }
    }

    /// Bytes that [`WatchReply::encode`] appends.
    pub fn encoded_len(&self) -> usize {
        self.without_events().encoded_len() + self.events.as_ref().map_or(0, |events| events.encoded_len())
    }

    pub(crate) fn without_events(&self) -> WatchResponse {
        WatchResponse {
            header: Some(self.header),
            watch_id: self.watch_id,
            created: self.created,
            canceled: self.canceled,
            compact_revision: self.compact_revision,
            cancel_reason: self.cancel_reason.clone().into_owned(),
            fragment: self.fragment,
            events: Vec::new(),
        }
    }
}

fn event_message(selected: &SelectedEvent) -> mvccpb::Event {
    let kind = match selected.event.kind {
        EventKind::Put => EventType::Put,
        EventKind::Delete => EventType::Delete,
    };
    mvccpb::Event {
        r#type: kind.into(),
        kv: Some(selected.event.kv.to_message()),
        prev_kv: selected.event.prev_kv.as_ref().map(Record::to_message),
    }
}
