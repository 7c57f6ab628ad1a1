//! Keys and leases as resources: a line for each request, with its keys, and with the revision where something was changed.

use http::Method;
use serde_json::{Value, json};

use super::Log;

const CANARY: &str = "canary-value";

/// A request, and what its line says: call, keys, code, revision.
type Row = (Method, String, &'static [(&'static str, &'static str)], &'static str, [Value; 4]);

fn row(method: &Method, path: &str, body: &'static str, keys: Value, code: &str, revision: Option<i64>) -> Row {
    let call = format!("{method} {}", path.split('?').next().unwrap().replace("v3beta", "v3"));
    (method.clone(), path.to_owned(), &[], body, [json!(call), keys, json!(code), json!(revision)])
}

fn rows() -> Vec<Row> {
    let (get, put, patch, post, delete) = (Method::GET, Method::PUT, Method::PATCH, Method::POST, Method::DELETE);
    let one = json!([{ "key": "k/1" }]);
    let below = json!([{ "key": "k/", "range_end": "k0" }]);
    let long = "x".repeat(300);
    let mut of_long = row(&put, &format!("/v3/keys/{long}"), CANARY, json!([{ "key": long }]), "OK", Some(7));
    of_long.4[0] = json!("PUT /v3/keys/{key}");
    vec![
        row(&put, "/v3/keys/k/1", CANARY, one.clone(), "OK", Some(2)),
        row(&put, "/v3beta/keys/k/1", CANARY, one.clone(), "OK", Some(3)),
        row(&put, "/v3/keys/k/1?ttl=600", CANARY, one.clone(), "OK", Some(4)),
        row(&put, "/v3/keys/k/1?cas=1", CANARY, one.clone(), "FailedPrecondition", Some(4)),
        row(&get, "/v3/keys/k/1", "", one.clone(), "OK", Some(4)),
        row(&get, "/v3/keys/k/2", "", json!([{ "key": "k/2" }]), "NotFound", None),
        row(&get, "/v3/keys?prefix=k/", "", below.clone(), "OK", Some(4)),
        row(&get, "/v3/keys?prefix=k/&sepa=x", "", Value::Null, "InvalidArgument", None),
        row(&patch, "/v3/keys/k/1?append", CANARY, one.clone(), "OK", Some(5)),
        row(&patch, "/v3/keys/k/1?increment=1", "", one.clone(), "AlreadyExists", None),
        row(&put, "/v3/keys/%FF", CANARY, json!([{ "key_b64": "/w==" }]), "OK", Some(6)),
        of_long,
        row(&delete, "/v3/keys/k/1?prev", "", one, "OK", Some(8)),
        row(&delete, "/v3/keys?prefix=k/", "", below, "OK", Some(8)),
        row(&post, "/v3/leases", r#"{"ttl":60,"id":255}"#, Value::Null, "OK", Some(8)),
        row(&get, "/v3/leases/255", "", Value::Null, "OK", None),
        row(&delete, "/v3/leases/255", "", Value::Null, "OK", Some(8)),
        row(&delete, "/v3/leases/255", "", Value::Null, "NotFound", None),
    ]
}

#[tokio::test]
async fn requests_for_resources_have_their_lines() {
    let (realm, log) = Log::realm().await;
    let (root, reader) = (realm.token("root").await, realm.token("reader").await);
    let [by_root, by_reader] = [&root, &reader].map(|token| format!("Bearer {token}"));
    let (by_root, by_reader) = (("authorization", &*by_root), ("authorization", &*by_reader));
    // Lines are written behind the answers: that of the last login is to be there.
    let by_last = |lines: &[Value]| lines.last().is_some_and(|line| line["user"] == "reader").then_some(lines.len());
    let before = log.once("the login", by_last).await;
    let mut wanted = Vec::new();
    for (method, path, headers, body, line) in rows() {
        let headers = [headers, &[by_root]].concat();
        realm.http.send(method, &path, &headers, body).await;
        wanted.push(line);
    }
    // That a lease is kept alive has none, as among the RPCs.
    realm.http.send(Method::POST, "/v3/leases", &[by_root], r#"{"ttl":60,"id":9}"#).await;
    let kept = realm.http.send(Method::POST, "/v3/leases/9/keepalive", &[by_root], "").await;
    assert_eq!(kept.status, 200);
    let refused = realm.http.send(Method::PUT, "/v3/keys/k/1", &[by_reader], CANARY).await;
    assert_eq!(refused.status, 403);
    let last = |lines: &[Value]| {
        let is_told = lines.len() > before && lines.last().is_some_and(|line| line["user"] == "reader");
        is_told.then(|| lines.to_vec())
    };
    let lines = log.once("the last line", last).await.split_off(before);
    let told = |line: &Value| ["call", "keys", "code", "revision"].map(|name| line[name].clone());
    for (line, wanted) in lines.iter().zip(&wanted) {
        assert_eq!(told(line), *wanted, "{line}");
        assert_eq!((&line["user"], &line["from"]), (&json!("root"), &json!("127.0.0.1")), "{line}");
    }
    assert_eq!(lines.len(), wanted.len() + 2, "{lines:#?}");
    let refused = lines.last().unwrap();
    assert_eq!(
        told(refused),
        [json!("PUT /v3/keys/k/1"), json!([{ "key": "k/1" }]), json!("PermissionDenied"), Value::Null]
    );
    assert_eq!(lines[14]["about"], json!({ "lease": "ff", "ttl": 60 }));
    let text = log.text();
    for secret in [CANARY, &*root, &*reader] {
        assert!(!text.contains(secret), "{secret}");
    }
}

/// What authentication is turned to, who tries to be somebody, and what is for root alone beside the API.
#[tokio::test]
async fn what_concerns_everybody_has_its_lines() {
    let (realm, log) = Log::realm().await;
    let (root, reader) = (realm.token("root").await, realm.token("reader").await);
    let guess = "Basic cmVhZGVyOndyb25n";
    let (get, put) = (Method::GET, Method::PUT);
    let (on, off) = (r#"{"enabled":true}"#, r#"{"enabled":false}"#);
    let rows = [
        (&get, "/v3/keys/a", guess, "", "GET /v3/keys/a", "reader", "Unauthenticated", Value::Null),
        (&get, "/debug/log", &*reader, "", "GET /debug/log", "reader", "PermissionDenied", Value::Null),
        (&put, "/debug/log", &*root, r#"{"level":"warn"}"#, "PUT /debug/log", "root", "OK", Value::Null),
        (&get, "/debug/vars", &*root, "", "GET /debug/vars", "root", "OK", Value::Null),
        (&put, "/v3/authentication", &*root, on, "PUT /v3/authentication", "root", "OK", json!({ "enabled": true })),
        (&put, "/v3/authentication", &*root, off, "PUT /v3/authentication", "root", "OK", json!({ "enabled": false })),
    ];
    for (method, path, authorization, body, ..) in &rows {
        realm.http.send((*method).clone(), path, &[("authorization", *authorization)], *body).await;
    }
    let told = |line: &Value| ["call", "user", "code", "about"].map(|name| line[name].clone());
    for (.., call, user, code, about) in rows {
        let wanted = [json!(call), json!(user), json!(code), about];
        let found = |lines: &[Value]| lines.iter().any(|line| told(line) == wanted).then_some(());
        log.once(&format!("{wanted:?}"), found).await;
    }
    // Nobody is asked who he is any more, so nobody is who he says.
    realm.http.send(get, "/v3/keys/nobody", &[("authorization", guess)], "").await;
    let last = |lines: &[Value]| lines.iter().find(|line| line["call"] == "GET /v3/keys/nobody").cloned();
    assert_eq!(log.once("the last line", last).await["user"], Value::Null);
    assert!(!log.text().contains("wrong"));
}
