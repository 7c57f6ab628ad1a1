//! How a request is refused that goes no further: in the words of what it speaks.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, Response, StatusCode};
use keyport_api::error::{self, Error, Problem};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use tonic::{Code, Status};

use super::Protocol;

const TOKEN: HeaderValue = HeaderValue::from_static("Bearer realm=\"keyport\"");
const OTHER_TOKEN: HeaderValue = HeaderValue::from_static("Bearer realm=\"keyport\", error=\"invalid_token\"");
const PASSWORD: HeaderValue = HeaderValue::from_static("Basic realm=\"keyport\", charset=\"UTF-8\"");
/// When to come back to who cannot be served just now, where nobody knows better.
const SOON: HeaderValue = HeaderValue::from_static("1");
/// What the id of a request follows, as the name of what went wrong.
const INSTANCE: &str = "urn:keyport:request:";
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The answer of whoever speaks `protocol`: a status of gRPC, an object of the gateway, or problem details.
pub(crate) fn refusal<B: From<Bytes>>(protocol: Protocol, status: &Status) -> Response<B> {
    let http = error::http_status(status.code());
    let mut response = match protocol {
        Protocol::Grpc | Protocol::GrpcWeb => status.clone().into_http::<()>().map(|()| Bytes::new().into()),
        Protocol::Json => typed(http, JSON, error::gateway_body(status)),
        Protocol::Http => problem_document(&error::problem(status)),
    };
    if !protocol.is_grpc() {
        add_retry_after(response.headers_mut(), Error::from_status(status));
    }
    tell(&mut response, status);
    response
}

/// As [`refusal`], where HTTP has a better word than the table has for the code.
pub(crate) fn refusal_as<B: From<Bytes>>(protocol: Protocol, http: StatusCode, status: &Status) -> Response<B> {
    let mut response = match protocol {
        Protocol::Http => problem_document(&as_status(error::problem(status), http)),
        Protocol::Grpc | Protocol::GrpcWeb | Protocol::Json => refusal(protocol, status),
    };
    *response.status_mut() = http;
    tell(&mut response, status);
    response
}

/// Says beside a refusal what would help: when to come back, or who to be. `is_page` is for requests that a browser makes for
/// a page: asked for a password, it would show a window of its own.
pub(crate) fn add_hints<B>(response: &mut Response<B>, status: &Status, is_page: bool) {
    let (error, unauthorized) = (Error::from_status(status), response.status() == StatusCode::UNAUTHORIZED);
    let headers = response.headers_mut();
    add_retry_after(headers, error);
    if !unauthorized {
        return;
    }
    if error != Some(Error::InvalidCredentials) {
        headers.insert(WWW_AUTHENTICATE, if error == Some(Error::UserEmpty) { TOKEN } else { OTHER_TOKEN });
    }
    if !is_page && error != Some(Error::InvalidAuthToken) {
        headers.append(WWW_AUTHENTICATE, PASSWORD);
    }
}

fn add_retry_after(headers: &mut HeaderMap, error: Option<Error>) {
    if let Some(seconds) = error.and_then(Error::retry_after) {
        headers.insert(RETRY_AFTER, seconds.into());
    }
}

/// Whether a browser makes a request for a page.
pub(crate) fn is_of_page(headers: &HeaderMap) -> bool {
    headers.contains_key("sec-fetch-mode")
}

/// Says with an answer why it says no, for whoever counts calls by their codes or writes them down: the HTTP status says less.
pub(crate) fn tell<B>(response: &mut Response<B>, status: &Status) {
    response.extensions_mut().insert(status.code());
    if let Some(error) = Error::from_status(status) {
        tell_error(response, error);
    }
}

/// The same of an answer that is none by its status, and counts as what it is by that.
pub(crate) fn tell_error<B>(response: &mut Response<B>, error: Error) {
    response.extensions_mut().insert(error);
}

/// The error behind an answer that says no, when whoever made it has told.
pub(super) fn error_told<B>(response: &Response<B>) -> Option<Error> {
    response.extensions().get().copied()
}

/// The code behind an answer that says no, when whoever made it has told.
pub(super) fn code_told<B>(response: &Response<B>) -> Option<Code> {
    response.extensions().get().copied()
}

/// The likeliest code behind a status, for answers that do not carry theirs.
pub(super) fn code_of(status: StatusCode) -> Code {
    match status {
        StatusCode::BAD_REQUEST => Code::InvalidArgument,
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::FORBIDDEN => Code::PermissionDenied,
        StatusCode::NOT_FOUND => Code::NotFound,
        StatusCode::CONFLICT => Code::AlreadyExists,
        StatusCode::PRECONDITION_FAILED => Code::FailedPrecondition,
        StatusCode::GONE | StatusCode::RANGE_NOT_SATISFIABLE => Code::OutOfRange,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::InvalidArgument,
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::TOO_MANY_REQUESTS => Code::ResourceExhausted,
        StatusCode::NOT_IMPLEMENTED | StatusCode::METHOD_NOT_ALLOWED => Code::Unimplemented,
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        StatusCode::GATEWAY_TIMEOUT => Code::DeadlineExceeded,
        _ if status.as_u16() == 499 => Code::Cancelled,
        _ => Code::Unknown,
    }
}

/// A problem whose kind comes with another status is one of HTTP's own.
fn as_status(problem: Problem, http: StatusCode) -> Problem {
    if problem.status == http.as_u16() {
        return problem;
    }
    Problem { grpc_code: problem.grpc_code, ..Problem::http(http, problem.detail) }
}

/// Problem details (RFC 9457).
pub(crate) fn problem_document<B: From<Bytes>>(problem: &Problem) -> Response<B> {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    // With an end of line, as all documents have: a shell's prompt stands on the next one.
    let document = Bytes::from([&*problem.to_json(), b"\n"].concat());
    let mut response = typed(status, HeaderValue::from_static(Problem::MEDIA_TYPE), document.clone());
    response.extensions_mut().insert(Unnamed(document));
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
        headers.insert(RETRY_AFTER, SOON);
    }
    response
}

/// Beside an answer that is a problem: the document, which does not say yet of which request.
#[derive(Clone, Debug)]
struct Unnamed(Bytes);

/// Says in an answer that is a problem of which request it is.
pub(super) fn name<B: From<Bytes>>(response: &mut Response<B>, request_id: &HeaderValue) {
    let Some(Unnamed(document)) = response.extensions_mut().remove() else { return };
    let Some(open) = document.strip_suffix(b"}\n") else { return };
    let id = percent_encode(request_id.as_bytes(), NON_ALPHANUMERIC);
    let instance = format!(",\"instance\":\"{INSTANCE}{id}\"}}\n");
    // Some routers have counted already.
    response.headers_mut().remove(CONTENT_LENGTH);
    *response.body_mut() = Bytes::from([open, instance.as_bytes()].concat()).into();
}

fn typed<B: From<Bytes>>(status: StatusCode, content_type: HeaderValue, body: impl Into<Bytes>) -> Response<B> {
    let mut response = Response::new(body.into().into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
