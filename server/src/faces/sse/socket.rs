//! The same stream over a WebSocket, for those who would rather have one: each event is a message, the line of JSON that it is
//! for those who accept lines. A page has no headers there: where it was it says in the query (`last_event_id`), and who it is
//! in the subprotocol or by its cookie. A sign of life is a ping.

use std::pin::pin;
use std::time::Instant;

use axum::extract::ws::WebSocketUpgrade;
use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::BodyExt as _;
use keyport_api::error::{self, Error, not_understood};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::faces::events::Framing;
use crate::faces::problem;
use crate::faces::socket::handshake::{self, Failed};
use crate::faces::socket::{self, End, PING_INTERVAL, Socket, close_code};
use crate::faces::text::GatewayBody;

/// Bytes of a message of the caller, who has nothing to say.
const MOST_BYTES: usize = 4 * 1024;

/// Goes on as a WebSocket that tells what `lines` are.
pub(super) fn tell(
    upgrade: WebSocketUpgrade,
    lines: GatewayBody,
    deadline: Option<Instant>,
    stop: CancellationToken,
) -> Response<GatewayBody> {
    let told = socket::terms(upgrade, MOST_BYTES).on_upgrade(move |socket| async move {
        let mut socket = Socket::over(socket, PING_INTERVAL);
        let end = run(&mut socket, lines, deadline, stop).await;
        let code = match end {
            End::Done => close_code::NORMAL,
            End::Gone => return,
            End::Refused(status, code) => {
                let last = Framing::Lines.failed(&status);
                if socket.say(last.trim_ascii_end().to_vec().into()).await.is_err() {
                    return;
                }
                code
            }
        };
        socket.close(code).await;
    });
    told.map(|_| GatewayBody::empty())
}

async fn run(socket: &mut Socket, lines: GatewayBody, deadline: Option<Instant>, stop: CancellationToken) -> End {
    let mut lines = pin!(lines);
    let mut pulse = socket.pulse();
    let mut over = pin!(async {
        match deadline {
            Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
            None => std::future::pending().await,
        }
    });
    loop {
        let step = tokio::select! {
            heard = socket.listen() => {
                pulse.heard();
                // What it says is for nobody.
                heard.map(drop)
            }
            frame = lines.frame() => match frame {
                Some(Ok(frame)) => say(socket, &frame.into_data().unwrap_or_default()).await,
                Some(Err(_)) => Err(End::Refused(Error::Panicked.into(), close_code::ERROR)),
                None if stop.is_cancelled() => Err(stopped()),
                None => Err(End::Done),
            },
            alive = pulse.beat() => match alive {
                Ok(()) => socket.ping().await,
                Err(end) => Err(end),
            },
            () = &mut over => Err(End::Refused(Error::ContextDeadlineExceeded.into(), close_code::POLICY)),
            () = stop.cancelled() => Err(stopped()),
        };
        if let Err(end) = step {
            return end;
        }
    }
}

fn stopped() -> End {
    End::Refused(Error::Stopped.into(), close_code::AWAY)
}

/// Whole lines, each a message. An empty one is a sign of life.
async fn say(socket: &mut Socket, lines: &Bytes) -> Result<(), End> {
    for line in lines.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_end) {
        match line {
            [] => socket.ping().await?,
            line => socket.say(lines.slice_ref(line)).await?,
        }
    }
    Ok(())
}

/// The answer to a head that is not in order.
pub(super) fn refused(failed: &Failed) -> Response<GatewayBody> {
    if !matches!(failed, Failed::OtherVersion(_)) {
        let status: Status = not_understood(failed);
        return crate::http::refusal::problem_document(&error::problem(&status));
    }
    let mut response = problem::of_http(StatusCode::UPGRADE_REQUIRED, failed.to_string());
    handshake::name_version(response.headers_mut());
    response
}
