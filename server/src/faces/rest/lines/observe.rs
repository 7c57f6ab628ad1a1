//! Who leads, as a stream: `leader` whenever another one does, or says something else.

use bytes::Bytes;
use futures_util::stream;
use http::Response;
use http::request::Parts;
use keyport_api::error;
use keyport_api::v3electionpb::{LeaderRequest, LeaderResponse};
use keyport_storage::Record;
use tokio::time::{MissedTickBehavior, interval};
use tokio_stream::StreamExt as _;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::{Desk, told};
use crate::faces::events::Framing;
use crate::faces::rest::failure::Failure;
use crate::faces::rest::hold::{HEARTBEAT, event, last_words};
use crate::faces::text::GatewayBody;
use crate::http::layers::LastsLong;

pub(super) async fn answer(
    desk: Desk,
    parts: &Parts,
    stop: CancellationToken,
) -> Result<Response<GatewayBody>, Failure> {
    // Who may not look is told so before there is a stream.
    desk.line.look(&desk.caller, &desk.name, 1).await?;
    let framing = Framing::of(&parts.headers);
    let leaders = desk.calls.election.observe(&desk.caller, LeaderRequest { name: desk.name }).await?;
    let mut heartbeat = interval(HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let frames = stream::unfold(Some((leaders, heartbeat)), move |open| async move {
        let (mut leaders, mut heartbeat) = open?;
        tokio::select! {
            leader = leaders.next() => match leader? {
                Ok(leader) => {
                    heartbeat.reset();
                    Some((event(framing, "leader", &document(leader)), Some((leaders, heartbeat))))
                }
                Err(status) => Some((failed(framing, &status), None)),
            },
            _ = heartbeat.tick() => Some((framing.heartbeat(), Some((leaders, heartbeat)))),
        }
    });
    let frames = futures_util::StreamExt::take_until(frames, stop.cancelled_owned());
    let mut response = Response::new(GatewayBody::stream(frames));
    framing.describe(response.headers_mut());
    response.extensions_mut().insert(LastsLong);
    response.extensions_mut().insert(last_words(framing));
    Ok(response)
}

fn document(LeaderResponse { kv, .. }: LeaderResponse) -> Vec<u8> {
    kv.map(|kv| told::place(&Record::from_message(&kv))).unwrap_or_default()
}

fn failed(framing: Framing, status: &Status) -> Bytes {
    event(framing, "failed", &error::problem(status).to_json())
}
