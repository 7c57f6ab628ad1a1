//! WebSockets, whatever travels in them: idle ones are pinged, and one that does not answer, or does not read, is closed.
//!
//! Browsers cannot set headers on a WebSocket, so a token may come as the subprotocol pair `Bearer, <token>` (answered with
//! `Bearer`) or as a cookie.

pub(super) mod handshake;

use std::error::Error as _;
use std::io;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message as Frame, Utf8Bytes, WebSocket, WebSocketUpgrade};
use bytes::Bytes;
use futures_util::SinkExt as _;
use keyport_api::error::{frame_too_large, not_understood};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};
use tonic::{Code, Status};

pub(super) use axum::extract::ws::close_code;

/// How often an idle WebSocket is pinged; one that stays silent twice as long is closed.
pub(super) const PING_INTERVAL: Duration = Duration::from_secs(20);

/// How the library says that the connection ended without a close frame.
const VANISHED: &str = "Connection reset without closing handshake";

/// Bytes kept for a socket each way, used or not.
const BUFFER_BYTES: usize = 4 * 1024;

/// Why a socket ends.
pub(super) enum End {
    /// What it was for is over.
    Done,
    /// The caller closed, or cannot be reached.
    Gone,
    /// Told to the caller as a last message, with the code of the close frame.
    Refused(Status, u16),
}

impl End {
    pub(super) fn code(&self) -> Code {
        match self {
            End::Done => Code::Ok,
            End::Gone => Code::Cancelled,
            End::Refused(status, _) => status.code(),
        }
    }
}

/// See the module's text.
pub(super) struct Socket {
    socket: WebSocket,
    /// Whether the library has something to say that was not taken yet.
    owes: bool,
    ping_interval: Duration,
}

/// The terms on which a request may go on as a WebSocket: no message of the caller is larger than `most_bytes`.
pub(super) fn terms(upgrade: WebSocketUpgrade, most_bytes: usize) -> WebSocketUpgrade {
    upgrade
        .protocols(["Bearer"])
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_message_size(most_bytes)
        .max_frame_size(most_bytes)
}

impl Socket {
    pub(super) fn over(socket: WebSocket, ping_interval: Duration) -> Socket {
        Socket { socket, owes: false, ping_interval }
    }

    /// When to ask whether the caller is still there.
    pub(super) fn pulse(&self) -> Pulse {
        let heard = Instant::now();
        let mut ping = interval_at(heard + self.ping_interval, self.ping_interval);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Pulse { heard, ping }
    }

    /// The next sign of life: what the caller says, or that it is there. What the library says by itself, such as the answer to
    /// a ping, has to be taken before more is heard: a caller that does not read would otherwise have it kept for ever.
    ///
    /// # Errors
    /// That it goes away, or what it does wrong.
    pub(super) async fn listen(&mut self) -> Result<Option<Bytes>, End> {
        if self.owes
            && let Err(error) = self.socket.flush().await
        {
            return Err(protocol_error(&error));
        }
        self.owes = false;
        match self.socket.recv().await {
            Some(Ok(Frame::Text(text))) => Ok(Some(text.into())),
            Some(Ok(Frame::Binary(bytes))) => Ok(Some(bytes)),
            Some(Ok(Frame::Ping(_))) => {
                self.owes = true;
                Ok(None)
            }
            Some(Ok(Frame::Pong(_))) => Ok(None),
            Some(Ok(Frame::Close(_))) => {
                // The library has its answer ready. Nobody is left to tell whether it arrives.
                let _ = timeout(self.ping_interval, self.socket.flush()).await;
                Err(End::Gone)
            }
            None => Err(End::Gone),
            Some(Err(error)) => Err(protocol_error(&error)),
        }
    }

    /// Says something, of UTF-8.
    ///
    /// # Errors
    /// `Gone`.
    pub(super) async fn say(&mut self, text: Bytes) -> Result<(), End> {
        self.send(Frame::Text(Utf8Bytes::try_from(text).unwrap_or_default())).await
    }

    /// Asks whether the caller is still there.
    ///
    /// # Errors
    /// `Gone`.
    pub(super) async fn ping(&mut self) -> Result<(), End> {
        self.send(Frame::Ping(Bytes::new())).await
    }

    /// Says that it is over.
    pub(super) async fn close(mut self, code: u16) {
        // Nobody is left to tell whether this arrives.
        let _ = self.send(Frame::Close(Some(CloseFrame { code, reason: Utf8Bytes::default() }))).await;
    }

    /// A caller that does not read is as silent as one that does not speak.
    async fn send(&mut self, frame: Frame) -> Result<(), End> {
        match timeout(2 * self.ping_interval, self.socket.send(frame)).await {
            Ok(sent) => sent.map_err(|_| End::Gone),
            Err(_) => Err(End::Gone),
        }
    }
}

/// When a caller was last heard, and when to ask.
pub(super) struct Pulse {
    heard: Instant,
    ping: Interval,
}

impl Pulse {
    pub(super) fn heard(&mut self) {
        self.heard = Instant::now();
    }

    /// Waits until it is time to ask.
    ///
    /// # Errors
    /// `Gone`, if nothing has been heard since the time before.
    pub(super) async fn beat(&mut self) -> Result<(), End> {
        let now = self.ping.tick().await;
        if now.duration_since(self.heard) > 2 * self.ping.period() { Err(End::Gone) } else { Ok(()) }
    }
}

fn protocol_error(error: &axum::Error) -> End {
    let cause = error.source();
    let is_of_connection = cause.and_then(|cause| cause.source()).is_some_and(|cause| cause.is::<io::Error>());
    let text = cause.map_or_else(|| error.to_string(), ToString::to_string);
    if is_of_connection || text.ends_with(VANISHED) {
        return End::Gone;
    }
    let (status, code) = if text.contains("too long") || text.contains("Too long") {
        (frame_too_large(text), close_code::SIZE)
    } else {
        (not_understood(text), close_code::PROTOCOL)
    };
    End::Refused(status, code)
}
