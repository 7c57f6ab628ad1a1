//! The JSON gateway: every RPC that has a path, as `POST /v3/…` with a JSON message in and a JSON message out.
//!
//! The routes come from the proto files ([`keyport_api::for_each_route!`]); each calls the service trait in process,
//! with no connection and no second encoding in between. What HTTP clients of etcd rely on is kept: the content type
//! is ignored, an empty body is an empty message, bytes after the first message are ignored, the two older prefixes
//! lead here too. Streaming calls are in `stream` and `websocket`, server-sent events in `sse`.
//!
//! **Going away.** A unary call is a future of the connection's task and is dropped with it. For a write that is
//! harmless: once proposed it belongs to the node, which applies it whether or not someone still waits. No task is
//! spawned for a call, which would cost as much as the rest of it.

mod body;
mod dialogue;
mod inbound;
mod metadata;
mod refusal;
mod service_set;
mod shared;
mod split;
mod stream;
mod unary;
mod websocket;

use std::borrow::Cow;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::extract::ws::WebSocketUpgrade;
use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response};
use http_body::Body;
use tokio_util::sync::CancellationToken;

pub use body::{BoxError, GatewayBody};
pub(crate) use metadata::CallHeaders;
pub(crate) use refusal::CHALLENGE;
pub use service_set::{Answers, Requests, ServiceSet, StreamCall, WatchAnswer, WatchEnd};
pub use shared::RangeAnswer;
pub(crate) use shared::write_event;
pub(crate) use websocket::cookie_token;

use crate::faces::sse;
use refusal::Refusal;

/// How much of an unwanted body is read, and how long it is waited for.
const DRAIN_BYTES: usize = 64 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// The bounds a gateway works within.
#[derive(Clone, Debug)]
pub struct GatewayOptions {
    /// The largest message a call may carry, in its protobuf form: etcd's gRPC receive limit, which is
    /// `--max-request-bytes` and 512 KiB.
    pub max_message_bytes: usize,
    /// How often an idle WebSocket is pinged; one that stays silent twice as long is closed.
    pub ping_interval: Duration,
    /// Ends every stream, each with the words it has for that; without it they would hold up a server that stops.
    pub stop: CancellationToken,
}

impl GatewayOptions {
    /// The options that go with `--max-request-bytes`, and when to stop.
    pub fn new(max_request_bytes: usize, stop: CancellationToken) -> GatewayOptions {
        GatewayOptions {
            max_message_bytes: max_request_bytes.saturating_add(512 * 1024),
            ping_interval: Duration::from_secs(20),
            stop,
        }
    }

    /// How many bytes of JSON are read for a message at most. Base64 makes a message a third longer; beyond the
    /// double, plus room for white space and names around a small one, it cannot be below the limit in earnest.
    fn max_json_bytes(&self) -> usize {
        self.max_message_bytes.saturating_mul(2).saturating_add(64 * 1024)
    }
}

/// The gateway as a tower service. Cheap to clone.
#[derive(Debug)]
pub struct GatewayService<S> {
    inner: Arc<Inner<S>>,
}

#[derive(Debug)]
struct Inner<S> {
    services: Arc<S>,
    options: GatewayOptions,
}

impl<S> Clone for GatewayService<S> {
    fn clone(&self) -> GatewayService<S> {
        GatewayService { inner: Arc::clone(&self.inner) }
    }
}

impl<S: ServiceSet> GatewayService<S> {
    /// A gateway to these services.
    pub fn new(services: S, options: GatewayOptions) -> GatewayService<S> {
        GatewayService { inner: Arc::new(Inner { services: Arc::new(services), options }) }
    }

    /// Answers one request. Every path is answered; see [`owns`] for those that are meant to come here.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<GatewayBody>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let (mut parts, body) = request.into_parts();
        let uri = std::mem::take(&mut parts.uri);
        let Some(path) = canonical(uri.path()) else { return refuse(Refusal::not_found(), body).await };
        let services = &self.inner.services;
        let limits = &self.inner.options;
        let entry = Entry::of(&mut parts).await;
        if path == sse::PATH && matches!(entry, Entry::Get) {
            let query = uri.query().unwrap_or_default();
            return sse::answer(Arc::clone(services), parts, query, limits.stop.clone()).await;
        }

