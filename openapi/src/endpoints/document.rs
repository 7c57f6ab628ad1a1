//! The rows of the table as operations of the document.

use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, ParameterStyle, PathItem, PathsBuilder,
};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{ArrayBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{
    ContentBuilder, Header, Object, Ref, RefOr, Required, Response, ResponseBuilder, ResponsesBuilder,
};

use super::{Answer, Content, Endpoint, Operation, Parameter, Place, Resource, Shape, Verb};
use crate::{errors, ids};

/// Adds the operation of every row.
pub(crate) fn add(paths: PathsBuilder) -> PathsBuilder {
    let operations = Operation::ALL.iter().map(|operation| operation.info());
    let resources = Resource::ALL.iter().map(|resource| resource.info());
    operations.chain(resources).fold(paths, |paths, endpoint| {
        paths.path(endpoint.path, PathItem::new(method(endpoint.verb), operation(endpoint)))
    })
}

fn method(verb: Verb) -> HttpMethod {
    match verb {
        Verb::Get | Verb::Any => HttpMethod::Get,
        Verb::Post => HttpMethod::Post,
        Verb::Put => HttpMethod::Put,
        Verb::Patch => HttpMethod::Patch,
        Verb::Delete => HttpMethod::Delete,
    }
}

fn operation(endpoint: &Endpoint) -> OperationBuilder {
    let Endpoint { id, tag, summary, description, parameters, body, public, .. } = *endpoint;
    let operation = OperationBuilder::new()
        .tag(tag)
        .operation_id(Some(ids::of_row(id)))
        .summary(Some(summary))
        .description(Some(if description.is_empty() { who(public) } else { description }))
        .request_body((!body.is_empty()).then(|| request_body(body)))
        .securities(public.then(|| [SecurityRequirement::default()]))
        .responses(responses(endpoint));
    parameters.iter().fold(operation, |operation, parameter| operation.parameter(described(parameter)))
}

/// Of a row that says no more: who may ask.
fn who(public: bool) -> &'static str {
    match public {
        true => "No token is asked for.",
        false => "While users are on, the caller needs permission for it.",
    }
}

fn request_body(forms: &[Content]) -> RequestBody {
    let body = forms.iter().fold(RequestBodyBuilder::new(), |body, form| body.content(form.media_type, content(form)));
    // Bytes may be none.
    let may_be_empty = forms.iter().any(|form| matches!(form.shape, Shape::Binary));
    body.required(Some(if may_be_empty { Required::False } else { Required::True })).build()
}

fn content(content: &Content) -> utoipa::openapi::Content {
    let example = content.example.map(|example| example());
    ContentBuilder::new().schema(Some(schema(&content.shape))).example(example).build()
}

fn responses(endpoint: &Endpoint) -> ResponsesBuilder {
    // What a row says itself goes before what all of them may say.
    let shared =
        endpoint.refusals.map_or_else(ResponsesBuilder::new, |form| errors::declare(ResponsesBuilder::new(), form));
    let own = endpoint
        .answers
        .iter()
        .fold(shared, |responses, answer| responses.response(answer.status.to_string(), response(answer)));
    match (endpoint.refusals, endpoint.verb) {
        (Some(_), _) => own,
        (None, Verb::Get) => own.response("405", method_not_allowed("Another method than GET: see `Allow`.")),
        (None, Verb::Any) => own.response("405", method_not_allowed("The method is TRACE.")),
        (None, _) => own,
    }
}

fn response(answer: &Answer) -> Response {
    let response = ResponseBuilder::new().description(answer.description);
    let response = answer
        .contents
        .iter()
        .fold(response, |response, content| response.content(content.media_type, self::content(content)));
    answer.headers.iter().fold(response, |response, name| response.header(*name, text_header())).build()
}

fn method_not_allowed(description: &str) -> Response {
    ResponseBuilder::new().description(description).header("Allow", text_header()).build()
}

fn text_header() -> Header {
    Header::new(Object::with_type(Type::String))
}

fn described(parameter: &Parameter) -> ParameterBuilder {
    let Parameter { name, place, description, ref shape, repeated, .. } = *parameter;
    let (place, required) = match place {
        Place::Query => (ParameterIn::Query, Required::False),
        Place::Path => (ParameterIn::Path, Required::True),
        Place::Header => (ParameterIn::Header, Required::False),
    };
    let described =
        ParameterBuilder::new().name(name).parameter_in(place).required(required).description(Some(description));
    if !repeated {
        return described.schema(Some(schema(shape)));
    }
    let many = ArrayBuilder::new().items(schema(shape)).build();
    described.schema(Some(many)).style(Some(ParameterStyle::Form)).explode(Some(true))
}

fn schema(shape: &Shape) -> RefOr<Schema> {
    let of = |kind: Type| ObjectBuilder::new().schema_type(kind);
    match shape {
        Shape::Text => of(Type::String),
        Shape::Base64 => of(Type::String).content_encoding("base64"),
        Shape::Binary => of(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary))),
        Shape::Digits => of(Type::String).pattern(Some("^[0-9]+$")),
        Shape::Integer(range) => {
            of(Type::Integer).minimum(Some(i32::from(*range.start()))).maximum(Some(i32::from(*range.end())))
        }
        Shape::Flag => of(Type::Boolean),
        Shape::Word(words) => of(Type::String).enum_values(Some(words.iter().copied())),
        Shape::Object => of(Type::Object),
        Shape::Schema(name) => return Ref::from_schema_name(*name).into(),
    }
    .into()
}
