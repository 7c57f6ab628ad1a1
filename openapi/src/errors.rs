//! The answers that say no, shared by all operations.

use http::StatusCode;
use keyport_api::error::{self, Error, Kind, Problem};
use serde_json::json;
use utoipa::openapi::schema::{
    ArrayBuilder, ComponentsBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type,
};
use utoipa::openapi::{ContentBuilder, Header, Object, Ref, Response, ResponseBuilder, ResponsesBuilder};

/// In which shape a face says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A unary call of the gateway: `{"error", "code", "message"}`.
    Call,
    /// A streaming call of the gateway: the line its stream would end with.
    Stream,
    /// Problem details.
    Problem,
}

struct Refusal {
    status: &'static str,
    name: &'static str,
    description: &'static str,
    code: i32,
    message: &'static str,
}

/// What can go wrong with any call: the gateway's statuses, and those of the server before it.
const REFUSALS: &[Refusal] = &[
    refusal(
        "400",
        "BadRequest",
        "The request cannot be served as it is: malformed, invalid, or refused by the state of the store.",
        3,
        "etcdserver: key is not provided",
    ),
    refusal("401", "Unauthorized", "The token is unknown or has expired.", 16, "etcdserver: invalid auth token"),
    refusal("403", "Forbidden", "The user may not do this.", 7, "etcdserver: permission denied"),
    refusal("404", "NotFound", "There is no such lease, member or path.", 5, "etcdserver: requested lease not found"),
    refusal(
        "405",
        "MethodNotAllowed",
        "The path takes other methods: see `Allow`.",
        12,
        "Method Not Allowed: use POST; see /docs",
    ),
    refusal(
        "413",
        "ContentTooLarge",
        "The body is larger than any request may be.",
        8,
        "grpc: received message larger than max (3145728 vs. 2097152)",
    ),
    refusal(
        "429",
        "TooManyRequests",
        "The server has too much to do, the caller asks too often (see `Retry-After`), or the database has reached its quota.",
        8,
        "etcdserver: too many requests",
    ),
    refusal("499", "Canceled", "The caller went away, or the call was cancelled.", 1, "etcdserver: request canceled"),
    refusal(
        "500",
        "ServerError",
        "The server failed, or the data of the cluster is corrupt. Locks and elections say so, too, as etcd does, of requests that they cannot serve: \
without a key, or of somebody who does not lead.",
        15,
        "etcdserver: corrupt cluster",
    ),
    refusal("501", "NotImplemented", "The call is known and not implemented.", 12, "Not Implemented"),
    refusal(
        "503",
        "Unavailable",
        "There is no leader, or the server is stopping. Worth trying again.",
        14,
        "etcdserver: no leader",
    ),
    refusal(
        "504",
        "Timeout",
        "It took longer than the caller allowed, or than the cluster takes without a leader.",
        4,
        "context deadline exceeded",
    ),
];

/// What resources have words of HTTP's for, where calls make do with others.
const OF_RESOURCES: &[Refusal] = &[
    refusal(
        "409",
        "Conflict",
        "The state of the store or the cluster does not allow it.",
        9,
        "etcdserver: user name already exists",
    ),
    refusal(
        "507",
        "InsufficientStorage",
        "The database has reached its quota.",
        8,
        "etcdserver: mvcc: database space exceeded",
    ),
];

fn refusals(form: Form) -> impl Iterator<Item = &'static Refusal> {
    REFUSALS.iter().chain(if form == Form::Problem { OF_RESOURCES } else { &[] })
}

const fn refusal(
    status: &'static str,
    name: &'static str,
    description: &'static str,
    code: i32,
    message: &'static str,
) -> Refusal {
    Refusal { status, name, description, code, message }
}

/// Adds the schemas of errors and a response for each status and form.
pub(crate) fn add(components: ComponentsBuilder) -> ComponentsBuilder {
    let components = components
        .schema("Error", error_schema())
        .schema("StreamError", stream_error_schema())
        .schema("StreamErrorDetail", stream_error_detail_schema())
        .schema("Problem", problem_schema());
    [Form::Call, Form::Stream, Form::Problem].into_iter().fold(components, |components, form| {
        refusals(form).fold(components, |components, refusal| {
            components.response(response_name(form, refusal), response(form, refusal))
        })
    })
}

