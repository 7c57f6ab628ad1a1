//! Keys as resources: what HTTP alone can do with them, and that it is the same as what gRPC does.

mod access;
mod browsers;
mod changes;
mod clients;
mod conditions;
mod cut;
mod held;
mod keys;
mod leases;
mod lines;
mod lists;
mod members;
mod nginx;
mod observed;
mod once;
mod packed;
mod problems;
mod rows;
mod sockets;
mod statuses;
mod streams;
mod transactions;

use http::Method;
use keyport_tests::Server;
use keyport_tests::http::{Answer, Http};
use serde_json::Value;

/// A server, and somebody who speaks HTTP with it.
struct Store {
    server: Server,
    http: Http,
}

impl Store {
    fn start() -> Store {
        Store::with(&[])
    }

    fn with(args: &[&str]) -> Store {
        let server = Server::builder().args(args.iter().copied()).start();
        Store { http: server.http(), server }
    }

    /// `key` with what follows it, a query perhaps.
    async fn ask(&self, method: Method, key: &str, headers: &[(&str, &str)], body: impl Into<bytes::Bytes>) -> Answer {
        self.http.send(method, &format!("/v3/keys/{key}"), headers, body).await
    }

    async fn get(&self, key: &str) -> Answer {
        self.ask(Method::GET, key, &[], "").await
    }

    async fn put(&self, key: &str, value: impl Into<bytes::Bytes>) -> Answer {
        self.ask(Method::PUT, key, &[], value).await
    }

    async fn delete(&self, key: &str) -> Answer {
        self.ask(Method::DELETE, key, &[], "").await
    }
}

/// The status of a problem, and what is said of it.
#[track_caller]
fn problem(answer: &Answer) -> (u16, String) {
    assert_eq!(answer.header("content-type"), "application/problem+json", "{}", answer.text());
    let document = answer.json();
    assert!(answer.body.ends_with(b"}\n"), "{document}");
    assert_eq!(document["status"], answer.status.as_u16());
    assert!(document["type"].as_str().is_some_and(|kind| kind.starts_with("/problems/")), "{document}");
    assert!(document["title"].is_string());
    assert_eq!(document["instance"], format!("urn:keyport:request:{}", answer.header("x-request-id")));
    (answer.status.as_u16(), document["detail"].as_str().unwrap().to_owned())
}

/// A number of a document, which is a text there.
#[track_caller]
fn number(document: &Value, name: &str) -> i64 {
    document[name].as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{name} in {document}"))
}
