//! Why a request for a key was not served, and how that is said.

use bytes::Bytes;
use http::header::{ETAG, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use keyport_api::error::{Error, Problem};
use serde_json::json;
use tonic::Status;

use super::shown;
use super::tag::tag;
use crate::faces::query::ParameterError;
use crate::faces::text::GatewayBody;
use crate::faces::{fields, problem};
use crate::http::refusal::problem_document;

/// See the module's text.
#[derive(Debug)]
pub(super) enum Failure {
    Malformed(String),
    /// There is no such key, as of a revision of the store.
    Absent(i64),
    /// The key is not what it has to be: the revision of its last change, if it is there.
    Changed(Option<i64>),
    /// History begins after what is asked for, at a revision.
    Compacted(i64),
    /// The value is not what the change is for.
    Conflict(String),
    /// There is no such thing.
    Missing(&'static str),
    /// Somebody else is first in a line: his place, as JSON.
    Held(Vec<u8>),
    /// Others were always quicker.
    Contended,
    Refused(Error),
    /// The same in the words of another member.
    Told(Box<Status>),
}

impl Failure {
    /// `headers` are those of the request.
    pub(super) fn response(self, headers: &HeaderMap) -> Response<GatewayBody> {
        match self {
            Failure::Malformed(detail) => problem::of_http(StatusCode::BAD_REQUEST, detail),
            Failure::Absent(revision) => {
                let mut response = problem::of_http(StatusCode::NOT_FOUND, "there is no such key");
                response.headers_mut().insert(shown::REVISION, revision.into());
                response
            }
            Failure::Changed(None) => problem::of_http(StatusCode::PRECONDITION_FAILED, "the key is not there"),
            Failure::Changed(Some(revision)) => {
                let detail = format!("the key was last changed at revision {revision}");
                let mut response = problem::of_http(StatusCode::PRECONDITION_FAILED, detail);
                response.headers_mut().insert(ETAG, tag(revision, false));
                response
            }
            Failure::Conflict(detail) => problem::of_http(StatusCode::CONFLICT, detail),
            Failure::Missing(detail) => problem::of_http(StatusCode::NOT_FOUND, detail),
            Failure::Held(place) => {
                let mut document = json!(Problem::http(StatusCode::CONFLICT, "it is held by somebody else"));
                document["holder"] = serde_json::from_slice(&place).unwrap_or_default();
                problem_document(StatusCode::CONFLICT, document.to_string().into_bytes())
            }
            Failure::Contended => {
                let mut response = problem::of_http(StatusCode::CONFLICT, "too many others have changed it meanwhile");
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
                response
            }
            Failure::Compacted(revision) => problem::compacted(revision),
            Failure::Refused(error) => problem::of_error(error, headers),
            Failure::Told(status) => problem::of_status(&status, headers),
        }
    }
}

impl Failure {
    /// The problem alone, where no answer can be made of it any more.
    pub(super) fn document(self) -> Bytes {
        match self.response(&HeaderMap::new()).into_body() {
            GatewayBody::Full(document) => document,
            GatewayBody::Stream(_) | GatewayBody::Sized { .. } => Bytes::new(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Refused(error)
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Failure {
        Failure::Told(Box::new(status))
    }
}

impl From<fields::Malformed> for Failure {
    fn from(error: fields::Malformed) -> Failure {
        Failure::Malformed(error.to_string())
    }
}

impl From<ParameterError> for Failure {
    fn from(error: ParameterError) -> Failure {
        Failure::Malformed(error.to_string())
    }
}