/// Declares that an operation may answer with any of them.
pub(crate) fn declare(responses: ResponsesBuilder, form: Form) -> ResponsesBuilder {
    refusals(form).fold(responses, |responses, refusal| {
        responses.response(refusal.status, Ref::from_response_name(response_name(form, refusal)))
    })
}

fn response_name(form: Form, refusal: &Refusal) -> String {
    match form {
        Form::Call => refusal.name.to_owned(),
        Form::Stream => format!("Stream{}", refusal.name),
        Form::Problem => format!("Problem{}", refusal.name),
    }
}

fn response(form: Form, refusal: &Refusal) -> Response {
    let Refusal { status, description, code, message, .. } = refusal;
    let (media_type, schema, example) = match form {
        Form::Call => ("application/json", "Error", json!({"error": message, "code": code, "message": message})),
        Form::Stream => ("application/json", "StreamError", {
            let http_code: u16 = status.parse().unwrap_or_default();
            json!({"error": {"grpc_code": code, "http_code": http_code, "code": code, "message": message}})
        }),
        Form::Problem => ("application/problem+json", "Problem", {
            let http: StatusCode = status.parse().unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let known =
                Error::from_message(message).map(error::problem_of).filter(|known| known.status == http.as_u16());
            json!(known.unwrap_or_else(|| Problem { grpc_code: Some(*code), ..Problem::http(http, *message) }))
        }),
    };
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))).example(Some(example)).build();
    let response = ResponseBuilder::new().description(*description).content(media_type, content);
    let text = || Object::with_type(Type::String);
    match *status {
        "401" => response.header("WWW-Authenticate", Header::new(text())),
        "405" => response.header("Allow", Header::new(text())),
        _ => response,
    }
    .build()
}

fn error_schema() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("What went wrong."))
        .property("error", text("The same as `message`, for older clients."))
        .property("code", integer("The gRPC code."))
        .property("message", text("The error, in etcd's words."))
        .property("details", ArrayBuilder::new().items(bad_request_schema()))
        .required("error")
        .required("code")
        .required("message")
        .into()
}

fn bad_request_schema() -> ObjectBuilder {
    let violation = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("field", text("Its name."))
        .property("description", text("What is wrong with it."))
        .required("field");
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some(
            "What there was in a request that was refused, and has no meaning: one of it may be misspelt.",
        ))
        .property("@type", text("`type.googleapis.com/google.rpc.BadRequest`."))
        .property("fieldViolations", ArrayBuilder::new().items(violation))
        .required("@type")
}

fn stream_error_schema() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("The last line of a stream that failed, or all of its body if it never began."))
        .property("error", Ref::from_schema_name("StreamErrorDetail"))
        .required("error")
        .into()
}

fn stream_error_detail_schema() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("Why a stream ended."))
        .property("code", integer("The gRPC code."))
        .property("message", text("The error, in etcd's words."))
        .property("grpc_code", integer("The same as `code`, for older clients."))
        .property("http_code", integer("The HTTP status it stands for."))
        .property("http_status", text("That status in words."))
        .required("code")
        .required("message")
        .into()
}

fn problem_schema() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("Problem details (RFC 9457)."))
        .property(
            "type",
            text("Which problem it is: the address of a page that says what it means, when it comes, and what to do.")
                .enum_values(Some(Kind::ALL.iter().map(|kind| kind.info().address))),
        )
        .property("title", text("The same in a few words."))
        .property("status", integer("The HTTP status."))
        .property("detail", text("What is wrong this time."))
        .property("instance", text("Of which request: `urn:keyport:request:` and what `X-Request-Id` says."))
        .property("grpc_code", integer("The gRPC code, if there is one for it."))
        .property("current_revision", text("Where the key was last changed, if it is not what it has to be."))
        .property("oldest_revision", text("Where history begins now, if what is asked for is older."))
        .required("type")
        .required("title")
        .required("status")
        .required("detail")
        .into()
}

fn text(description: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).description(Some(description))
}

fn integer(description: &str) -> ObjectBuilder {
    let format = SchemaFormat::KnownFormat(KnownFormat::Int32);
    ObjectBuilder::new().schema_type(Type::Integer).format(Some(format)).description(Some(description))
}
