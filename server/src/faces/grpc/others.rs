//! What looks like gRPC and is in no form that is spoken here: it is told so in words that whoever speaks it shows.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use keyport_api::error::Error;
use keyport_api::methods;
use serde_json::json;
use tonic::Status;

use crate::http::Protocol;
use crate::http::refusal::{refusal_as, tell};

const WEB_FORMS: [&str; 4] = [
    "application/grpc-web",
    "application/grpc-web+proto",
    "application/grpc-web-text",
    "application/grpc-web-text+proto",
];

/// Whether messages of gRPC-Web are in a form that is read here.
pub(in crate::faces) fn is_read(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|form| WEB_FORMS.iter().any(|known| form == known))
}

/// The answer to gRPC-Web in another form, such as JSON. Clients read the headers, people the body.
pub(in crate::faces) fn other_form<B: From<Bytes>>() -> Response<B> {
    let status = Status::from(Error::GrpcWebForm);
    let mut response = refusal_as(Protocol::Http, StatusCode::UNSUPPORTED_MEDIA_TYPE, &status);
    // Its text is ours, and may stand in a header.
    let _ = status.add_header(response.headers_mut());
    response
}

/// Whether it is a call as the Connect protocol makes them: to the path of an RPC, in no form of gRPC.
pub(in crate::faces) fn is_connect<B>(request: &Request<B>) -> bool {
    *request.method() == Method::POST && methods::Method::of_path(request.uri().path()).is_some()
}

/// The answer to it, as that protocol has errors.
pub(in crate::faces) fn connect<B: From<Bytes>>() -> Response<B> {
    let error = Error::ConnectNotSpoken;
    let body = json!({ "code": "unimplemented", "message": error.to_string() }).to_string();
    let mut response = Response::new(Bytes::from(body).into());
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    tell(&mut response, &error.into());
    response
}
