//! What holds for each row of the table of resources, by the document that describes them.

use http::Method;
use keyport_tests::Server;
use serde_json::{Map, Value};

use super::{Store, problem};

/// The operations of the document below `/v3/` that say no as resources do.
fn resources(document: &Value) -> impl Iterator<Item = (Method, &String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter().filter(|(path, _)| path.starts_with("/v3/"));
    paths.flat_map(move |(path, operations)| {
        let operations = operations.as_object().unwrap().iter();
        operations.filter_map(move |(verb, operation)| {
            let method = Method::from_bytes(verb.to_uppercase().as_bytes()).unwrap();
            let answers = operation["responses"].as_object().unwrap();
            let is_resource = verb == "get" || answers.values().any(|answer| says_problem(answer, document));
            is_resource.then_some((method, path, operation))
        })
    })
}

fn says_problem(answer: &Value, document: &Value) -> bool {
    let named = answer["$ref"].as_str().and_then(|address| document.pointer(address.trim_start_matches('#')));
    named.unwrap_or(answer)["content"].get("application/problem+json").is_some()
}

/// A body that is in order: the document's own example.
fn body(operation: &Value) -> (String, String) {
    let contents = operation["requestBody"]["content"].as_object().into_iter().flat_map(Map::iter);
    let mut examples = contents.map(|(kind, content)| (kind.clone(), content.get("example")));
    let (kind, example) = examples.next().unwrap_or_default();
    (
        kind,
        example.map_or_else(String::new, |example| example.as_str().map_or_else(|| example.to_string(), str::to_owned)),
    )
}

#[tokio::test]
async fn what_a_row_does_not_take_is_refused() {
    let store = Store::start();
    let document = store.http.get("/openapi.json").await.json();
    let mut asked = 0;
    for (method, path, operation) in resources(&document) {
        // Any number is an id, and any name is one.
        let address: Vec<_> = path.split('/').map(|part| if part.starts_with('{') { "7" } else { part }).collect();
        let (kind, text) = body(operation);
        let address = format!("{}?foo=1", address.join("/"));
        let answer = store.http.send(method.clone(), &address, &[("content-type", &kind)], text).await;
        assert_eq!(problem(&answer), (400, "unknown parameter foo".to_owned()), "{method} {address}");
        asked += 1;
    }
    assert!(asked > 40, "{asked}");
    assert_eq!(store.http.get("/v3/snapshot?_=1").await.status, 200, "what libraries add is passed over");
}

/// A shell's prompt stands on a line of its own. What is etcd's is as etcd's.
#[tokio::test]
async fn documents_end_with_their_line() {
    let server = Server::start();
    let http = server.http();
    let document = http.get("/openapi.json").await.json();
    let paths = document["paths"].as_object().unwrap();
    let plain = paths.iter().filter(|(path, operations)| !path.contains('{') && operations.get("get").is_some());
    let mut seen = 0;
    for (path, _) in plain.filter(|(path, _)| !["/health", "/version"].contains(&path.as_str())) {
        let head = http.send(Method::HEAD, path, &[], "").await;
        if head.header("content-type").starts_with("application/json") {
            let answer = http.get(path).await;
            assert!(answer.text().ends_with('\n') && !answer.text().ends_with("\n\n"), "{path}: {}", answer.text());
            seen += 1;
        }
    }
    assert!(seen > 15, "{seen}");
}
