//! The gateway's operations, from its routes.

use keyport_api::methods::MethodInfo;
use keyport_api::routes::{ROUTES, Route};
use prost_reflect::{DescriptorPool, MethodDescriptor};
use utoipa::openapi::path::{HttpMethod, OperationBuilder, PathItem, PathsBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{ContentBuilder, Deprecated, Ref, RefOr, Required, ResponseBuilder, ResponsesBuilder, Tag};

use crate::errors::{self, Form};
use crate::{comments, examples, schemas, tag};

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
    let (service, info) = (method.parent_service().name().to_owned(), route.method.info());
    let mut operation = OperationBuilder::new().tag(service.as_str()).summary(Some(summary));
    match alias_of(route) {
        None => operation = operation.operation_id(Some(format!("{service}_{}", info.name))),
        Some(original) => {
            description = format!("The same as `{original}`, where older clients look for it.");
            operation = operation
                .operation_id(Some(format!("{service}_{}_alias", info.name)))
                .deprecated(Some(Deprecated::True));
        }
    }
    let request = ContentBuilder::new()
        .schema(Some(schemas::reference(info.request)))
        .example(Some(examples::request(route.path)))
        .build();
    let body = RequestBodyBuilder::new()
        .required(Some(Required::False))
        .description(info.kind.client_streams().then_some("One message, or several one after the other."))
        .content("application/json", request)
        .build();
    operation
        .description(Some(description).filter(|text| !text.is_empty()))
        .request_body(Some(body))
        .responses(responses(info))
}

fn responses(info: &MethodInfo) -> ResponsesBuilder {
    let (description, schema, form): (_, RefOr<Schema>, _) = if info.kind.server_streams() {
        ("Lines of JSON, one a message.", line(info).into(), Form::Stream)
    } else {
        ("The answer.", schemas::reference(info.response).into(), Form::Call)
    };
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let ok = ResponseBuilder::new().description(description).content("application/json", content).build();
    errors::declare(ResponsesBuilder::new().response("200", ok), form)
}

/// One line of a stream.
fn line(info: &MethodInfo) -> ObjectBuilder {
    let error = Ref::new("#/components/schemas/StreamError/properties/error");
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("One line: a `result`, or at last an `error`."))
        .property("result", schemas::reference(info.response))
        .property("error", error)
}
