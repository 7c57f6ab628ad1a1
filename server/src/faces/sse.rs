//! `GET /v3/watch`: the changes of some keys as server-sent events, for `EventSource` and `curl -N`.
//!
//! The query says which keys and from where on (`query`); every event has an `id`, and a reader that comes back with
//! the last one it saw (`Last-Event-ID`) goes on right after it, also inside a revision that changed many keys
//! (`position`). Events:
//!
//! | `event:` | `data:` |
//! |---|---|
//! | `opened` | first of all: the store's revision; its `id` is where the stream begins |
//! | `put`, `delete` | a change; with `initial`, at first also each key as it is |
//! | `synced` | after the last of those: from here on it is changes |
//! | `bookmark` | nothing happened to these keys up to its `id` |
//! | `compacted` | the next change is no longer known; the end |
//! | `failed` | problem details; the end |
//!
//! Whoever prefers lines of JSON asks with `Accept: application/x-ndjson`. A start that is compacted already is
//! answered with 410, which browsers take as final; other mistakes with problem details (RFC 9457).

mod encode;
mod feed;
mod listing;
mod position;
mod query;
mod selectors;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use keyport_api::error::{self, Error, Problem};
use keyport_storage::watch::{CreateError, WatchSpec};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::json::{CHALLENGE, GatewayBody};
use super::kit;
use crate::calls::Calls;
use crate::http::layers::{LastWord, LastsLong};
use encode::{Encoding, Format, Framing};
use feed::Feed;
use listing::Listing;
use position::Position;
use query::{Query, QueryError};

/// Where the streams are, beside the gateway's own watch.
pub(super) const PATH: &str = "/v3/watch";

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Whether a request to [`PATH`] is one for events, and not for the gateway's watch.
pub(super) fn asked_for<B>(request: &Request<B>) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD) && !request.headers().contains_key(header::UPGRADE)
}

/// Answers a GET or HEAD of [`PATH`].
pub(super) async fn answer(calls: Calls, parts: Parts, stop: CancellationToken) -> Response<GatewayBody> {
    let head_only = parts.method == Method::HEAD;
    match open(calls, parts, stop).await {
        Ok(mut response) if head_only => {
            *response.body_mut() = GatewayBody::empty();
            response
        }
        Ok(response) => response,
        Err(failure) => failure.response(),
    }
}

async fn open(calls: Calls, parts: Parts, stop: CancellationToken) -> Result<Response<GatewayBody>, Failure> {
    let last_event_id = parts.headers.get(LAST_EVENT_ID).map(|id| String::from_utf8_lossy(id.as_bytes()));
    let query = Query::parse(parts.uri.query().unwrap_or_default(), last_event_id.as_deref())?;
    let format = Format { framing: framing(&parts.headers), encoding: query.encoding };
    let caller = kit::caller(&parts.extensions)?;
    let subscription = calls.watch.subscribe(&caller)?;
    let compacted = || calls.watch.compacted();

    let mut listing = match &query.from {
        Some(Position::State { revision, key }) => Some(Listing::resume(query.ranges.clone(), *revision, key)),
        None if query.initial => Some(Listing::now(query.ranges.clone())),
        _ => None,
    };
    let first_page = match &mut listing {
        Some(listing) => listing.page(&calls.kv, &caller).await.map_err(|error| match error {
            Error::Compacted => Failure::Compacted(compacted()),
            error => Failure::Refused(error),
        })?,
        None => Vec::new(),
    };
    let from = match (query.from, &listing) {
        (None, Some(listing)) => Some(Position::State { revision: listing.revision(), key: Bytes::new() }),
        (from, _) => from,
    };

    let spec = WatchSpec {
        ranges: query.ranges,
        start_revision: from.as_ref().map_or(0, |from| first_revision(from, compacted())).max(0),
        watch_id: 0,
        prev_kv: query.prev_kv,
        filters: query.filters,
        progress_notify: false,
        fragment: false,
    };
    if from.is_some() && spec.start_revision < compacted() {
        return Err(Failure::Compacted(compacted()));
    }
    let created = subscription.stream.create(spec).map_err(Failure::Watch)?;
    let position = from.unwrap_or(Position::After(created.revision));

    let mut preamble = Vec::new();
    format.retry(&mut preamble);
    format.revision(&mut preamble, Some(&position), "opened", "revision", created.revision);
    let mut response = Response::new(GatewayBody::empty());
    set_headers(response.headers_mut(), format.framing, &position);
    response.extensions_mut().insert(LastsLong);
    response.extensions_mut().insert(match format.framing {
        Framing::EventStream => LastWord(|status| last_word(Framing::EventStream, status)),
        Framing::Lines => LastWord(|status| last_word(Framing::Lines, status)),
    });
    let mut feed = Feed::new(calls, caller, format, (listing, subscription, position), query.heartbeat);
    feed.show_state(&mut preamble, first_page);
    // A reader whose stream just ends comes back, here or to another member.
    let frames = stream::iter([Bytes::from(preamble)]).chain(feed.frames()).take_until(stop.cancelled_owned());
    *response.body_mut() = GatewayBody::stream(frames);
    Ok(response)
}

