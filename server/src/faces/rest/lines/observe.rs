//! Who leads, as a stream: `leader` whenever another one does, or says something else.

use futures_util::stream;
use http::Response;
use http::request::Parts;
use keyport_api::error::Error;
use keyport_api::v3electionpb::{LeaderRequest, LeaderResponse};
use keyport_storage::Record;
use tokio::time::{MissedTickBehavior, interval};
use tokio_stream::StreamExt as _;
use tokio_util::sync::CancellationToken;

use super::{Desk, told};
use crate::faces::events::Framing;
use crate::faces::rest::failure::Failure;
use crate::faces::rest::hold::{HEARTBEAT, event};
use crate::faces::text::GatewayBody;
use crate::http::layers::LastsLong;

pub(super) async fn answer(
    desk: Desk,
    parts: &Parts,
    stop: CancellationToken,
) -> Result<Response<GatewayBody>, Failure> {
    // Who may not look is told so before there is a stream.
    desk.line.look(&desk.caller, &desk.name, 1).await?;
    let framing = Framing::of(parts);
    let leaders = desk.calls.election.observe(&desk.caller, LeaderRequest { name: desk.name }).await?;
    let mut heartbeat = interval(HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let open = Some((leaders, heartbeat, stop));
    let frames = stream::unfold(open, move |open| async move {
        let (mut leaders, mut heartbeat, stop) = open?;
        tokio::select! {
            () = stop.cancelled() => Some((framing.failed(&Error::Stopped.into()), None)),
            leader = leaders.next() => match leader? {
                Ok(leader) => {
                    heartbeat.reset();
                    Some((event(framing, "leader", &document(leader)), Some((leaders, heartbeat, stop))))
                }
                Err(status) => Some((framing.failed(&status), None)),
            },
            _ = heartbeat.tick() => Some((framing.heartbeat(), Some((leaders, heartbeat, stop)))),
        }
    });
    let mut response = Response::new(GatewayBody::stream(frames));
    framing.describe(response.headers_mut());
    response.extensions_mut().insert(LastsLong);
    response.extensions_mut().insert(framing.last_word());
    Ok(response)
}

fn document(LeaderResponse { kv, .. }: LeaderResponse) -> Vec<u8> {
    kv.map(|kv| told::place(&Record::from_message(&kv))).unwrap_or_default()
}
