//! The gateway's operations, from its routes.

use keyport_api::methods::{MethodInfo, Need};
use keyport_api::routes::{ROUTES, Route};
use prost_reflect::{DescriptorPool, MethodDescriptor};
use utoipa::openapi::path::{HttpMethod, OperationBuilder, PathItem, PathsBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::{ContentBuilder, Deprecated, Required, ResponseBuilder, ResponsesBuilder, Tag};

use crate::errors::{self, Form};
use crate::{comments, examples, ids, required, schemas, tag};

/// One tag a service, in the order of the proto files.
pub(crate) fn tags(pool: &DescriptorPool) -> Vec<Tag> {
    let routed = |name: &str| ROUTES.iter().any(|route| route.method.info().service == name);
    let services = pool.services().filter(|service| routed(service.full_name()));
    services.map(|service| tag(service.name(), &comments::of(&service.parent_file(), service.path()))).collect()
}

/// Adds the operation of every route.
pub(crate) fn add(pool: &DescriptorPool, paths: PathsBuilder) -> PathsBuilder {
    ROUTES.iter().fold(paths, |paths, route| match method(pool, route.method.info()) {
        Some(method) => paths.path(route.path, PathItem::new(HttpMethod::Post, operation(route, &method))),
        None => paths,
    })
}

fn method(pool: &DescriptorPool, info: &MethodInfo) -> Option<MethodDescriptor> {
    pool.get_service_by_name(info.service)?.methods().find(|method| method.name() == info.name)
}

/// The path that a route repeats, if it is the alias: lease calls are at `/v3/kv/lease` for older clients, too.
fn alias_of(route: &Route) -> Option<&'static str> {
    route.method.info().route().filter(|original| *original != route.path)
}

fn operation(route: &Route, method: &MethodDescriptor) -> OperationBuilder {
    let (summary, mut description) = comments::of_method(method);
    let info = route.method.info();
    let mut operation = OperationBuilder::new().tag(method.parent_service().name()).summary(Some(summary));
    match alias_of(route) {
        None => {
            append(&mut description, &also(info));
            operation = operation.operation_id(Some(ids::of_method(info)));
        }
        Some(original) => {
            description = format!("The same as `{original}`, where older clients look for it.");
            operation = operation
                .operation_id(Some(format!("{}Alias", ids::of_method(info))))
                .deprecated(Some(Deprecated::True));
        }
    }
    let request = ContentBuilder::new()
        .schema(Some(schemas::reference(info.request)))
        .example(Some(examples::request(route.path)))
        .build();
    let body = RequestBodyBuilder::new()
        .required(Some(if required::some(&method.input()) { Required::True } else { Required::False }))
        .description(info.kind.client_streams().then_some("One message, or several one after the other."))
        .content("application/json", request)
        .build();
    operation
        .description(Some(description).filter(|text| !text.is_empty()))
        .request_body(Some(body))
        .responses(responses(info))
}

/// What else it is, and who may make it.
fn also(info: &MethodInfo) -> String {
    let who = match info.need {
        Need::Nothing => "Anybody may make it.",
        Need::SoundToken => "Anybody may make it who shows no wrong token.",
        Need::Identity => "While users are on, the caller has to be known.",
        Need::Keys => "While users are on, the caller needs permission for the keys.",
        Need::Root => "While users are on, for those alone who have the role root.",
    };
    format!("The call `{}` of gRPC. {who}", info.path.trim_start_matches('/'))
}

fn append(text: &mut String, paragraph: &str) {
    if !text.is_empty() {
        text.push_str("\n\n");
    }
    text.push_str(paragraph);
}

fn responses(info: &MethodInfo) -> ResponsesBuilder {
    let content = |schema: &str| ContentBuilder::new().schema(Some(schemas::reference(schema))).build();
    if !info.kind.server_streams() {
        let ok = ResponseBuilder::new().description("The answer.").content("application/json", content(info.response));
        return errors::declare(ResponsesBuilder::new().response("200", ok.build()), Form::Call);
    }
    let line = schemas::line_name(info.response);
    let ok = ResponseBuilder::new()
        .description("Lines of JSON, one a message; `application/x-ndjson` with an `Accept` of that name.")
        .content("application/json", content(&line))
        .content("application/x-ndjson", content(&line));
    errors::declare(ResponsesBuilder::new().response("200", ok.build()), Form::Stream)
}
