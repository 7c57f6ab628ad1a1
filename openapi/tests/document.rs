//! The committed document: fresh, whole and consistent in itself.
#![allow(clippy::unwrap_used)] // Test helpers, too, are tests.

use std::collections::{BTreeSet, HashSet};

use keyport_api::json::{FromJson, from_slice};
use keyport_api::routes::ROUTES;
use keyport_openapi::endpoints::{Operation, Resource};
use serde_json::{Map, Value};

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

fn document() -> Value {
    serde_json::from_str(keyport_openapi::DOCUMENT.text()).unwrap()
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap_or_else(|| panic!("{value} should be an object"))
}

/// Every operation: path, method, itself.
fn operations_of(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = object(&document["paths"]).iter();
    paths
        .flat_map(|(path, item)| object(item).iter().map(move |(method, operation)| (&**path, &**method, operation)))
        .filter(|(_, method, _)| METHODS.contains(method))
        .collect()
}

/// Calls `visit` on every value of the document, with the way to it.
fn walk<'a>(value: &'a Value, way: &str, visit: &mut impl FnMut(&str, &'a Value)) {
    visit(way, value);
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| walk(value, &format!("{way}/{name}"), visit)),
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(at, value)| walk(value, &format!("{way}/{at}"), visit))
        }
        _ => {}
    }
}

#[test]
fn the_committed_document_is_fresh() {
    let built = keyport_openapi::build().unwrap().to_pretty_json().unwrap() + "\n";
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json"), built).unwrap();
        return;
    }
    assert!(
        built == keyport_openapi::DOCUMENT.text(),
        "openapi.json is stale: UPDATE_OPENAPI=1 cargo test -p keyport-openapi"
    );
}

/// The other form is made of the first, and says nothing that OpenAPI 3.0 did not know.
#[test]
fn the_older_document_is_fresh_and_whole() {
    let built = keyport_openapi::older(&keyport_openapi::build().unwrap()).unwrap();
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi-3.0.json"), built).unwrap();
        return;
    }
    let older: Value = serde_json::from_str(keyport_openapi::OLDER_DOCUMENT.text()).unwrap();
    assert!(
        built == keyport_openapi::OLDER_DOCUMENT.text(),
        "openapi-3.0.json is stale: UPDATE_OPENAPI=1 cargo test -p keyport-openapi"
    );
    assert_eq!(older["openapi"], "3.0.3");
    let newer = document();
    let ids = |document: &Value| -> Vec<String> {
        operations_of(document).into_iter().map(|(_, _, operation)| operation["operationId"].to_string()).collect()
    };
    assert_eq!(ids(&older), ids(&newer));
    assert_eq!(
        object(&older["components"]["schemas"]).keys().collect::<Vec<_>>(),
        object(&newer["components"]["schemas"]).keys().collect::<Vec<_>>()
    );
    walk(&older, "", &mut |way, value| {
        // What an example says is no schema.
        if way.contains("/example") || way.ends_with("/properties") {
            return;
        }
        for word in ["const", "contentEncoding", "contentMediaType", "examples", "prefixItems", "patternProperties"] {
            assert!(value.get(word).is_none(), "{way} has {word}");
        }
        assert!(!value.get("type").is_some_and(Value::is_array), "{way} has several types");
        assert!(value.get("$ref").is_none() || object(value).len() == 1, "{way} has something beside a reference");
    });
}

#[test]
fn it_says_which_openapi_it_is() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
}

#[test]
fn every_route_is_there() {
    let document = document();
    for route in ROUTES {
        let (operation, info) = (&document["paths"][route.path]["post"], route.method.info());
        let schema = |value: &Value| value["content"]["application/json"]["schema"].clone();
        assert_eq!(
            schema(&operation["requestBody"])["$ref"],
            format!("#/components/schemas/{}", info.request),
            "{route:?}"
        );
        let answer = schema(&operation["responses"]["200"]);
        let line = &document["components"]["schemas"][format!("{}Line", info.response)]["properties"]["result"];
        let message = if info.kind.server_streams() { line } else { &answer };
        assert_eq!(message["$ref"], format!("#/components/schemas/{}", info.response), "{route:?}");
        if info.kind.server_streams() {
            let lines = &operation["responses"]["200"]["content"]["application/x-ndjson"]["schema"];
            assert_eq!((&answer, answer["$ref"].is_string()), (lines, true), "{route:?}");
        }
        for status in ["400", "401", "403", "404", "405", "413", "429", "499", "500", "501", "503", "504"] {
            assert!(operation["responses"][status]["$ref"].is_string(), "{} says nothing of {status}", route.path);
        }
    }
    let operations = Operation::ALL.iter().map(|operation| operation.info());
    let rows: Vec<_> = operations.chain(Resource::ALL.iter().map(|resource| resource.info())).collect();
    for row in &rows {
        let verb = row.verb.methods().first().unwrap_or(&"GET").to_lowercase();
        assert!(document["paths"][row.path][verb].is_object(), "{row:?}");
    }
    assert_eq!(operations_of(&document).len(), ROUTES.len() + rows.len(), "and nothing else");
}

