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
//! | `ahead` | the reader has seen more than there is; the end |
//! | `failed` | problem details; the end |
//!
//! Whoever prefers lines of JSON asks with `Accept: application/x-ndjson`. A stream that cannot begin is refused with
//! problem details (RFC 9457), or, where a browser would take that as final without seeing why, with its last event
//! (`refusal`).

mod encode;
mod feed;
mod listing;
mod position;
mod query;
mod refusal;
mod selectors;
mod socket;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use keyport_api::error::Error;
use keyport_storage::watch::WatchSpec;
use tokio_util::sync::CancellationToken;

use super::events::{self, Framing};
use super::kit;
use super::socket::handshake;
use super::text::GatewayBody;
use crate::calls::{Caller, Calls};
use crate::http::Call;
use crate::http::layers::LastsLong;
use crate::http::refusal::is_of_page;
use encode::Format;
use feed::Feed;
use listing::Listing;
use position::Position;
use query::Query;
use refusal::Failure;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The streams of events. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Events {
    calls: Calls,
    stop: CancellationToken,
}

impl Events {
    /// Streams that end, each where it is, with `stop`.
    pub(super) fn new(calls: Calls, stop: CancellationToken) -> Events {
        Events { calls, stop }
    }

    /// Answers a GET or HEAD.
    pub(super) async fn answer(&self, parts: Parts) -> Response<GatewayBody> {
        let head_only = parts.method == Method::HEAD;
        let framing = Framing::of(&parts);
        let (hears, is_page) = (events::hears(&parts.headers), is_of_page(&parts.headers));
        let mut response = match open(self.calls.clone(), parts, framing, self.stop.clone()).await {
            Ok(response) => response,
            Err(failure) => failure.response(framing, hears, is_page),
        };
        if head_only && response.status().is_success() {
            *response.body_mut() = GatewayBody::empty();
        }
        response
    }
}

impl Events {
    /// Answers who asks for a WebSocket. A page is shown nothing of a refusal of that, so it is told as one of the events is, where
    /// waiting or beginning anew helps.
    pub(super) async fn socket(&self, mut parts: Parts) -> Response<GatewayBody> {
        let upgrade = match handshake::read(&mut parts).await {
            Ok(upgrade) => upgrade,
            Err(failed) => return socket::refused(&failed),
        };
        let is_page = is_of_page(&parts.headers);
        let deadline = Call::get(&parts.extensions).and_then(|call| call.deadline);
        let opened = open(self.calls.clone(), parts, Framing::Lines, self.stop.clone()).await;
        let response = opened.unwrap_or_else(|failure| failure.response(Framing::Lines, true, is_page));
        if response.status() != StatusCode::OK {
            return response;
        }
        socket::tell(upgrade, response.into_body(), deadline, self.stop.clone())
    }
}

async fn open(
    calls: Calls,
    parts: Parts,
    framing: Framing,
    stop: CancellationToken,
) -> Result<Response<GatewayBody>, Failure> {
    let last_event_id = parts.headers.get(LAST_EVENT_ID).map(|id| String::from_utf8_lossy(id.as_bytes()));
    let query = Query::parse(parts.uri.query().unwrap_or_default(), last_event_id.as_deref())?;
    let format = Format { framing, encoding: query.encoding };
    let caller = kit::caller(&parts.extensions)?;
    let subscription = calls.watch.subscribe(&caller, &query.ranges)?;
    let compacted = || Failure::Compacted(Anew { revision: calls.watch.compacted(), initial: query.initial });
    if let Some(anew) = ahead(&calls, &caller, &query).await? {
        return Err(Failure::Ahead(anew));
    }

    let mut listing = match &query.from {
        Some(Position::State { revision, key }) => Some(Listing::resume(query.ranges.clone(), *revision, key)),
        None if query.initial => Some(Listing::now(query.ranges.clone())),
        _ => None,
    };
    let first_page = match &mut listing {
        Some(listing) => listing.page(&calls.kv, &caller).await.map_err(|error| match error {
            Error::Compacted => compacted(),
            error => Failure::Refused(error),
        })?,
        None => Vec::new(),
    };
    let from = match (&query.from, &listing) {
        (None, Some(listing)) => Some(Position::State { revision: listing.revision(), key: Bytes::new() }),
        (from, _) => from.clone(),
    };

    let spec = WatchSpec {
        ranges: query.ranges.clone(),
        start_revision: from.as_ref().map_or(0, |from| first_revision(from, calls.watch.compacted())).max(0),
        watch_id: 0,
        prev_kv: query.prev_kv,
        filters: query.filters,
        progress_notify: false,
        fragment: false,
    };
    if from.is_some() && spec.start_revision < calls.watch.compacted() {
        return Err(compacted());
    }
    let created = subscription.stream.create(spec).map_err(Failure::Watch)?;
    let position = from.unwrap_or(Position::After(created.revision));

    let mut preamble = Vec::new();
    format.retry(&mut preamble);
    format.revision(&mut preamble, Some(&position), "opened", "revision", created.revision);
    let mut response = Response::new(GatewayBody::empty());
    set_headers(response.headers_mut(), format.framing, &position);
    response.extensions_mut().insert(LastsLong);
    response.extensions_mut().insert(format.framing.last_word());
    let mut feed = Feed::new(calls, caller, format, query.initial, (listing, subscription, position), query.heartbeat);
    feed.show_state(&mut preamble, first_page);
    // A reader whose stream just ends comes back, here or to another member.
    let frames = stream::iter([Bytes::from(preamble)]).chain(feed.frames()).take_until(stop.cancelled_owned());
    *response.body_mut() = GatewayBody::stream(frames);
    Ok(response)
}

/// Whether a reader comes back from where nobody has been: the store was set back, as by restoring a backup.
///
/// A member may be behind what a reader saw elsewhere, so this asks the others first. Who names the first revision to
/// see (`start_revision`) may as well wait for it.
async fn ahead(calls: &Calls, caller: &Caller, query: &Query) -> Result<Option<Anew>, Failure> {
    let Some(seen) = query.from.as_ref().filter(|_| query.comes_back).map(Position::revision) else { return Ok(None) };
    if seen <= calls.watch.revision() {
        return Ok(None);
    }
    let mut now = Listing::now(query.ranges.clone());
    now.page(&calls.kv, caller).await?;
    let revision = now.revision();
    Ok((seen > revision).then_some(Anew { revision, initial: query.initial }))
}

/// Where a reader can begin anew that cannot go on from where it was.
#[derive(Clone, Copy, Debug)]
struct Anew {
    revision: i64,
    /// Whether it wants the state first.
    initial: bool,
}

impl Anew {
    /// A reader that comes back with this is not sent away again, and misses nothing that can still be known.
    fn position(self) -> Position {
        if self.initial && self.revision > 0 {
            Position::State { revision: self.revision, key: Bytes::new() }
        } else {
            Position::After(self.revision)
        }
    }
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
    framing.describe(headers);
    if let Ok(position) = HeaderValue::try_from(position.to_string()) {
        headers.insert(LAST_EVENT_ID, position);
    }
}

#[cfg(test)]
mod tests;
