//! Events as they are written to a stream: server-sent events, or lines of JSON.

use std::fmt::Display;
use std::io::Write as _;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};

use super::negotiation::accepts;

const EVENT_STREAM: &str = "text/event-stream";

/// How events are told apart on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// `text/event-stream`
    EventStream,
    /// `application/x-ndjson`: `{"id": …, "event": …, "data": …}`
    Lines,
}

/// Whether a request takes events by name.
pub(super) fn hears(headers: &HeaderMap) -> bool {
    accepts(headers, EVENT_STREAM)
}

impl Framing {
    /// Lines for those who ask for them and not for events.
    pub(super) fn of(headers: &HeaderMap) -> Framing {
        let lines = ["application/x-ndjson", "application/ndjson", "application/jsonl"];
        let lines = lines.iter().any(|media_type| accepts(headers, media_type));
        if lines && !hears(headers) { Framing::Lines } else { Framing::EventStream }
    }

    /// Says in the head of an answer that it is made of events.
    pub(super) fn describe(self, headers: &mut HeaderMap) {
        let media_type = match self {
            Framing::EventStream => EVENT_STREAM,
            Framing::Lines => "application/x-ndjson",
        };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        headers.insert(header::VARY, HeaderValue::from_static("accept, last-event-id"));
    }

    /// `data` writes JSON without line breaks.
    pub(super) fn event<I: Display>(
        self,
        out: &mut Vec<u8>,
        id: Option<I>,
        name: &str,
        data: impl FnOnce(&mut Vec<u8>),
    ) {
        // A vector takes everything.
        match self {
            Framing::EventStream => {
                if let Some(id) = id {
                    let _ = writeln!(out, "id: {id}");
                }
                let _ = write!(out, "event: {name}\ndata: ");
                data(out);
                out.extend_from_slice(b"\n\n");
            }
            Framing::Lines => {
                out.push(b'{');
                if let Some(id) = id {
                    let _ = write!(out, "\"id\":\"{id}\",");
                }
                let _ = write!(out, "\"event\":\"{name}\",\"data\":");
                data(out);
                out.extend_from_slice(b"}\n");
            }
        }
    }

    /// What an open stream says when there is nothing to say.
    pub(super) fn heartbeat(self) -> Bytes {
        match self {
            Framing::EventStream => Bytes::from_static(b": hb\n\n"),
            Framing::Lines => Bytes::from_static(b"\n"),
        }
    }
}
