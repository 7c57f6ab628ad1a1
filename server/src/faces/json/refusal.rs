//! Answers that say no: a gRPC status, and where HTTP has a better word than the table, an HTTP status beside it.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use keyport_api::error::{self, Error};
use tonic::{Code, Status};

use crate::faces::body::CollectError;
use crate::faces::socket::handshake;
use crate::faces::text::GatewayBody;
use crate::http::refusal::{add_hints, tell};

/// Why a call was not answered.
#[derive(Debug)]
pub(super) struct Refusal {
    status: Status,
    http: Option<StatusCode>,
    /// The methods of the path, as `Allow` lists them.
    allow: Option<HeaderValue>,
    /// Fields that the request's message does not have.
    passed_over: Vec<Box<str>>,
}

impl Refusal {
    pub(super) fn not_found() -> Refusal {
        Refusal::from(Error::PathNotFound)
    }

    pub(super) fn method_not_allowed(allow: &str) -> Refusal {
        Refusal {
            http: Some(StatusCode::METHOD_NOT_ALLOWED),
            allow: HeaderValue::try_from(allow).ok(),
            ..Refusal::from(error::method_not_allowed(allow))
        }
    }

    /// Of a request with fields that its message does not have. One of them may be meant to be what is complained of.
    pub(super) fn telling(self, passed_over: Vec<Box<str>>) -> Refusal {
        let is_about_it = self.status.code() == Code::InvalidArgument;
        if is_about_it { Refusal { passed_over, ..self } } else { self }
    }

    /// The answer to a unary call: `{"error", "code", "message"}`.
    pub(super) fn response(&self) -> Response<GatewayBody> {
        self.render(error::gateway_body_telling(&self.status, &self.passed_over))
    }

    /// The answer to a streaming call of which nothing was sent yet: the object its stream would end with.
    pub(super) fn stream_response(&self) -> Response<GatewayBody> {
        self.render(ended(error::stream_body_as(&self.status, self.http())))
    }

    fn http(&self) -> StatusCode {
        self.http.unwrap_or_else(|| error::http_status(self.status.code()))
    }

    fn render(&self, body: Vec<u8>) -> Response<GatewayBody> {
        let mut response = Response::new(GatewayBody::Full(Bytes::from(body)));
        *response.status_mut() = self.http();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, JSON);
        if let Some(allow) = &self.allow {
            headers.insert(header::ALLOW, allow.clone());
        }
        if self.http == Some(StatusCode::UPGRADE_REQUIRED) {
            handshake::name_version(headers);
        }
        add_hints(&mut response, &self.status, false);
        tell(&mut response, &self.status);
        response
    }
}

pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The last line of a failed stream.
pub(super) fn line(status: &Status) -> Vec<u8> {
    ended(error::stream_body(status))
}

fn ended(mut line: Vec<u8>) -> Vec<u8> {
    line.push(b'\n');
    line
}

/// For what is refused inside a stream.
impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Status {
        refusal.status
    }
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Refusal {
        Refusal { status, http: None, allow: None, passed_over: Vec::new() }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal { http: Some(error.http_status()), ..Refusal::from(Status::from(error)) }
    }
}

impl From<handshake::Failed> for Refusal {
    fn from(failed: handshake::Failed) -> Refusal {
        let is_other_version = matches!(failed, handshake::Failed::OtherVersion(_));
        let http = is_other_version.then_some(StatusCode::UPGRADE_REQUIRED);
        Refusal { http, ..Refusal::from(error::not_understood(failed)) }
    }
}

impl From<CollectError> for Refusal {
    fn from(cause: CollectError) -> Refusal {
        match cause {
            CollectError::TooLarge { limit } => Refusal::from(Error::BodyTooLarge { limit }),
            CollectError::Refused(error) => Refusal::from(error),
            CollectError::Broken(_) => Refusal::from(error::not_understood(cause)),
        }
    }
}
