//! Which pages in a browser may call, and read what they are answered.
//!
//! As etcd: with `*` every answer says so; with a list, an origin is named back when it is listed to the letter. OPTIONS
//! is answered here, on any path. Beyond etcd the headers of gRPC-Web, REST and events are allowed and exposed. The
//! longer headers are only for those who name an origin: to all others they would be dead weight on every answer.

use super::super::ResponseBody;
use super::super::call::{Call, Handler, Protocol};
use crate::config::AllowList;
use crate::net::Face;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, HeaderValue, ORIGIN, VARY,
};
use http::{HeaderMap, Method, Response};

const METHODS: HeaderValue = HeaderValue::from_static("POST, GET, OPTIONS, PUT, DELETE, HEAD");
const HEADERS: HeaderValue = HeaderValue::from_static(
    "accept, content-type, authorization, token, x-request-id, x-grpc-web, x-user-agent, grpc-timeout, if-match, if-none-match, last-event-id",
);
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "grpc-status, grpc-message, grpc-status-details-bin, etag, link, x-request-id, www-authenticate",
);
/// A day; browsers cut it down to what they like.
const MAX_AGE: HeaderValue = HeaderValue::from_static("86400");

pub(crate) struct Cors<S> {
    pub(crate) inner: S,
    pub(crate) origins: AllowList,
}

impl<S: Handler> Handler for Cors<S> {
    type Body = S::Body;

    async fn handle<'a>(&'a self, call: Call<'a>) -> Response<ResponseBody<S::Body>> {
        // Browsers cannot speak plain gRPC, and have no business with metrics.
        if call.protocol == Protocol::Grpc || call.conn.face == Face::Metrics {
            return self.inner.handle(call).await;
        }
        let origin = self.origin(call.request.headers());
        let from_page = call.request.headers().contains_key(ORIGIN);
        if call.request.method() == Method::OPTIONS {
            let mut response = Response::new(ResponseBody::whole(bytes::Bytes::new()));
            let asked = call.request.headers().get(ACCESS_CONTROL_REQUEST_HEADERS).cloned();
            if self.allow(response.headers_mut(), origin, true) {
                // The page asks for what it needs; whoever may call may send any header.
                response.headers_mut().insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.unwrap_or(HEADERS));
                response.headers_mut().insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
            }
            return response;
        }
        let mut response = self.inner.handle(call).await;
        self.allow(response.headers_mut(), origin, from_page);
        response
    }
}

impl<S> Cors<S> {
    /// The origin to name in the answer, if it may call.
    fn origin(&self, request: &HeaderMap) -> Option<HeaderValue> {
        match &self.origins {
            AllowList::Any => Some(HeaderValue::from_static("*")),
            AllowList::Only(list) => {
                request.get(ORIGIN).filter(|o| list.iter().any(|l| l.as_bytes() == o.as_bytes())).cloned()
            }
        }
    }

    /// Writes the answer's headers; says whether the origin may call.
    fn allow(&self, headers: &mut HeaderMap, origin: Option<HeaderValue>, in_full: bool) -> bool {
        if matches!(self.origins, AllowList::Only(_)) {
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
        let Some(origin) = origin else { return false };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if in_full {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
        true
    }
}