#[test]
fn every_reference_resolves() {
    let document = document();
    let mut count = 0;
    walk(&document, "", &mut |way, value| {
        if let Some(reference) = value.get("$ref") {
            let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap_or_else(|| panic!("{way}: {reference}"));
            assert!(document.pointer(pointer).is_some(), "{way} refers to {reference}");
            count += 1;
        }
    });
    assert!(count > 500, "{count}");
}

#[test]
fn every_component_is_referred_to() {
    let document = document();
    let mut referred = HashSet::new();
    walk(&document, "", &mut |_, value| {
        referred.extend(value.get("$ref").and_then(Value::as_str));
    });
    for kind in ["schemas", "responses"] {
        for name in object(&document["components"][kind]).keys() {
            let reference = format!("#/components/{kind}/{name}");
            let used = referred.iter().any(|other| *other == reference || other.starts_with(&format!("{reference}/")));
            assert!(used, "{reference}");
        }
    }
}

#[test]
fn every_operation_is_described() {
    let document = document();
    let tags: BTreeSet<_> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    let mut ids = HashSet::new();
    for (path, method, operation) in operations_of(&document) {
        let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no id"));
        assert!(ids.insert(id), "{id} is there twice");
        for field in ["summary", "description"] {
            assert!(operation[field].as_str().is_some_and(|text| !text.is_empty()), "{id} has no {field}");
        }
        let letters = id.chars().all(|letter| letter.is_ascii_alphanumeric());
        assert!(letters && id.starts_with(|first: char| first.is_ascii_lowercase()), "{id} is no name of a method");
        for tag in operation["tags"].as_array().unwrap() {
            assert!(tags.contains(tag.as_str().unwrap()), "{id}: {tag}");
        }
        for (status, response) in object(&operation["responses"]) {
            assert!(response.get("$ref").is_some() || response["description"].is_string(), "{id} {status}");
            assert!(status.parse::<u16>().is_ok_and(|status| (100..600).contains(&status)), "{id} {status}");
        }
        // What stands in braces is a parameter, and the other way round.
        let braced: BTreeSet<_> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        let in_path = parameters.iter().filter(|parameter| parameter["in"] == "path" && parameter["required"] == true);
        assert_eq!(braced, in_path.map(|parameter| parameter["name"].as_str().unwrap()).collect(), "{id}");
        let names: HashSet<_> =
            parameters.iter().map(|parameter| (parameter["in"].as_str(), parameter["name"].as_str())).collect();
        assert_eq!(names.len(), parameters.len(), "{id} has a parameter twice");
    }
}

#[test]
fn schemas_say_how_json_looks() {
    let document = document();
    let schema = |name: &str| &document["components"]["schemas"][name];
    let kv = &schema("mvccpb.KeyValue")["properties"];
    assert_eq!((&kv["key"]["type"], &kv["key"]["contentEncoding"]), (&"string".into(), &"base64".into()));
    assert_eq!((&kv["mod_revision"]["type"], &kv["mod_revision"]["format"]), (&"string".into(), &"int64".into()));
    let status = &schema("etcdserverpb.StatusResponse")["properties"];
    assert_eq!(status["leader"]["format"], "uint64");
    assert_eq!(status["errors"]["items"]["type"], "string");
    assert_eq!(schema("etcdserverpb.HashKVResponse")["properties"]["hash"]["type"], "integer");
    assert_eq!(schema("etcdserverpb.AlarmType")["enum"], serde_json::json!(["NONE", "NOSPACE", "CORRUPT"]));
    assert_eq!(
        schema("etcdserverpb.TxnRequest")["properties"]["success"]["items"]["$ref"],
        "#/components/schemas/etcdserverpb.RequestOp"
    );
    let whole = regex(&kv["mod_revision"]);
    assert_eq!(whole, "^-?(0|[1-9][0-9]*)$");
    assert_eq!(schema("etcdserverpb.PutRequest")["required"], serde_json::json!(["key"]));
    assert_eq!(schema("etcdserverpb.PutResponse")["required"], serde_json::json!(["header"]));
    let one = |name: &str| (schema(name)["minProperties"].as_u64(), schema(name)["maxProperties"].as_u64());
    assert_eq!(one("etcdserverpb.RequestOp"), (Some(1), Some(1)));
    assert_eq!(one("etcdserverpb.WatchResponseLine"), (Some(1), Some(1)));
    assert_eq!(one("etcdserverpb.Compare"), (None, Some(5)));
    assert_eq!(one("etcdserverpb.PutRequest"), (None, None));
    let compare = schema("etcdserverpb.Compare")["description"].as_str().unwrap();
    assert!(compare.contains("At most one of `version`, `create_revision`"), "{compare}");
}

