//! Problem details (RFC 9457): how resources say no.

use http::header::{ALLOW, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};
use keyport_api::error::{self, Error, Problem};
use serde_json::json;
use tonic::{Code, Status};

use super::body::CollectError;
use super::text::GatewayBody;
use crate::http::refusal::{add_hints, is_of_page, problem_document, tell};

/// When to come back to who cannot be served just now.
const SOON: HeaderValue = HeaderValue::from_static("1");

/// What the calls refuse. `headers` are those of the request.
pub(super) fn of_error(error: Error, headers: &HeaderMap) -> Response<GatewayBody> {
    let status = Status::from(error);
    told(error.problem_status(), error::problem_of(error).to_json(), &status, headers)
}

/// The same with a status of gRPC.
pub(super) fn of_status(status: &Status, headers: &HeaderMap) -> Response<GatewayBody> {
    let http = Error::from_status(status).map_or_else(|| error::http_status(status.code()), Error::problem_status);
    told(http, error::problem(status).to_json(), status, headers)
}

/// A body that could not be read.
pub(super) fn of_body(cause: CollectError, headers: &HeaderMap) -> Response<GatewayBody> {
    match cause {
        CollectError::TooLarge { limit } => of_error(Error::BodyTooLarge { limit }, headers),
        CollectError::Refused(error) => of_error(error, headers),
        CollectError::Broken(_) => of_status(&error::not_understood(cause), headers),
    }
}

/// Methods that a resource does not take.
pub(super) fn method_not_allowed(methods: &[&str]) -> Response<GatewayBody> {
    let allow = methods.join(", ");
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let mut response = of_http(status, format!("this resource takes {allow}; see /docs"));
    // Tokens of ours: there always is a form.
    response.headers_mut().insert(ALLOW, HeaderValue::try_from(allow).unwrap_or(HeaderValue::from_static("")));
    response.extensions_mut().insert(Code::Unimplemented);
    response
}

/// What HTTP alone has a word for.
pub(super) fn of_http(status: StatusCode, detail: impl Into<String>) -> Response<GatewayBody> {
    problem_document(status, Problem::http(status, detail).to_json())
}

/// A revision that is no longer known, and where history begins now.
pub(super) fn compacted(compact_revision: i64) -> Response<GatewayBody> {
    let mut response = problem_document(Error::Compacted.problem_status(), compacted_document(compact_revision));
    tell(&mut response, &Error::Compacted.into());
    response
}

/// The same as a document alone.
pub(super) fn compacted_document(compact_revision: i64) -> Vec<u8> {
    let mut document = json!(error::problem_of(Error::Compacted));
    document["compact_revision"] = json!(compact_revision.to_string());
    document.to_string().into_bytes()
}

fn told(http: StatusCode, document: Vec<u8>, status: &Status, headers: &HeaderMap) -> Response<GatewayBody> {
    let mut response = problem_document(http, document);
    if http == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, SOON);
    }
    add_hints(&mut response, status, is_of_page(headers));
    tell(&mut response, status);
    response
}
