//! Health, metrics, and what the server says about itself.

use serde_json::{Value, json};
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathItem, PathsBuilder,
};
use utoipa::openapi::schema::{ArrayBuilder, ComponentsBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{ContentBuilder, Header, Object, Ref, RefOr, Required, Response, ResponseBuilder};

/// Adds the operations.
pub(crate) fn add(paths: PathsBuilder) -> PathsBuilder {
    paths
        .path("/health", get(health()))
        .path("/livez", get(checks("livez", "Tells whether the member should be left running", false)))
        .path("/livez/{check}", get(checks("livez", "Runs one check of `/livez`", true)))
        .path("/readyz", get(checks("readyz", "Tells whether the member can serve", false)))
        .path("/readyz/{check}", get(checks("readyz", "Runs one check of `/readyz`", true)))
        .path("/version", get(version()))
        .path("/metrics", get(metrics()))
        .path("/debug/vars", get(variables()))
        .path("/", get(index()))
        .path("/v3/", get(paths_of_the_gateway()))
        .path("/openapi.json", get(openapi()))
        .path("/docs", get(docs()))
}

/// Adds the schemas of their answers.
pub(crate) fn add_schemas(components: ComponentsBuilder) -> ComponentsBuilder {
    let text = |description: &str| ObjectBuilder::new().schema_type(Type::String).description(Some(description));
    let health = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("health", text("Whether all is well, as text.").enum_values(Some(["true", "false"])))
        .property("reason", text("What is not: an alarm, a missing leader, a failed read."))
        .required("health")
        .required("reason");
    let version = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("etcdserver", text("The release of the API that is served, digits and dots only."))
        .property("etcdcluster", text("The version that the cluster has agreed on, or `not_decided`."))
        .property("storage", text("The version of the database's schema."))
        .property("keyport", text("The version of this server."))
        .required("etcdserver")
        .required("etcdcluster");
    components.schema("Health", health).schema("Version", version)
}

fn get(operation: OperationBuilder) -> PathItem {
    PathItem::new(HttpMethod::Get, operation)
}

fn operation(id: &str, summary: &str) -> OperationBuilder {
    OperationBuilder::new()
        .tag("Operations")
        .operation_id(Some(id))
        .summary(Some(summary))
        .securities(Some([utoipa::openapi::security::SecurityRequirement::default()]))
        .response("405", method_not_allowed())
}

fn health() -> OperationBuilder {
    let answer = |description: &str, example: Value| {
        let content =
            ContentBuilder::new().schema(Some(Ref::from_schema_name("Health"))).example(Some(example)).build();
        ResponseBuilder::new().description(description).content("text/plain", content).build()
    };
    operation("Operations_Health", "Tells whether the member is well")
        .description(Some("JSON, though sent as text, as etcd does. The check includes a linearizable read."))
        .parameter(exclude("An alarm to overlook: `NOSPACE` or `CORRUPT`."))
        .parameter(flag("serializable", "Ask this member alone, and do not look for a leader."))
        .response("200", answer("All is well.", json!({"health": "true", "reason": ""})))
        .response("503", answer("It is not.", json!({"health": "false", "reason": "RAFT NO LEADER"})))
}

fn checks(which: &str, summary: &str, one: bool) -> OperationBuilder {
    let id = format!("Operations_{}{}", which, if one { "_check" } else { "" });
    let checks = match which {
        "livez" => "The check: `serializable_read`.",
        _ => "The checks: `data_corruption`, `serializable_read`, `linearizable_read`, `non_learner`.",
    };
    let operation = operation(&id, summary)
        .description(Some(checks))
        .parameter(exclude("A check to leave out."))
        .parameter(flag("verbose", "List the checks also when all is well."))
        .response("200", plain("All is well.", "ok\n"))
        .response(
            "503",
            plain("It is not: one line a check.", "[-]linearizable_read failed: etcdserver: no leader\n\n"),
        );
    if !one {
        return operation;
    }
    let check = ParameterBuilder::new()
        .name("check")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some("The name of the check."))
        .schema(Some(Object::with_type(Type::String)))
        .build();
    operation.parameter(check).response(
        "404",
        plain("There is no such check.", "404 page not found\nThe checks of /livez are serializable_read.\n"),
    )
}

