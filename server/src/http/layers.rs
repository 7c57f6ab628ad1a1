//! The layers of the stack, one thing each. [`super::stack`] says in which order, and why.

pub(super) mod cors;
pub(super) mod hosts;
pub(super) mod identity;
pub(super) mod limits;
pub(super) mod log;
pub(super) mod metrics;
pub(super) mod panics;
pub(super) mod request_id;
pub(super) mod switch;

use super::ResponseBody;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};

/// A short answer of the stack's own, as text.
fn text<B>(status: StatusCode, message: &'static str) -> Response<ResponseBody<B>> {
    typed(status, HeaderValue::from_static("text/plain; charset=utf-8"), message)
}

fn typed<B>(status: StatusCode, content_type: HeaderValue, body: impl Into<bytes::Bytes>) -> Response<ResponseBody<B>> {
    let mut response = Response::new(ResponseBody::whole(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// The answer to a gRPC call that goes no further.
fn grpc<B>(status: tonic::Status) -> Response<ResponseBody<B>> {
    status.into_http::<()>().map(|()| ResponseBody::whole(bytes::Bytes::new()))
}

/// The answer to a JSON call that goes no further, as the gateway words it.
fn json<B>(status: &tonic::Status) -> Response<ResponseBody<B>> {
    let body = keyport_api::error::gateway_body(status);
    typed(keyport_api::error::http_status(status.code()), HeaderValue::from_static("application/json"), body)
}

/// Whichever of the two fits.
fn refusal<B>(protocol: super::call::Protocol, status: tonic::Status) -> Response<ResponseBody<B>> {
    match protocol {
        super::call::Protocol::Http => json(&status),
        super::call::Protocol::Grpc | super::call::Protocol::GrpcWeb => grpc(status),
    }
}
