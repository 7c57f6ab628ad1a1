//! Which pages in a browser may call, and read what they are answered.
//!
//! As etcd: with `*` every answer says so; with a list, an origin is named back when it is listed. OPTIONS
//! is answered here, on any path, with what the path is there for. Beyond etcd the headers of gRPC-Web, REST and events are allowed and exposed. What
//! browsers want to know is `tower-http`'s affair; it is asked only when it is a browser that calls, since its headers
//! would be dead weight on every other answer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, HeaderName, HeaderValue, ORIGIN, VARY};
use http::request::Parts;
use http::{Method, Request, Response};
use keyport_api::{methods, routes};
use keyport_openapi::endpoints::methods_at;
use pin_project_lite::pin_project;
use tower::{Layer, Service};
use tower_http::cors::{self, AllowHeaders, AllowOrigin};

use super::super::rare::Rare;
use super::super::{Call, Protocol};
use crate::config::{AllowList, canonical_origin};
use crate::net::Face;

const METHODS: [Method; 7] =
    [Method::POST, Method::GET, Method::OPTIONS, Method::PUT, Method::PATCH, Method::DELETE, Method::HEAD];
const EXPOSED: [&str; 26] = [
    "grpc-status",
    "grpc-message",
    "grpc-status-details-bin",
    "etag",
    "link",
    "location",
    "content-disposition",
    "content-range",
    "accept-ranges",
    "accept-patch",
    "preference-applied",
    "last-event-id",
    "repr-digest",
    "retry-after",
    "ratelimit",
    "ratelimit-policy",
    "server-timing",
    "idempotent-replayed",
    "keyport-revision",
    "keyport-create-revision",
    "keyport-mod-revision",
    "keyport-version",
    "keyport-lease",
    "x-request-id",
    "www-authenticate",
    "allow",
];
/// Browsers cut it down to what they like.
const MAX_AGE: Duration = Duration::from_secs(86_400);

/// See the module's text.
#[derive(Clone, Debug)]
pub struct CorsLayer {
    origins: Arc<AllowList>,
    pages: Arc<cors::CorsLayer>,
}

/// See [`CorsLayer`].
#[derive(Clone, Debug)]
pub struct Cors<S> {
    inner: S,
    layer: CorsLayer,
}

impl CorsLayer {
    /// For pages of these origins.
    pub fn new(origins: AllowList) -> CorsLayer {
        let origins = Arc::new(origins);
        let (allowed, vary) = match &*origins {
            AllowList::Any => (AllowOrigin::any(), Vec::new()),
            AllowList::Only(list) => {
                let listed = list.clone();
                let is_listed = move |origin: &HeaderValue, _: &Parts| {
                    let origin = canonical_origin(origin.to_str().unwrap_or_default());
                    origin.is_some_and(|origin| listed.contains(&origin))
                };
                (AllowOrigin::predicate(is_listed), vec![ORIGIN])
            }
        };
        let pages = cors::CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods(METHODS)
            // The page asks for what it needs; whoever may call may send any header.
            .allow_headers(AllowHeaders::mirror_request())
            .expose_headers(EXPOSED.map(HeaderName::from_static))
            .max_age(MAX_AGE)
            .vary(vary);
        CorsLayer { origins, pages: Arc::new(pages) }
    }
}

impl<S> Layer<S> for CorsLayer {
    type Service = Cors<S>;

    fn layer(&self, inner: S) -> Cors<S> {
        Cors { inner, layer: self.clone() }
    }
}

impl<S, B, RB> Service<Request<B>> for Cors<S>
where
    S: Service<Request<B>, Response = Response<RB>>,
    RB: From<Bytes> + Default,
{
    type Response = Response<RB>;
    type Error = S::Error;
    type Future = Allowing<S::Future>;

    super::ready_as_inner!();

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // Browsers cannot speak plain gRPC, and have no business with metrics.
        let call = Call::get(request.extensions());
        let is_for_pages =
            call.is_none_or(|call| call.protocol != Protocol::Grpc && call.connection.face != Face::Metrics);
        if !is_for_pages {
            return Allowing::Other { answer: self.inner.call(request) };
        }
        let is_of_page = Call::may_have(call, Rare::ORIGIN) && request.headers().contains_key(ORIGIN);
        if is_of_page || request.method() == Method::OPTIONS {
            let allow = if *request.method() == Method::OPTIONS { allowed(request.uri().path()) } else { None };
            return Allowing::Page { allow, answer: self.layer.pages.layer(&mut self.inner).call(request) };
        }
        let any = matches!(*self.layer.origins, AllowList::Any);
        Allowing::NoPage { any, answer: self.inner.call(request) }
    }
}

/// The methods of what is at a path, for `Allow`; none where nothing is.
fn allowed(path: &str) -> Option<HeaderValue> {
    let canonical = routes::canonical(path);
    let path = canonical.as_deref().unwrap_or(path);
    let mut allowed = methods_at(path);
    let is_call = methods::Method::of_route(path).or_else(|| methods::Method::of_path(path)).is_some();
    if is_call && !allowed.contains(&"POST") {
        allowed.push("POST");
    }
    if allowed.is_empty() {
        return None;
    }
    allowed.push("OPTIONS");
    HeaderValue::try_from(allowed.join(", ")).ok()
}

pin_project! {
    /// An answer under way.
    #[project = AllowingProj]
    pub enum Allowing<F> {
        Page { allow: Option<HeaderValue>, #[pin] answer: cors::ResponseFuture<F> },
        NoPage { any: bool, #[pin] answer: F },
        Other { #[pin] answer: F },
    }
}

impl<F, RB, E> Future for Allowing<F>
where
    F: Future<Output = Result<Response<RB>, E>>,
    RB: Default,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.project() {
            AllowingProj::Page { allow, answer } => {
                let mut response = ready!(answer.poll(cx))?;
                response.headers_mut().extend(allow.take().map(|allow| (ALLOW, allow)));
                Poll::Ready(Ok(response))
            }
            AllowingProj::Other { answer } => answer.poll(cx),
            AllowingProj::NoPage { any, answer } => {
                let mut response = ready!(answer.poll(cx))?;
                let headers = response.headers_mut();
                if *any {
                    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
                } else {
                    headers.append(VARY, HeaderValue::from_static("origin"));
                }
                Poll::Ready(Ok(response))
            }
        }
    }
}
