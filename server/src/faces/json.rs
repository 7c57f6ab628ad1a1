//! The JSON gateway: every RPC that has a path, as `POST /v3/…` with a JSON message in and a JSON message out.
//!
//! The routes come from the proto files ([`keyport_api::for_each_route!`]); each makes its call in process, with no
//! connection and no second encoding in between. What HTTP clients of etcd rely on is kept: the content type
//! is ignored, an empty body is an empty message, bytes after the first message are ignored, the two older prefixes
//! lead here too. Streaming calls are in `stream` and `websocket`.
//!
//! **Going away.** A unary call is a future of the connection's task and is dropped with it. For a write that is
//! harmless: once proposed it belongs to the node, which applies it whether or not someone still waits. No task is
//! spawned for a call, which would cost as much as the rest of it.

mod answer;
mod dialogue;
mod inbound;
mod index;
mod keys;
mod refusal;
mod split;
mod stream;
mod unary;
mod watch_reply;
mod websocket;

use std::time::Duration;

use axum::extract::ws::WebSocketUpgrade;
use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response};
use http_body::Body;
use keyport_api::{bounds, json, methods, routes};
use keyport_openapi::endpoints::Resource;
use tokio_util::sync::CancellationToken;

use super::kit;
use super::socket::{PING_INTERVAL, handshake};
use super::text::GatewayBody;
use crate::calls::Calls;
use crate::http::{BoxError, Call, asks_for_websocket};
pub(super) use index::answer as paths;
use refusal::Refusal;

/// The bounds a gateway works within.
#[derive(Clone, Debug)]
pub struct GatewayOptions {
    /// The largest message a call may carry, in its protobuf form: [`bounds::max_message_bytes`].
    pub max_message_bytes: usize,
    /// How many elements each list of a transaction may have.
    pub max_txn_ops: usize,
    /// How often an idle WebSocket is pinged; one that stays silent twice as long is closed.
    pub ping_interval: Duration,
    /// Ends every stream, each with the words it has for that; without it they would hold up a server that stops.
    pub stop: CancellationToken,
}

impl GatewayOptions {
    /// The options that go with `--max-request-bytes` and `--max-txn-ops`, and when to stop.
    pub fn new(max_request_bytes: usize, max_txn_ops: usize, stop: CancellationToken) -> GatewayOptions {
        GatewayOptions {
            max_message_bytes: bounds::max_message_bytes(max_request_bytes),
            max_txn_ops,
            ping_interval: PING_INTERVAL,
            stop,
        }
    }

    /// How many bytes of JSON are read for a message at most.
    fn max_json_bytes(&self) -> usize {
        json::max_text_len(self.max_message_bytes)
    }
}

/// The gateway. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Gateway {
    calls: Calls,
    options: GatewayOptions,
}

/// What is asked all day is part of the gateway's future, which is copied as a whole; other calls are in boxes of their own.
macro_rules! boxed {
    (kv, $call:expr) => {
        $call
    };
    ($field:ident, $call:expr) => {
        Box::pin($call)
    };
}

impl Gateway {
    /// A gateway to these calls.
    pub(crate) fn new(calls: Calls, options: GatewayOptions) -> Gateway {
        Gateway { calls, options }
    }

    /// Answers one request, for a call. Every path is answered; see [`routes::canonical`] for those that are meant to come
    /// here.
    pub(crate) async fn handle<B>(&self, request: Request<B>) -> Response<GatewayBody>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let (mut parts, body) = request.into_parts();
        let uri = std::mem::take(&mut parts.uri);
        let Some(path) = routes::canonical(uri.path()) else { return Refusal::not_found().response() };
        let caller = match kit::caller(&parts.extensions) {
            Ok(caller) => caller,
            Err(error) => return Refusal::from(error).response(),
        };
        let (calls, limits) = (&self.calls, &self.options);
        let call = Call::get(&parts.extensions);
        let deadline = call.and_then(|call| call.deadline);
        let tells = call.and_then(|call| call.method).is_some_and(|method| !method.info().confidential);
        let entry = Entry::of(&mut parts).await;

        // Each route either answers or leaves the match with a refusal.
        macro_rules! answer {
            (unary, $field:ident, $method:ident, $Request:ty) => {
                match entry {
                    Entry::Post => {
                        let invoke = |request: $Request| boxed!($field, calls.$field.$method(&caller, request));
                        return unary::call(limits, calls.aside(&caller), body, invoke, tells).await;
                    }
                    _ => misplaced(&path),
                }
            };
            (server_stream, $field:ident, $method:ident, $Request:ty) => {{
                let (aside, calls, asking) = (calls.aside(&caller), calls.clone(), caller.clone());
                let invoke = move |request: $Request| async move { calls.$field.$method(&asking, request).await };
                match entry {
                    Entry::Post => {
                        let response = stream::server_streaming(limits, aside, body, invoke).await;
                        return stream::named_as_wished(&parts.headers, response);
                    }
                    Entry::WebSocket(upgrade) => {
                        return websocket::server_streaming(limits, aside, deadline, *upgrade, invoke);
                    }
                    entry => entry.refusal(&path),
                }
            }};
            (bidi, $field:ident, $method:ident, $Request:ty) => {{
                let (aside, calls, asking) = (calls.aside(&caller), calls.clone(), caller.clone());
                let serve = move |requests| stream::answers(async move { calls.$field.$method(&asking, requests) });
                match entry {
                    Entry::Post => {
                        let response = stream::bidi(limits, aside, body, serve).await;
                        return stream::named_as_wished(&parts.headers, response);
                    }
                    Entry::WebSocket(upgrade) => return websocket::bidi(limits, aside, deadline, *upgrade, serve),
                    entry => entry.refusal(&path),
                }
            }};
        }
        macro_rules! dispatch {
            ([$path:ident] $(($kind:ident, $route:literal, $field:ident, $Service:path, $method:ident, $Request:ty, $Response:ty))*) => {
                match &*$path {
                    $($route => answer!($kind, $field, $method, $Request),)*
                    _ => misplaced(&$path),
                }
            };
        }
        keyport_api::for_each_route!(dispatch, path).response()
    }
}

/// How a request comes in.
enum Entry {
    Post,
    WebSocket(Box<WebSocketUpgrade>),
    /// It asks for a WebSocket and does not say all that this takes.
    NoHandshake(Box<Refusal>),
    Other,
}

impl Entry {
    async fn of(parts: &mut Parts) -> Entry {
        match parts.method {
            Method::POST => Entry::Post,
            _ if asks_for_websocket(&parts.method, &parts.headers) => match handshake::read(parts).await {
                Ok(upgrade) => Entry::WebSocket(Box::new(upgrade)),
                Err(failed) => Entry::NoHandshake(Box::new(failed.into())),
            },
            _ => Entry::Other,
        }
    }

    /// What to say where streams are and this is no way to one.
    fn refusal(self, path: &str) -> Refusal {
        match self {
            Entry::NoHandshake(refusal) => *refusal,
            Entry::Post | Entry::WebSocket(_) | Entry::Other => misplaced(path),
        }
    }
}

/// What to say to a request that is for nothing at its path: which methods are, if any.
fn misplaced(path: &str) -> Refusal {
    let methods: Vec<&str> =
        Resource::methods_at(path).chain(methods::Method::of_route(path).map(|_| "POST")).collect();
    if methods.is_empty() { Refusal::not_found() } else { Refusal::method_not_allowed(&methods.join(", ")) }
}

#[cfg(test)]
mod tests;