fn regex(schema: &Value) -> &str {
    schema["pattern"].as_str().unwrap_or_default()
}

/// What nobody can do without has to be sent; what is empty by right need not.
#[test]
fn bodies_are_required_where_they_say_something() {
    let document = document();
    let required = |path: &str| document["paths"][path]["post"]["requestBody"]["required"].as_bool().unwrap();
    for path in ["/v3/kv/put", "/v3/watch", "/v3/lease/keepalive", "/v3/lock/unlock"] {
        assert!(required(path), "{path}");
    }
    for path in ["/v3/kv/txn", "/v3/cluster/member/list", "/v3/maintenance/snapshot", "/v3/auth/enable"] {
        assert!(!required(path), "{path}");
    }
}

/// The names of events are the words of an enum, one schema each.
#[test]
fn events_are_told_apart_by_their_names() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    let mapping = object(&schemas["WatchEvent"]["discriminator"]["mapping"]);
    let names: BTreeSet<_> = mapping.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["ahead", "bookmark", "compacted", "delete", "failed", "opened", "put", "synced"].into_iter().collect()
    );
    for (name, reference) in mapping {
        let schema = document.pointer(reference.as_str().unwrap().strip_prefix('#').unwrap()).unwrap();
        assert_eq!(schema["properties"]["event"]["enum"], serde_json::json!([name]));
    }
    let answers = &document["paths"]["/v3/watch"]["get"]["responses"]["200"]["content"];
    for (form, schema) in [("text/event-stream", "WatchServerSentEvent"), ("application/x-ndjson", "WatchEvent")] {
        assert_eq!(answers[form]["schema"]["$ref"], format!("#/components/schemas/{schema}"), "{form}");
    }
    let words = schemas["WatchServerSentEvent"]["properties"]["event"]["enum"].as_array().unwrap();
    assert_eq!(words.iter().map(|word| word.as_str().unwrap()).collect::<BTreeSet<_>>(), names);
}

#[test]
fn fields_stand_in_the_order_of_the_proto_file() {
    let text = keyport_openapi::DOCUMENT.text();
    let put = text.find("\"etcdserverpb.PutRequest\": {").unwrap();
    let at = |name: &str| text[put..].find(&format!("\"{name}\": {{")).unwrap();
    assert!(at("key") < at("value") && at("value") < at("lease") && at("lease") < at("prev_kv"));
}

/// Every example is a request that the server could read, and says no more than the message holds.
#[test]
fn examples_are_requests() {
    fn check<T: FromJson + serde::Serialize>(document: &Value, path: &str) {
        let example = &document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"];
        let message: T = from_slice(example.to_string().as_bytes()).unwrap_or_else(|error| panic!("{path}: {error}"));
        let again = serde_json::to_value(&message).unwrap();
        for name in object(example).keys() {
            let zero = ["0", "GET", "NONE", "VALIDATE"].iter().any(|zero| example[name] == *zero);
            assert!(zero || again.get(name).is_some(), "{path}: {name} got lost");
        }
    }
    let document = document();
    macro_rules! check_all {
        ([$document:ident] $(($kind:ident, $route:literal, $field:ident, $Service:path, $method:ident, $Request:ty, $Response:ty))*) => {
            $(check::<$Request>(&$document, $route);)*
        };
    }
    keyport_api::for_each_route!(check_all, document);
}