fn version() -> OperationBuilder {
    let example = json!({"etcdserver": "3.7.1", "etcdcluster": "3.7.0", "storage": "3.7.0", "keyport": "0.1.0"});
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Version"))).example(Some(example)).build();
    operation("Operations_Version", "Tells the versions of server and cluster").response(
        "200",
        ResponseBuilder::new().description("The versions.").content("application/json", content).build(),
    )
}

fn metrics() -> OperationBuilder {
    operation("Operations_Metrics", "Tells all metrics, in Prometheus' text format")
        .response("200", plain("The metrics.", "etcd_server_has_leader 1\n"))
}

fn variables() -> OperationBuilder {
    let content = ContentBuilder::new().schema(Some(Object::with_type(Type::Object))).build();
    operation("Operations_Variables", "Tells how the process stands: command line, memory, Raft")
        .response("200", ResponseBuilder::new().description("The state.").content("application/json", content).build())
}

fn index() -> OperationBuilder {
    let object = ContentBuilder::new().schema(Some(Object::with_type(Type::Object))).build();
    let page = ContentBuilder::new().schema(Some(Object::with_type(Type::String))).build();
    let answer = ResponseBuilder::new()
        .description("The links, as a page for those who accept one.")
        .content("application/json", object)
        .content("text/html", page)
        .build();
    operation("Operations_Index", "Tells what there is to find on this port").response("200", answer)
}

fn paths_of_the_gateway() -> OperationBuilder {
    let example = json!({"about": "", "docs": "/docs", "openapi": "/openapi.json", "paths": ["/v3/kv/put"]});
    let content = ContentBuilder::new().schema(Some(Object::with_type(Type::Object))).example(Some(example)).build();
    operation("Operations_Paths", "Lists the paths of the API")
        .response("200", ResponseBuilder::new().description("The paths.").content("application/json", content).build())
}

fn openapi() -> OperationBuilder {
    let content = ContentBuilder::new().schema(Some(Object::with_type(Type::Object))).build();
    operation("Operations_OpenApi", "This document")
        .response("200", tagged("The document.").content("application/json", content).build())
        .response("304", not_modified())
}

fn docs() -> OperationBuilder {
    let content = ContentBuilder::new().schema(Some(Object::with_type(Type::String))).build();
    operation("Operations_Docs", "A page to try out everything that is in this document")
        .response("200", tagged("The page.").content("text/html", content).build())
        .response("304", not_modified())
}

fn tagged(description: &str) -> ResponseBuilder {
    ResponseBuilder::new().description(description).header("ETag", Header::new(Object::with_type(Type::String)))
}

fn not_modified() -> Response {
    tagged("What `If-None-Match` names still holds.").build()
}

fn plain(description: &str, example: &str) -> Response {
    let content =
        ContentBuilder::new().schema(Some(Object::with_type(Type::String))).example(Some(json!(example))).build();
    ResponseBuilder::new().description(description).content("text/plain", content).build()
}

fn method_not_allowed() -> Response {
    ResponseBuilder::new()
        .description("Another method than GET: see `Allow`.")
        .header("Allow", Header::new(Object::with_type(Type::String)))
        .build()
}

fn exclude(description: &str) -> Parameter {
    let many = ArrayBuilder::new().items(Object::with_type(Type::String)).build();
    query("exclude", description, many)
}

fn flag(name: &str, description: &str) -> Parameter {
    query(name, description, Object::with_type(Type::Boolean))
}

fn query(name: &str, description: &str, schema: impl Into<RefOr<Schema>>) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(schema))
        .build()
}
