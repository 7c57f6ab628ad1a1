//! What is shown for as long as somebody looks: events, and heartbeats in the pauses.

use bytes::Bytes;
use futures_core::Stream;
use futures_util::{StreamExt as _, stream};
use http::Response;
use http::request::Parts;
use keyport_api::error::{self, Error};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use super::hold::{HEARTBEAT, event};
use crate::faces::events::{self, Framing};
use crate::faces::query::parameters_once;
use crate::faces::text::GatewayBody;
use crate::http::layers::LastsLong;

/// The header by which a reader says what it has seen.
const LAST_EVENT_ID: &str = "last-event-id";

/// The id of the last event that a reader has seen, if it says so.
pub(super) fn last_event_id(parts: &Parts) -> Option<&str> {
    let value = parts.headers.get(LAST_EVENT_ID)?.to_str().ok()?;
    (!value.is_empty()).then_some(value)
}

/// Whether a request whose query has nothing else asks for a stream.
///
/// # Errors
/// What is wrong with the query.
pub(super) fn is_asked_for(parts: &Parts) -> Result<bool, Failure> {
    let mut watches = events::hears(&parts.headers);
    for given in parameters_once(parts.uri.query().unwrap_or_default())? {
        match &*given.name {
            "watch" => watches = given.flag()? || watches,
            "unnamed" => drop(given.flag()?),
            _ => given.unknown()?,
        }
    }
    Ok(watches)
}

/// Somebody who looks on, and whether he may is asked again each time.
pub(super) trait Looker: Sized + Send + 'static {
    /// All that he has not been told; waits until there is something. None at the end.
    ///
    /// # Errors
    /// Why he may look no longer.
    fn next(&mut self, framing: Framing) -> impl Future<Output = Result<Option<Bytes>, Error>> + Send;

    /// What he is told, and why it ends, if he may look no longer.
    fn frames(self, framing: Framing) -> impl Stream<Item = Bytes> + Send + 'static {
        stream::unfold(Some(self), move |looker| async move {
            let mut looker = looker?;
            match looker.next(framing).await {
                Ok(frame) => frame.map(|frame| (frame, Some(looker))),
                Err(error) => Some((refused(framing, error), None)),
            }
        })
    }
}

/// The answer that goes on for as long as `events` do, whose items are frames.
pub(super) fn answer(
    framing: Framing,
    stop: CancellationToken,
    events: impl Stream<Item = Bytes> + Send + 'static,
) -> Response<GatewayBody> {
    let mut heartbeat = interval(HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let frames = stream::unfold((Box::pin(events), heartbeat), move |(mut events, mut heartbeat)| async move {
        let frame = tokio::select! {
            biased;
            event = events.next() => {
                heartbeat.reset();
                event?
            }
            _ = heartbeat.tick() => framing.heartbeat(),
        };
        Some((frame, (events, heartbeat)))
    });
    let mut response = Response::new(GatewayBody::stream(frames.take_until(stop.cancelled_owned())));
    framing.describe(response.headers_mut());
    response.extensions_mut().insert(LastsLong);
    response.extensions_mut().insert(framing.last_word());
    response
}

/// The last event of a stream whose reader may look no longer.
fn refused(framing: Framing, error: Error) -> Bytes {
    event(framing, "failed", &error::problem(&error.into()).to_json())
}
