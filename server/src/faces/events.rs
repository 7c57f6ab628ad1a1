//! Events as they are written to a stream: server-sent events, or lines of JSON.

use std::fmt::Display;
use std::io::Write as _;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, header};
use keyport_api::error;
use keyport_openapi::endpoints::EventsParameter;
use tonic::Status;

use super::negotiation::{LINES, prefers};
use super::query::parameters;
use crate::http::layers::LastWord;

const EVENT_STREAM: &str = "text/event-stream";
const UNNAMED: &str = EventsParameter::Unnamed.info().name;

/// How events are told apart on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// `text/event-stream`
    EventStream,
    /// The same without names, which `onmessage` of a page does not hear: `data: {"event": …, "data": …}`
    Unnamed,
    /// `application/x-ndjson`: `{"id": …, "event": …, "data": …}`
    Lines,
}

/// What else there is where events are: who names both gets what he likes better, or names first.
const ANSWERS: [&str; 3] = ["application/json", "application/octet-stream", "text/plain"];

/// Whether a request takes events by name.
pub(super) fn hears(headers: &HeaderMap) -> bool {
    prefers(headers, EVENT_STREAM, &ANSWERS)
}

impl Framing {
    /// Lines for those who ask for them rather than for events; events without names for those who say so in the query.
    pub(super) fn of(parts: &Parts) -> Framing {
        if LINES.iter().any(|media_type| prefers(&parts.headers, media_type, &[EVENT_STREAM])) {
            return Framing::Lines;
        }
        let unnamed = parameters(parts.uri.query().unwrap_or_default()).find(|given| given.name == UNNAMED);
        // A mistake is told where it is read.
        let is_unnamed = unnamed.is_some_and(|given| given.flag().unwrap_or(false));
        if is_unnamed { Framing::Unnamed } else { Framing::EventStream }
    }

    /// Whether it is made of server-sent events.
    pub(super) fn is_of_events(self) -> bool {
        self != Framing::Lines
    }

    /// Says in the head of an answer that it is made of events.
    pub(super) fn describe(self, headers: &mut HeaderMap) {
        let media_type = match self {
            Framing::EventStream | Framing::Unnamed => EVENT_STREAM,
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
            Framing::Unnamed => {
                if let Some(id) = id {
                    let _ = writeln!(out, "id: {id}");
                }
                let _ = write!(out, "data: {{\"event\":\"{name}\",\"data\":");
                data(out);
                out.extend_from_slice(b"}\n\n");
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
            Framing::EventStream | Framing::Unnamed => Bytes::from_static(b": hb\n\n"),
            Framing::Lines => Bytes::from_static(b"\n"),
        }
    }

    /// The last event of a stream that fails.
    pub(super) fn failed(self, status: &Status) -> Bytes {
        let mut out = Vec::new();
        let problem = error::problem(status).to_json();
        self.event(&mut out, None::<i64>, "failed", |out| out.extend_from_slice(&problem));
        out.into()
    }

    /// What a reader hears when its time is over.
    pub(super) fn last_word(self) -> LastWord {
        match self {
            Framing::EventStream => LastWord(|status| Framing::EventStream.failed(status)),
            Framing::Unnamed => LastWord(|status| Framing::Unnamed.failed(status)),
            Framing::Lines => LastWord(|status| Framing::Lines.failed(status)),
        }
    }
}
