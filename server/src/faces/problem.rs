//! Problem details (RFC 9457): how resources say no.

use http::header::{ALLOW, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use keyport_api::error::{self, Error, Kind, Problem};
use tonic::{Code, Status};

use super::body::CollectError;
use super::text::GatewayBody;
use crate::http::refusal::{add_hints, is_of_page, problem_document, tell};

/// What the calls refuse. `headers` are those of the request.
pub(super) fn of_error(error: Error, headers: &HeaderMap) -> Response<GatewayBody> {
    told(&error::problem_of(error), &error.into(), headers)
}

/// The same with a status of gRPC.
pub(super) fn of_status(status: &Status, headers: &HeaderMap) -> Response<GatewayBody> {
    told(&error::problem(status), status, headers)
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
    problem_document(&Problem::http(status, detail))
}

/// A kind that no error stands for.
pub(super) fn of_kind(kind: Kind, detail: impl Into<String>) -> Response<GatewayBody> {
    problem_document(&Problem::of(kind, detail))
}

/// A key that was changed meanwhile: the revision of its last change, if it is there.
pub(super) fn changed(revision: Option<i64>) -> Response<GatewayBody> {
    let problem = |detail: String| Problem::of(Kind::RevisionMismatch, detail);
    problem_document(&match revision {
        None => problem("the key is not there".to_owned()),
        Some(revision) => {
            problem(format!("the key was last changed at revision {revision}")).with_current_revision(revision)
        }
    })
}

/// A revision that is no longer known, and where history begins now.
pub(super) fn compacted(oldest_revision: i64) -> Response<GatewayBody> {
    let mut response = problem_document(&error::problem_of(Error::Compacted).with_oldest_revision(oldest_revision));
    tell(&mut response, &Error::Compacted.into());
    response
}

/// The same as a document alone.
pub(super) fn compacted_document(oldest_revision: i64) -> Vec<u8> {
    error::problem_of(Error::Compacted).with_oldest_revision(oldest_revision).to_json()
}

fn told(problem: &Problem, status: &Status, headers: &HeaderMap) -> Response<GatewayBody> {
    let mut response = problem_document(problem);
    add_hints(&mut response, status, is_of_page(headers));
    tell(&mut response, status);
    response
}