        // Each route either answers or leaves the match with a refusal.
        macro_rules! answer {
            (unary, kv, $Service:path, range, $Request:ty) => {
                match entry {
                    Entry::Post => {
                        let invoke = |request: tonic::Request<$Request>| services.range(request);
                        return unary::call(limits, parts, body, invoke).await;
                    }
                    _ => Refusal::method_not_allowed(allowed(&path)),
                }
            };
            (unary, $field:ident, $Service:path, $method:ident, $Request:ty) => {
                match entry {
                    Entry::Post => {
                        let invoke =
                            |request: tonic::Request<$Request>| <_ as $Service>::$method(services.$field(), request);
                        return unary::call(limits, parts, body, invoke).await;
                    }
                    _ => Refusal::method_not_allowed(allowed(&path)),
                }
            };
            (server_stream, $field:ident, $Service:path, $method:ident, $Request:ty) => {{
                let services = Arc::clone(services);
                let invoke = |request: tonic::Request<$Request>| async move {
                    <_ as $Service>::$method(services.$field(), request).await
                };
                match entry {
                    Entry::Post => return stream::server_streaming(limits, parts, body, invoke).await,
                    Entry::WebSocket(upgrade) => {
                        return websocket::server_streaming(limits, parts, *upgrade, invoke);
                    }
                    _ => Refusal::method_not_allowed(allowed(&path)),
                }
            }};
            (bidi, $field:ident, $Service:path, $method:ident, $Request:ty) => {{
                let services = Arc::clone(services);
                let serve = move |call| services.$method(call);
                match entry {
                    Entry::Post => return stream::bidi(limits, parts, body, serve).await,
                    Entry::WebSocket(upgrade) => return websocket::bidi(limits, parts, *upgrade, serve),
                    _ => Refusal::method_not_allowed(allowed(&path)),
                }
            }};
        }
        macro_rules! dispatch {
            ([$path:ident] $(($kind:ident, $route:literal, $field:ident, $Service:path, $method:ident, $Request:ty, $Response:ty))*) => {
                match &*$path {
                    $($route => answer!($kind, $field, $Service, $method, $Request),)*
                    _ => Refusal::not_found(),
                }
            };
        }
        let refusal = keyport_api::for_each_route!(dispatch, path);
        refuse(refusal, body).await
    }
}

/// Says no to a request whose body is of no interest. One of ordinary size is taken in first: if it were left on the
/// connection, the connection would have to be closed, and the answer might be lost with it.
async fn refuse<B>(refusal: Refusal, body: B) -> Response<GatewayBody>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let body = std::pin::pin!(body);
    // Whether it came in time, whole, or not at all makes no difference to the answer.
    let _ = tokio::time::timeout(DRAIN_TIME, body::collect(body, DRAIN_BYTES)).await;
    refusal.response()
}

impl<S, B> tower::Service<Request<B>> for GatewayService<S>
where
    S: ServiceSet,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<GatewayBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<GatewayBody>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let gateway = self.clone();
        Box::pin(async move { Ok(gateway.handle(request).await) })
    }
}

/// How a request comes in.
enum Entry {
    Post,
    WebSocket(Box<WebSocketUpgrade>),
    /// HEAD too.
    Get,
    Other,
}

impl Entry {
    async fn of(parts: &mut Parts) -> Entry {
        match parts.method {
            Method::POST => Entry::Post,
            Method::GET | Method::CONNECT if websocket::wanted(parts) => {
                match WebSocketUpgrade::from_request_parts(parts, &()).await {
                    Ok(upgrade) => Entry::WebSocket(Box::new(upgrade)),
                    Err(_) => Entry::Other,
                }
            }
            Method::GET | Method::HEAD => Entry::Get,
            _ => Entry::Other,
        }
    }
}

/// The methods of a path that has a route.
fn allowed(path: &str) -> &'static str {
    if path == sse::PATH { "GET, HEAD, POST" } else { "POST" }
}

/// Whether a path is the gateway's: below `/v3/` or one of the older prefixes.
pub fn owns(path: &str) -> bool {
    canonical(path).is_some()
}

/// The path as the routes have it.
fn canonical(path: &str) -> Option<Cow<'_, str>> {
    let rest = path.strip_prefix("/v3")?;
    if rest.starts_with('/') {
        return Some(Cow::Borrowed(path));
    }
    let rest = rest.strip_prefix("beta").or_else(|| rest.strip_prefix("alpha"))?;
    rest.starts_with('/').then(|| Cow::Owned(format!("/v3{rest}")))
}

#[cfg(test)]
pub(crate) mod tests;
