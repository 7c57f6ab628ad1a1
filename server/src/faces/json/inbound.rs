//! The request side of a streaming call: a body that becomes messages as its bytes arrive.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use futures_core::Stream;
use http_body::Body;
use keyport_api::error::{Error, body_broken, not_understood};
use keyport_api::json::FromJson;
use parking_lot::Mutex;
use prost::Message;
use serde::de::IgnoredAny;
use tonic::Status;

use super::dialogue::Dialogue;
use super::refusal::Refusal;
use super::split::{Messages, SplitError};
use super::{GatewayOptions, unary};
use crate::bulk::OwnAside;
use crate::http::BoxError;

/// An unfinished message up to this size is looked at while its rest is awaited, so that nonsense is answered at
/// once and not when the caller gives up.
const EAGER_BYTES: usize = 16 * 1024;

/// What the two sides of a call know of each other.
#[derive(Debug, Default)]
pub(super) struct Call<D> {
    pub(super) dialogue: D,
    /// No more requests come.
    pub(super) ended: bool,
    /// Why the requests ended, if not because the caller said all there was.
    pub(super) fault: Option<Status>,
    /// Who to wake when the above changes.
    pub(super) answering: Option<Waker>,
}

impl<D> Call<D> {
    fn end(&mut self, fault: Option<Status>) {
        self.ended = true;
        self.fault = fault;
        if let Some(waker) = self.answering.take() {
            waker.wake();
        }
    }
}

type Reading<D> = Pin<Box<dyn Future<Output = Result<<D as Dialogue>::Request, Refusal>> + Send>>;

/// The messages of a body. It ends where the body does or where it stops making sense; [`Call`] says which.
pub(super) struct Inbound<B, D: Dialogue> {
    body: Pin<Box<B>>,
    messages: Messages,
    options: GatewayOptions,
    aside: OwnAside,
    /// A large message that is being read aside.
    reading: Option<Reading<D>>,
    call: Arc<Mutex<Call<D>>>,
    /// How much of the unfinished message was found to be the head of something valid.
    checked: usize,
}

impl<B, D> Inbound<B, D>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
    D: Dialogue,
    D::Request: Message + FromJson + 'static,
{
    pub(super) fn new(body: B, options: GatewayOptions, aside: OwnAside, call: Arc<Mutex<Call<D>>>) -> Inbound<B, D> {
        let messages = Messages::new(options.max_json_bytes());
        Inbound { body: Box::pin(body), messages, options, aside, reading: None, call, checked: 0 }
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<D::Request>, Status>> {
        loop {
            if let Some(reading) = &mut self.reading {
                let message = ready!(reading.as_mut().poll(cx));
                self.reading = None;
                return Poll::Ready(message.map(Some).map_err(Status::from));
            }
            if let Some(text) = self.messages.next().map_err(|error| self.refuse(error))? {
                self.checked = 0;
                if !unary::is_large(&text) {
                    let decoded = unary::decode(&self.options, &text);
                    return Poll::Ready(decoded.map(|(message, _)| Some(message)).map_err(Status::from));
                }
                let (options, aside) = (self.options.clone(), self.aside.clone());
                self.reading = Some(Box::pin(async move {
                    unary::read(&options, aside.get(), text).await.map(|(message, _)| message)
                }));
                continue;
            }
            let frame = match self.body.as_mut().poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    self.check_pending()?;
                    return Poll::Pending;
                }
            };
            match frame.transpose() {
                Ok(Some(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.messages.push(data);
                    }
                }
                Ok(None) => {
                    self.messages.finish().map_err(|error| self.refuse(error))?;
                    return Poll::Ready(Ok(None));
                }
                Err(error) => {
                    let error: BoxError = error.into();
                    return Poll::Ready(Err(body_broken(error)));
                }
            }
        }
    }

    fn refuse(&self, error: SplitError) -> Status {
        match error {
            SplitError::TooLarge(_) => {
                let limit = self.options.max_json_bytes();
                Error::MessageTooLarge { size: self.messages.pending().len().max(limit + 1), limit }.into()
            }
            _ => not_understood(error),
        }
    }

    fn check_pending(&mut self) -> Result<(), Status> {
        let pending = self.messages.pending();
        if pending.len() == self.checked || pending.len() > EAGER_BYTES {
            return Ok(());
        }
        self.checked = pending.len();
        match serde_json::from_slice::<IgnoredAny>(pending) {
            Err(error) if !error.is_eof() => Err(not_understood(error)),
            _ => Ok(()),
        }
    }
}

impl<B, D> Stream for Inbound<B, D>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
    D: Dialogue,
    D::Request: Message + FromJson + 'static,
{
    type Item = Result<D::Request, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.call.lock().ended {
            return Poll::Ready(None);
        }
        let message = ready!(self.poll_message(cx));
        let mut call = self.call.lock();
        let message = message.and_then(|message| match message {
            Some(message) => call.dialogue.asked(&message).map(|()| Some(message)),
            None => call.dialogue.ended().map(|()| None),
        });
        Poll::Ready(match message {
            Ok(Some(message)) => Some(Ok(message)),
            Ok(None) => {
                call.end(None);
                None
            }
            Err(fault) => {
                call.end(Some(fault));
                None
            }
        })
    }
}
