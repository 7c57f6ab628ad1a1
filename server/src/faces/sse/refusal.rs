//! Why a stream did not begin, and how that is said.
//!
//! Whoever makes plain requests is told by the status. A browser's `EventSource` gives up for good at any status but 200
//! and shows a page nothing of the answer; those who say that they take `text/event-stream` are told by an event instead,
//! where waiting or beginning anew helps. What is wrong with the request itself stays a status for everybody.

use http::{HeaderValue, Response, header};
use keyport_api::error::{self, Error, Kind, Problem};
use keyport_storage::watch::CreateError;
use tonic::{Code, Status};

use super::Anew;
use super::encode::{Encoding, Format};
use super::query::QueryError;
use crate::faces::events::Framing;
use crate::faces::problem;
use crate::faces::text::GatewayBody;
use crate::http::refusal::{add_hints, problem_document, tell, tell_error};

/// Why a stream did not begin.
pub(super) enum Failure {
    Query(QueryError),
    Watch(CreateError),
    Refused(Error),
    /// What comes next for the reader was compacted, up to a revision.
    Compacted(Anew),
    /// What the reader has seen is more than there is.
    Ahead(Anew),
}

impl Failure {
    /// `hears` says whether the reader asked for events by name, and `is_page` whether it is a page.
    pub(super) fn response(self, framing: Framing, hears: bool, is_page: bool) -> Response<GatewayBody> {
        let format = Format { framing, encoding: Encoding::default() };
        match self {
            Failure::Query(error) => malformed(&error),
            Failure::Watch(error) => malformed(&error),
            Failure::Refused(error) if hears && is_transient(error) => {
                let mut response = events(format, |out| {
                    format.error(out, &error::problem(&error.into()).to_json());
                });
                tell_error(&mut response, error);
                response
            }
            Failure::Refused(error) => {
                let status = Status::from(error);
                let mut response = varying(problem_document(&error::problem_of(error)));
                add_hints(&mut response, &status, is_page);
                tell(&mut response, &status);
                response
            }
            Failure::Compacted(anew) if hears => events(format, |out| format.compacted(out, anew)),
            Failure::Compacted(anew) => varying(problem::compacted(anew.revision)),
            Failure::Ahead(anew) => events(format, |out| format.ahead(out, anew)),
        }
    }
}

/// Whether it may go well if only it is tried again.
fn is_transient(error: Error) -> bool {
    matches!(error.code(), Code::Unavailable | Code::DeadlineExceeded)
        || matches!(error, Error::RequestTooManyRequests | Error::UserRateExceeded | Error::PrefixRateExceeded)
}

/// A stream that says one thing and ends.
fn events(format: Format, say: impl FnOnce(&mut Vec<u8>)) -> Response<GatewayBody> {
    let mut out = Vec::new();
    format.retry(&mut out);
    say(&mut out);
    let mut response = Response::new(GatewayBody::Full(out.into()));
    format.framing.describe(response.headers_mut());
    response
}

fn malformed(error: &impl ToString) -> Response<GatewayBody> {
    varying(problem_document(&Problem::of(Kind::Malformed, error.to_string())))
}

fn varying(mut response: Response<GatewayBody>) -> Response<GatewayBody> {
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept, last-event-id"));
    response
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Failure {
        Failure::Query(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Refused(error)
    }
}
