//! Streaming calls over WebSocket: a text frame is a message, both ways.
//!
//! Browsers cannot set headers on a WebSocket, so a token may come as the subprotocol pair `Bearer, <token>` (answered
//! with `Bearer`) or as a cookie named `token`. Idle sockets are pinged; one that does not answer is closed. What
//! cannot be understood is answered with an error message and the end of the socket.

use std::error::Error as _;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Instant;

use axum::extract::ws::{CloseFrame, Message as Frame, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use bytes::Bytes;
use futures_core::Stream;
use futures_util::{SinkExt, StreamExt};
use http::Response;
use keyport_api::error::{self, Error, frame_too_large, not_understood};
use keyport_api::json::{FromJson, ToJson};
use prost::Message;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

use super::split::Messages;
use super::stream::{Answers, Requests};
use super::{GatewayOptions, stream, unary};
use crate::bulk::{Aside, OwnAside};
use crate::faces::text::GatewayBody;
use crate::http::Ending;

/// Requests that were read and not yet taken by the service; beyond them the socket is not read. The channel has room for
/// 32, used or not, so what it holds is small.
const QUEUE: usize = 8;

/// How the library says that the connection ended without a close frame.
const VANISHED: &str = "Connection reset without closing handshake";

/// Bytes kept for a socket each way, used or not.
const BUFFER_BYTES: usize = 4 * 1024;

/// A call with one request, the first frame, and many answers.
pub(super) fn server_streaming<Req, Resp, S, F, E, I>(
    options: &GatewayOptions,
    aside: Aside<'_>,
    deadline: Option<Instant>,
    upgrade: WebSocketUpgrade,
    invoke: impl FnOnce(Req) -> F + Send + 'static,
) -> Response<GatewayBody>
where
    Req: Message + FromJson + 'static,
    Resp: ToJson + Send + 'static,
    S: Stream<Item = Result<Resp, I>> + Send + 'static,
    F: Future<Output = Result<S, E>> + Send + 'static,
    E: Into<Status> + 'static,
    I: Into<Status> + 'static,
{
    bidi(options, aside, deadline, upgrade, |mut requests: Requests<Req>| {
        stream::answers(async move {
            let request = requests.next().await.ok_or(Error::ContextCanceled)??;
            // The rest of the requests is kept open and unread: the call has but one.
            invoke(request).await.map_err(Into::into)
        })
    })
}

/// A call that streams both ways.
pub(super) fn bidi<Req, Resp>(
    options: &GatewayOptions,
    aside: Aside<'_>,
    deadline: Option<Instant>,
    upgrade: WebSocketUpgrade,
    start: impl FnOnce(Requests<Req>) -> Answers<Resp> + Send + 'static,
) -> Response<GatewayBody>
where
    Req: Message + FromJson + 'static,
    Resp: ToJson + Send + 'static,
{
    let (options, aside) = (options.clone(), aside.to_own());
    let ending = Ending::default();
    let told = ending.clone();
    let mut response = upgrade
        .protocols(["Bearer"])
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_message_size(options.max_json_bytes())
        .max_frame_size(options.max_json_bytes())
        .on_upgrade(move |socket| async move {
            let (sender, receiver) = mpsc::channel::<Result<Box<Req>, Status>>(QUEUE);
            let answers = start(Box::pin(ReceiverStream::new(receiver).map(|request| request.map(|it| *it))));
            let messages = Messages::new(options.max_json_bytes());
            let talk = Talk { socket, owes: false, messages, next: None, options, aside, ending: told };
            talk.run(sender, answers, deadline).await;
        });
    response.extensions_mut().insert(ending);
    response.map(|_| GatewayBody::empty())
}

/// One socket and the call it carries.
struct Talk<Req> {
    socket: WebSocket,
    /// Whether the library has something to say that was not taken yet.
    owes: bool,
    /// Of the last frame. They are read one by one: many make many times their bytes.
    messages: Messages,
    /// What the service has no room for yet.
    next: Option<Box<Req>>,
    options: GatewayOptions,
    aside: OwnAside,
    ending: Ending,
}

/// Why a socket ends.
enum End {
    /// The call is over.
    Done,
    /// The caller closed, or cannot be reached.
    Gone,
    /// Told to the caller as a last message, with the code of the close frame.
    Refused(Status, u16),
}

impl End {
    fn code(&self) -> Code {
        match self {
            End::Done => Code::Ok,
            End::Gone => Code::Cancelled,
            End::Refused(status, _) => status.code(),
        }
    }
}

impl<Req> Talk<Req>
where
    Req: Message + FromJson + 'static,
{
    async fn run<Resp>(
        mut self,
        requests: mpsc::Sender<Result<Box<Req>, Status>>,
        mut answers: Answers<Resp>,
        deadline: Option<Instant>,
    ) where
        Resp: ToJson,
    {
        let mut heard = tokio::time::Instant::now();
        let mut ping = tokio::time::interval_at(heard + self.options.ping_interval, self.options.ping_interval);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let stop = self.options.stop.clone();
        let mut over = pin!(async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        });
        let end = loop {
            let step = tokio::select! {
                frame = self.listen(), if self.next.is_none() => {
                    heard = tokio::time::Instant::now();
                    self.hear(frame).await
                }
                permit = requests.reserve(), if self.next.is_some() => match (permit, self.next.take()) {
                    (Ok(permit), Some(request)) => {
                        permit.send(Ok(request));
                        self.read().await
                    }
                    // The service wants no more requests.
                    _ => {
                        self.messages = Messages::new(self.options.max_json_bytes());
                        Ok(())
                    }
                },
                answer = answers.next() => match answer {
                    Some(Ok(answer)) => match stream::result_object(&answer) {
                        Ok(text) => self.send(text_frame(text)).await,
                        Err(status) => Err(End::Refused(status, close_code::ERROR)),
                    },
                    Some(Err(status)) => {
                        let ours = error::http_status(status.code()).is_server_error();
                        Err(End::Refused(status, if ours { close_code::ERROR } else { close_code::POLICY }))
                    }
                    None => Err(End::Done),
                },
                () = &mut over => Err(End::Refused(Error::ContextDeadlineExceeded.into(), close_code::POLICY)),
                () = stop.cancelled() => Err(End::Refused(Error::Stopped.into(), close_code::AWAY)),
                now = ping.tick() => {
                    if now.duration_since(heard) > 2 * self.options.ping_interval {
                        Err(End::Gone)
                    } else {
                        self.send(Frame::Ping(Bytes::new())).await
                    }
                }
            };
            if let Err(end) = step {
                break end;
            }
        };
        drop(answers);
        self.close(end).await;
    }

    /// The next frame. What the library says by itself, such as the answer to a ping, has to be taken before more is heard:
    /// a caller that does not read would otherwise have it kept for ever.
    async fn listen(&mut self) -> Option<Result<Frame, axum::Error>> {
        if self.owes
            && let Err(error) = self.socket.flush().await
        {
            return Some(Err(error));
        }
        self.owes = false;
        self.socket.recv().await
    }

    async fn hear(&mut self, frame: Option<Result<Frame, axum::Error>>) -> Result<(), End> {
        let text: Bytes = match frame {
            Some(Ok(Frame::Text(text))) => text.into(),
            Some(Ok(Frame::Binary(bytes))) => bytes,
            Some(Ok(Frame::Ping(_))) => {
                self.owes = true;
                return Ok(());
            }
            Some(Ok(Frame::Pong(_))) => return Ok(()),
            Some(Ok(Frame::Close(_))) | None => return Err(End::Gone),
            Some(Err(error)) => return Err(protocol_error(&error)),
        };
        self.messages.push(text);
        self.read().await
    }

    /// Reads the next message of the frame, if there is one.
    async fn read(&mut self) -> Result<(), End> {
        let invalid = |status| End::Refused(status, close_code::INVALID);
        let text = self.messages.next().map_err(|error| invalid(not_understood(error)))?;
        let Some(text) = text else {
            return self.messages.finish().map_err(|error| invalid(not_understood(error)));
        };
        let message = unary::read(&self.options, self.aside.get(), text).await;
        self.next = Some(Box::new(message.map_err(|refusal| invalid(refusal.into()))?));
        Ok(())
    }

    /// A caller that does not read is as silent as one that does not speak.
    async fn send(&mut self, frame: Frame) -> Result<(), End> {
        match tokio::time::timeout(2 * self.options.ping_interval, self.socket.send(frame)).await {
            Ok(sent) => sent.map_err(|_| End::Gone),
            Err(_) => Err(End::Gone),
        }
    }

    async fn close(mut self, end: End) {
        self.ending.tell(end.code());
        let code = match end {
            End::Done => close_code::NORMAL,
            End::Gone => return,
            End::Refused(status, code) => {
                if self.send(text_frame(error::stream_body(&status))).await.is_err() {
                    return;
                }
                code
            }
        };
        // Nobody is left to tell whether this arrives.
        let _ = self.send(Frame::Close(Some(CloseFrame { code, reason: Utf8Bytes::default() }))).await;
    }
}

fn text_frame(json: Vec<u8>) -> Frame {
    Frame::Text(Utf8Bytes::try_from(Bytes::from(json)).unwrap_or_default())
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
