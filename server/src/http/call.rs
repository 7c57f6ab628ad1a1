//! A request on its way through the stack, with what is found out about it once.

use super::{RequestBody, ResponseBody};
use crate::metrics::Method;
use crate::net::Face;
use http::{Request, Response};
use std::net::SocketAddr;
use std::time::Instant;

/// What is known of a connection.
#[derive(Clone, Debug)]
pub struct ConnInfo {
    /// `None` for unix sockets.
    pub remote: Option<SocketAddr>,
    pub face: Face,
}

/// What a request speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Grpc,
    /// gRPC in the form that browsers can send.
    GrpcWeb,
    Http,
}

impl Protocol {
    /// By the content type, as gRPC has it: `application/grpc`, `application/grpc+proto`, `application/grpc-web`, ...
    pub(crate) fn of<B>(request: &Request<B>) -> Protocol {
        let content_type = request.headers().get(http::header::CONTENT_TYPE).map(|v| v.as_bytes());
        match content_type.and_then(|v| v.strip_prefix(b"application/grpc")) {
            Some([] | [b'+' | b';', ..]) => Protocol::Grpc,
            Some(rest) if rest.starts_with(b"-web") => Protocol::GrpcWeb,
            _ => Protocol::Http,
        }
    }
}

/// A request with its context. Layers borrow the context of the connection, so that a call costs one reference count.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) request: Request<RequestBody>,
    pub(crate) conn: &'a ConnInfo,
    pub(crate) protocol: Protocol,
    /// The gRPC method, when the path names one, or one of the JSON gateway's.
    pub(crate) method: Option<&'static Method>,
    pub(crate) started: Instant,
}

/// A layer of the stack, or what it ends in.
pub(crate) trait Handler: Send + Sync + 'static {
    /// The app's body.
    type Body;

    fn handle<'a>(&'a self, call: Call<'a>) -> impl Future<Output = Response<ResponseBody<Self::Body>>> + Send + 'a;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols() {
        for (text, protocol) in [
            ("application/grpc", Protocol::Grpc),
            ("application/grpc+proto", Protocol::Grpc),
            ("application/grpc;x=y", Protocol::Grpc),
            ("application/grpc-web", Protocol::GrpcWeb),
            ("application/grpc-web-text+proto", Protocol::GrpcWeb),
            ("application/grpcx", Protocol::Http),
            ("application/json", Protocol::Http),
        ] {
            let request = Request::builder().header("content-type", text).body(()).unwrap();
            assert_eq!(Protocol::of(&request), protocol, "{text}");
        }
        assert_eq!(Protocol::of(&Request::new(())), Protocol::Http);
    }
}
