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

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use keyport_api::error::{self, Error, Problem};
use keyport_storage::watch::WatchSpec;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::faces::json::{CHALLENGE, CallHeaders, GatewayBody, ServiceSet, cookie_token};
use encode::{Format, Framing};
use feed::Feed;
use listing::{Caller, Listing};
use position::Position;
use query::{Query, QueryError};

/// Where the streams are, beside the gateway's own watch.
pub(crate) const PATH: &str = "/v3/watch";

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Answers a GET or HEAD of [`PATH`].
pub(crate) async fn answer<S: ServiceSet>(
    services: Arc<S>,
    parts: Parts,
    query: &str,
    stop: CancellationToken,
) -> Response<GatewayBody> {
    let head_only = parts.method == Method::HEAD;
    match open(services, parts, query, stop).await {
        Ok(mut response) if head_only => {
            *response.body_mut() = GatewayBody::empty();
            response
        }
        Ok(response) => response,
        Err(failure) => failure.response(),
    }
}

async fn open<S: ServiceSet>(
    services: Arc<S>,
    parts: Parts,
    query: &str,
    stop: CancellationToken,
) -> Result<Response<GatewayBody>, Failure> {
    let last_event_id = parts.headers.get(LAST_EVENT_ID).map(|id| String::from_utf8_lossy(id.as_bytes()));
    let query = Query::parse(query, last_event_id.as_deref())?;
    let format = Format { framing: framing(&parts.headers), encoding: query.encoding };
    let mut call = CallHeaders::read(&parts.headers)?;
    if let Some(token) = query.access_token.as_deref().or_else(|| cookie_token(&parts.headers)) {
        call.set_token(token);
    }
    let caller = Caller { metadata: call.metadata, extensions: parts.extensions };
    let end = services.admit_watch(&caller.metadata, &caller.extensions, &query.ranges)?;

    let mut listing = match &query.from {
        Some(Position::State { revision, key }) => Some(Listing::resume(query.ranges.clone(), *revision, key)),
        None if query.initial => Some(Listing::now(query.ranges.clone())),
        _ => None,
    };
    let first_page = match &mut listing {
        Some(listing) => listing.page(services.kv(), &caller).await.map_err(|status| match is_compacted(&status) {
            true => Failure::Compacted(services.compacted()),
            false => Failure::Status(status),
        })?,
        None => Vec::new(),
    };
    let from = match (query.from, &listing) {
        (None, Some(listing)) => Some(Position::State { revision: listing.revision(), key: Bytes::new() }),
        (from, _) => from,
    };

    let spec = WatchSpec {
        ranges: query.ranges,
        start_revision: from.as_ref().map_or(0, |from| first_revision(from, services.compacted())).max(0),
        watch_id: 0,
        prev_kv: query.prev_kv,
        filters: query.filters,
        progress_notify: false,
        fragment: false,
    };
    if from.is_some() && spec.start_revision < services.compacted() {
        return Err(Failure::Compacted(services.compacted()));
    }
    let watch = services.watch_stream();
    let created = watch.create(spec).map_err(|error| Status::invalid_argument(error.to_string()))?;
    let position = from.unwrap_or(Position::After(created.revision));

    let mut preamble = Vec::new();
    format.retry(&mut preamble);
    format.revision(&mut preamble, Some(&position), "opened", "revision", created.revision);
    let mut response = Response::new(GatewayBody::empty());
    set_headers(response.headers_mut(), format.framing, &position);
    let mut feed = Feed::new(services, caller, format, (listing, watch, position), query.heartbeat, end);
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

fn is_compacted(status: &Status) -> bool {
    Error::from_status(status) == Some(Error::Compacted)
}

/// Why a stream did not begin.
enum Failure {
    Query(QueryError),
    Status(Status),
    /// What comes next for the reader was compacted, up to this revision.
    Compacted(i64),
}

impl Failure {
    fn response(self) -> Response<GatewayBody> {
        let (status, body) = match &self {
            Failure::Query(error) => {
                (StatusCode::BAD_REQUEST, Problem::http(StatusCode::BAD_REQUEST, error.to_string()).to_json())
            }
            Failure::Status(status) => (error::http_status(status.code()), error::problem(status).to_json()),
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

impl From<Status> for Failure {
    fn from(status: Status) -> Failure {
        Failure::Status(status)
    }
}

#[cfg(test)]
mod tests;
