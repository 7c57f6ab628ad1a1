//! Why a request for a key was not served, and how that is said.

use http::header::{ETAG, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use keyport_api::error::Error;

use super::shown;
use super::tag::tag;
use crate::faces::problem;
use crate::faces::query::ParameterError;
use crate::faces::text::GatewayBody;

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
    /// Others were always quicker.
    Contended,
    Refused(Error),
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
            Failure::Contended => {
                let mut response = problem::of_http(StatusCode::CONFLICT, "too many others have changed it meanwhile");
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
                response
            }
            Failure::Compacted(revision) => problem::compacted(revision),
            Failure::Refused(error) => problem::of_error(error, headers),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Refused(error)
    }
}

impl From<ParameterError> for Failure {
    fn from(error: ParameterError) -> Failure {
        Failure::Malformed(error.to_string())
    }
}
