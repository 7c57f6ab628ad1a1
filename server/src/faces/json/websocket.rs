//! Streaming calls over WebSocket: a text frame is a message, both ways. What cannot be understood is answered with an error
//! message and the end of the socket.

use std::future::Future;
use std::pin::pin;
use std::time::Instant;

use axum::extract::ws::WebSocketUpgrade;
use bytes::Bytes;
use futures_core::Stream;
use futures_util::StreamExt;
use http::Response;
use keyport_api::error::{self, Error, not_understood};
use keyport_api::json::{FromJson, ToJson};
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::split::Messages;
use super::stream::{Answers, Requests};
use super::{GatewayOptions, stream, unary};
use crate::bulk::{Aside, OwnAside};
use crate::faces::socket::{self, End, Socket, close_code};
use crate::faces::text::GatewayBody;
use crate::http::Ending;

/// Requests that were read and not yet taken by the service; beyond them the socket is not read. The channel has room for
/// 32, used or not, so what it holds is small.
const QUEUE: usize = 8;

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
    let mut response = socket::terms(upgrade, options.max_json_bytes()).on_upgrade(move |socket| async move {
        let (sender, receiver) = mpsc::channel::<Result<Box<Req>, Status>>(QUEUE);
        let answers = start(Box::pin(ReceiverStream::new(receiver).map(|request| request.map(|it| *it))));
        let messages = Messages::new(options.max_json_bytes());
        let socket = Socket::over(socket, options.ping_interval);
        let talk = Talk { socket, messages, next: None, options, aside, ending: told };
        talk.run(sender, answers, deadline).await;
    });
    response.extensions_mut().insert(ending);
    response.map(|_| GatewayBody::empty())
}

/// One socket and the call it carries.
struct Talk<Req> {
    socket: Socket,
    /// Of the last frame. They are read one by one: many make many times their bytes.
    messages: Messages,
    /// What the service has no room for yet.
    next: Option<Box<Req>>,
    options: GatewayOptions,
    aside: OwnAside,
    ending: Ending,
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
        let mut pulse = self.socket.pulse();
        let stop = self.options.stop.clone();
        let mut over = pin!(async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        });
        let end = loop {
            let step = tokio::select! {
                heard = self.socket.listen(), if self.next.is_none() => {
                    pulse.heard();
                    self.hear(heard).await
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
                        Ok(text) => self.socket.say(text.into()).await,
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
                alive = pulse.beat() => match alive {
                    Ok(()) => self.socket.ping().await,
                    Err(end) => Err(end),
                },
            };
            if let Err(end) = step {
                break end;
            }
        };
        drop(answers);
        self.close(end).await;
    }

    async fn hear(&mut self, heard: Result<Option<Bytes>, End>) -> Result<(), End> {
        let Some(text) = heard? else { return Ok(()) };
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
        let (message, _) = message.map_err(|refusal| invalid(refusal.into()))?;
        self.next = Some(Box::new(message));
        Ok(())
    }

    async fn close(mut self, end: End) {
        self.ending.tell(end.code());
        let code = match end {
            End::Done => close_code::NORMAL,
            End::Gone => return,
            End::Refused(status, code) => {
                if self.socket.say(error::stream_body(&status).into()).await.is_err() {
                    return;
                }
                code
            }
        };
        self.socket.close(code).await;
    }
}
