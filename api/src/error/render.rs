//! One conversion per face: HTTP status, gateway JSON, stream JSON, problem details.

use http::StatusCode;
use serde::Serialize;
use tonic::{Code, Status};

use super::Error;
use super::problems::Kind;

/// The HTTP status of a gRPC code, as etcd's gateway maps it since 3.6.
pub fn http_status(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        // Not in the registry, and still what gateways answer when the caller went away.
        Code::Cancelled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Unknown | Code::Internal | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The words that go with a status, 499 included.
pub fn reason_phrase(status: StatusCode) -> &'static str {
    match status.as_u16() {
        499 => "Client Closed Request",
        _ => status.canonical_reason().unwrap_or_default(),
    }
}

/// The gateway's answer to a failed unary call: `{"error", "code", "message"}`, the union of what etcd's gateway
/// sends today and sent before 3.6. Old HTTP clients look for `error`.
pub fn gateway_body(status: &Status) -> Vec<u8> {
    gateway_body_telling(status, &[])
}

/// As [`gateway_body`], with the names of fields that were passed over, among which may be the one that is missed: as
/// `google.rpc.BadRequest` has it, in `details`.
pub fn gateway_body_telling(status: &Status, passed_over: &[Box<str>]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        error: &'a str,
        code: i32,
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        details: Option<[BadRequest<'a>; 1]>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct BadRequest<'a> {
        #[serde(rename = "@type")]
        is_a: &'static str,
        field_violations: Vec<Violation<'a>>,
    }
    #[derive(Serialize)]
    struct Violation<'a> {
        field: &'a str,
        description: &'static str,
    }
    let violation = |field| Violation { field, description: "there is no such field, so it was passed over" };
    let details = (!passed_over.is_empty()).then(|| {
        [BadRequest {
            is_a: "type.googleapis.com/google.rpc.BadRequest",
            field_violations: passed_over.iter().map(|field| violation(&**field)).collect(),
        }]
    });
    to_json(&Body { error: status.message(), code: status.code() as i32, message: status.message(), details })
}

/// The last object of a failed stream, newline not included: `{"error": {...}}` with the fields of both gateway
/// generations.
pub fn stream_body(status: &Status) -> Vec<u8> {
    stream_body_as(status, http_status(status.code()))
}

/// As [`stream_body`], where HTTP has a better word than the table has for the code.
pub fn stream_body_as(status: &Status, http: StatusCode) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        error: Detail<'a>,
    }
    #[derive(Serialize)]
    struct Detail<'a> {
        grpc_code: i32,
        http_code: u16,
        http_status: &'static str,
        code: i32,
        message: &'a str,
    }
    let code = status.code() as i32;
    to_json(&Body {
        error: Detail {
            grpc_code: code,
            http_code: http.as_u16(),
            http_status: reason_phrase(http),
            code,
            message: status.message(),
        },
    })
}

/// Problem details (RFC 9457, `application/problem+json`), the error form of the REST face.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The kind of problem: the address of its page, relative to the server.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The kind in words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong this time: the catalogue's message.
    pub detail: String,
    /// The gRPC code, so that one client-side table serves both APIs. Absent when HTTP alone refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc_code: Option<i32>,
    /// At which revision the key in question was last changed. A text, as all revisions are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_revision: Option<String>,
    /// Where history begins now, if what is asked for is older.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_revision: Option<String>,
    /// Whose place in a line comes first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<serde_json::Value>,
}

impl Problem {
    /// The media type to send it with.
    pub const MEDIA_TYPE: &'static str = "application/problem+json";

    /// A problem of a kind.
    pub fn of(kind: Kind, detail: impl Into<String>) -> Problem {
        let info = kind.info();
        Problem {
            kind: info.address,
            title: info.title,
            status: info.status,
            detail: detail.into(),
            grpc_code: None,
            current_revision: None,
            oldest_revision: None,
            holder: None,
        }
    }

    /// A problem of HTTP's own (a method, a media type) of which no more is known than the status.
    pub fn http(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem { status: status.as_u16(), ..Problem::of(Kind::of_status(status), detail) }
    }

    /// The same, and where a key has come to since.
    #[must_use]
    pub fn with_current_revision(self, revision: i64) -> Problem {
        Problem { current_revision: Some(revision.to_string()), ..self }
    }

    /// The same, and where history begins now.
    #[must_use]
    pub fn with_oldest_revision(self, revision: i64) -> Problem {
        Problem { oldest_revision: Some(revision.to_string()), ..self }
    }

    /// The same, and who is in the way.
    #[must_use]
    pub fn with_holder(self, holder: serde_json::Value) -> Problem {
        Problem { holder: Some(holder), ..self }
    }

    /// The JSON document.
    pub fn to_json(&self) -> Vec<u8> {
        to_json(self)
    }
}

/// The problem a status stands for.
pub fn problem(status: &Status) -> Problem {
    match Error::from_status(status) {
        Some(error) => problem_of(error),
        None => {
            let problem = Problem::http(http_status(status.code()), status.message());
            Problem { grpc_code: Some(status.code() as i32), ..problem }
        }
    }
}

/// The problem an error is.
pub fn problem_of(error: Error) -> Problem {
    Problem { grpc_code: Some(error.code() as i32), ..Problem::of(error.kind(), error.to_string()) }
}

/// Strings and integers only: there is nothing serde_json could refuse.
fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
