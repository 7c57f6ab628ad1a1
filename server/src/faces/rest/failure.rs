//! Why a request for a key was not served, and how that is said.

use bytes::Bytes;
use http::header::{ETAG, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use keyport_api::error::{Error, Kind, Problem};
use serde_json::Value;
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
    /// Something else is not what it has to be, and nothing was done.
    Unmet,
    /// History begins after what is asked for, at a revision.
    Compacted(i64),
    /// The value is not what the change is for.
    Conflict(String),
    /// There is no such thing.
    Missing(Kind, &'static str),
    /// Somebody else is first in a line: his place.
    Held(Value),
    /// The name of a request that was another one.
    Reused,
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
                let mut response = problem::of_kind(Kind::KeyNotFound, "there is no such key");
                response.headers_mut().insert(shown::REVISION, revision.into());
                response
            }
            Failure::Changed(revision) => {
                let mut response = problem::changed(revision);
                response.headers_mut().extend(revision.map(|revision| (ETAG, tag(revision, false))));
                response
            }
            Failure::Unmet => problem::of_kind(Kind::RevisionMismatch, "a condition does not hold: nothing was done"),
            Failure::Conflict(detail) => problem::of_http(StatusCode::CONFLICT, detail),
            Failure::Missing(kind, detail) => problem::of_kind(kind, detail),
            Failure::Held(place) => {
                problem_document(&Problem::of(Kind::Held, "it is held by somebody else").with_holder(place))
            }
            Failure::Reused => {
                let detail = "this Idempotency-Key was that of another request of late";
                problem::of_kind(Kind::IdempotencyKeyReused, detail)
            }
            Failure::Contended => {
                let mut response = problem::of_kind(Kind::Contended, "too many others have changed it meanwhile");
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
            // No problem has one of the other forms.
            _ => Bytes::new(),
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