/// The first revision of which a reader at a position has not seen everything.
fn first_revision(position: &Position, compacted: i64) -> i64 {
    match *position {
        Position::After(revision) | Position::State { revision, .. } => revision + 1,
        // A compaction may have taken some changes of just this revision, and then those that are left have other
        // numbers: that is as if it were gone.
        Position::Inside { revision, .. } if revision == compacted => revision - 1,
        Position::Inside { revision, .. } => revision,
    }
}

fn set_headers(headers: &mut HeaderMap, framing: Framing, position: &Position) {
    let media_type = match framing {
        Framing::EventStream => "text/event-stream",
        Framing::Lines => "application/x-ndjson",
    };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    headers.insert(header::VARY, HeaderValue::from_static("accept, last-event-id"));
    if let Ok(position) = HeaderValue::try_from(position.to_string()) {
        headers.insert(LAST_EVENT_ID, position);
    }
}

/// Lines for those who ask for them and not for events.
fn framing(headers: &HeaderMap) -> Framing {
    let accepts = |media_type: &str| {
        let ranges =
            headers.get_all(header::ACCEPT).into_iter().flat_map(|value| value.as_bytes().split(|&b| b == b','));
        let mut names = ranges.map(|range| range.split(|&b| b == b';').next().unwrap_or_default().trim_ascii());
        names.any(|name| name.eq_ignore_ascii_case(media_type.as_bytes()))
    };
    let lines = accepts("application/x-ndjson") || accepts("application/ndjson") || accepts("application/jsonl");
    if lines && !accepts("text/event-stream") { Framing::Lines } else { Framing::EventStream }
}

/// What a reader hears when its time is over.
fn last_word(framing: Framing, status: &Status) -> Bytes {
    let mut out = Vec::new();
    Format { framing, encoding: Encoding::default() }.error(&mut out, &error::problem(status).to_json());
    out.into()
}

/// Why a stream did not begin.
enum Failure {
    Query(QueryError),
    Watch(CreateError),
    Refused(Error),
    /// What comes next for the reader was compacted, up to this revision.
    Compacted(i64),
}

impl Failure {
    fn response(self) -> Response<GatewayBody> {
        let (status, body) = match &self {
            Failure::Query(error) => {
                (StatusCode::BAD_REQUEST, Problem::http(StatusCode::BAD_REQUEST, error.to_string()).to_json())
            }
            Failure::Watch(error) => {
                (StatusCode::BAD_REQUEST, Problem::http(StatusCode::BAD_REQUEST, error.to_string()).to_json())
            }
            Failure::Refused(error) => (error.http_status(), error::problem(&Status::from(*error)).to_json()),
            Failure::Compacted(revision) => (StatusCode::GONE, gone(*revision)),
        };
        let mut response = Response::new(GatewayBody::Full(body.into()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(Problem::MEDIA_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, CHALLENGE);
        }
        response
    }
}

/// The problem of a revision that is no longer known, with where history begins now.
fn gone(compact_revision: i64) -> Vec<u8> {
    let problem = error::problem(&Error::Compacted.into());
    let gone = Problem { status: StatusCode::GONE.as_u16(), title: error::reason_phrase(StatusCode::GONE), ..problem };
    let mut document = json!(gone);
    document["compact_revision"] = json!(compact_revision.to_string());
    document.to_string().into_bytes()
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Failure {
        Failure::Query(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Refused(error)
    }
}

#[cfg(test)]
mod tests;
