//! Forms of input that the gateway takes, and those it refuses.

use http::Method;
use keyport_tests::http::{b64, unb64};
use keyport_tests::{Flavor, Server};
use serde_json::json;

/// A field that there is not is passed over, as etcd does it. Where the request is refused then it is told beside etcd's words.
#[tokio::test]
async fn what_was_passed_over_is_told_of_a_refusal() {
    if Flavor::under_test() != Flavor::Keyport {
        return; // says nothing of it
    }
    let server = Server::start();
    let http = server.http();
    let body = r#"{"kee":"Zm9v","value":"YmFy","deep":{"inner":1},"txn":[]}"#;
    let answer = http.post("/v3/kv/put", body).await;
    let violations: Vec<_> = ["kee", "deep", "txn"]
        .map(|field| json!({ "field": field, "description": "there is no such field, so it was passed over" }))
        .into();
    let details = json!([{ "@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations }]);
    let message = "etcdserver: key is not provided";
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json(), json!({ "error": message, "code": 3, "message": message, "details": details }));

    assert_eq!(http.post("/v3/kv/put", "{}").await.json(), json!({ "error": message, "code": 3, "message": message }));
    let inside = r#"{"success":[{"request_put":{"kee":"Zm9v"}}]}"#;
    let answer = http.post("/v3/kv/txn", inside).await.json();
    assert_eq!(answer["details"][0]["fieldViolations"][0]["field"], "kee", "{answer}");
    // Bounded, whatever is sent; and nothing is said of what went well.
    let many: Vec<_> = (0..100).map(|n| format!("\"{}{n}\":1", "f".repeat(n))).collect();
    let answer = http.post("/v3/kv/put", format!("{{{}}}", many.join(","))).await.json();
    assert_eq!(answer["details"][0]["fieldViolations"].as_array().unwrap().len(), 8);
    let answer = http.call("/v3/kv/put", json!({ "key": b64("k"), "kee": 1 })).await;
    assert!(answer.get("details").is_none(), "{answer}");
    // What cannot be done for another reason is not for that.
    let answer = http.post("/v3/lease/revoke", r#"{"ID":"77","kee":1}"#).await.json();
    assert_eq!((&answer["code"], answer.get("details")), (&json!(5), None), "{answer}");
}

#[tokio::test]
async fn names_numbers_and_base64() {
    let server = Server::start();
    let http = server.http();
    http.call("/v3/kv/put", json!({ "key": b64("k?>"), "value": b64("v") })).await;
    let all = !server.older_than("3.6");
    let bodies = [
        (r#"{"key":"az8+"}"#, true),
        (r#"{"key":"az8-"}"#, all), // the alphabet of URLs
        (r#"{"key":"az8+","rangeEnd":"","sortOrder":"NONE","sort_target":"KEY"}"#, true),
        (r#"{"key":"az8+","limit":5}"#, true),
        (r#"{"key":"az8+","limit":"5"}"#, true),
        (r#"{"key":"az8+","limit":5e0}"#, all),
        (r#"{"key":"az8+","limit":"5e0"}"#, all),
        (r#"{"key":"az8+","limit":5.0}"#, all),
        (r#"{"key":"az8+","sort_order":1}"#, true),
        (r#"{"key":"az8+","limit":null,"range_end":null}"#, true),
        (r#"{"key":"az8+","unknown":{"deep":[1,2]}}"#, true),
        ("  {\"key\":\"az8+\"}\n\n{\"key\":\"garbage\"", true),
    ];
    for (body, takes) in bodies {
        if takes {
            let answer = http.post("/v3/kv/range", body).await;
            assert_eq!(answer.status, 200, "{body}: {}", answer.text());
            assert_eq!(answer.json()["count"], "1", "{body}");
        }
    }
    // Unpadded
    http.call("/v3/kv/put", json!({ "key": b64("kk"), "value": b64("v") })).await;
    if all {
        assert_eq!(http.call("/v3/kv/range", json!({ "key": "a2s" })).await["count"], "1");
    }
}

/// Whether base64 is padded is decided by its length with the line breaks in it, as Go's decoder has it: a padded one is
/// refused if it has a line break too many, others may have some.
#[tokio::test]
async fn line_breaks_in_base64() {
    let server = Server::start();
    if server.older_than("3.6") {
        return; // another decoder
    }
    let http = server.http();
    for value in ["YQ==\n", "YQ\n==", "YQ=\n=", "YQ=\n\n=", "YQ\r\n", "YWJjZA=\n", "YQ== ", " YQ==", "YQ==\t", "-_8=\n"]
    {
        let body = json!({ "key": b64("k"), "value": value });
        let answer = http.send(Method::POST, "/v3/kv/put", &[], body.to_string()).await;
        assert_eq!(answer.status, 400, "{value:?}");
        let text = format!("invalid value for bytes field value: {}", json!(value));
        assert!(answer.json()["message"].as_str().unwrap().ends_with(&text), "{}", answer.text());
    }
    for (value, meaning) in [
        ("YWJj\n", "abc"),
        ("YW\nJj", "abc"),
        ("YWJj\r\nZGVm\r\n", "abcdef"),
        ("YQ\n", "a"),
        ("YQ==\n\n\n\n", "a"),
        ("Y\nQ=\n=\n\n", "a"),
        ("\n", ""),
    ] {
        http.call("/v3/kv/put", json!({ "key": b64("k"), "value": value })).await;
        let answer = http.call("/v3/kv/range", json!({ "key": b64("k") })).await;
        assert_eq!(unb64(&answer["kvs"][0]["value"]), meaning.as_bytes(), "{value:?}");
    }
}

#[tokio::test]
async fn any_content_type_and_no_body() {
    let server = Server::start();
    let http = server.http();
    for headers in
        [&[][..], &[("content-type", "application/x-www-form-urlencoded")], &[("content-type", "text/plain")]]
    {
        let answer = http.send(Method::POST, "/v3/lease/leases", headers, "").await;
        assert_eq!(answer.status, 200);
        let answer = http.send(Method::POST, "/v3/kv/put", headers, r#"{"key":"YQ=="}"#).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(http.post("/v3beta/kv/range", r#"{"key":"YQ=="}"#).await.json()["count"], "1");
}

#[tokio::test]
async fn lease_ids_keep_all_their_bits() {
    let server = Server::start();
    let http = server.http();
    for id in ["9223372036854775807", "-9223372036854775808", "9007199254740993"] {
        let answer = http.post("/v3/lease/grant", format!(r#"{{"ID":{id},"TTL":100}}"#)).await.json();
        assert_eq!(answer["ID"], id);
    }
    let answer = http.post("/v3/lease/grant", r#"{"ID":9223372036854775808,"TTL":100}"#).await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn what_is_refused() {
    let server = Server::start();
    let http = server.http();
    for body in [
        "{",
        "[]",
        "\"x\"",
        "{\"key\":}",
        "{\"key\":\"YQ==\"",
        "{\"key\":\"***\"}",
        "{\"key\":5}",
        "{\"key\":\"YQ==\",\"limit\":\"x\"}",
        "{\"key\":\"YQ==\",\"limit\":1.5}",
        "{\"key\":\"YQ==\",\"serializable\":\"true\"}",
        "{\"key\":\"YQ==\",\"serializable\":1}",
        "nonsense",
        "\u{0}",
        "{\"key\":\"a\u{7}\"}",
    ] {
        let (status, error) = http.refused("/v3/kv/range", body).await;
        assert_eq!((status, &error["code"]), (400, &3.into()), "{body}: {error}");
        assert!(error["message"].as_str().is_some_and(|m| !m.is_empty()), "{body}");
        if !server.is_etcd() {
            assert_eq!(error["error"], error["message"]);
        }
    }
    if !server.older_than("3.6") {
        for body in [r#"{"key":"YQ==","key":"YQ=="}"#, r#"{"range_end":"YQ==","rangeEnd":"YQ==","key":"YQ=="}"#] {
            assert_eq!(http.refused("/v3/kv/range", body).await.0, 400, "{body}");
        }
        let two = r#"{"success":[{"request_put":{"key":"YQ=="},"request_range":{"key":"YQ=="}}]}"#;
        assert_eq!(http.refused("/v3/kv/txn", two).await.0, 400);
    }
}

#[tokio::test]
async fn unknown_names_of_enumerations() {
    let server = Server::start();
    if server.older_than("3.6") {
        return; // refused there
    }
    let http = server.http();
    let answer = http.call("/v3/kv/range", json!({ "key": "YQ==", "sort_order": "SIDEWAYS" })).await;
    assert!(answer["header"].is_object());
    let (status, error) = http.refused("/v3/kv/range", r#"{"key":"YQ==","sort_order":9}"#).await;
    assert_eq!((status, error["message"].as_str()), (400, Some("etcdserver: invalid sort option")));
}

#[tokio::test]
async fn sizes() {
    let server = Server::start();
    let http = server.http();
    let (status, error) =
        http.refused("/v3/kv/put", json!({ "key": "aw==", "value": b64("x".repeat(1_600_000)) }).to_string()).await;
    assert_eq!((status, error["message"].as_str()), (400, Some("etcdserver: request is too large")));
    let answer =
        http.post("/v3/kv/put", json!({ "key": "aw==", "value": b64("x".repeat(3_000_000)) }).to_string()).await;
    assert!([413, 429].contains(&answer.status.as_u16()), "{}", answer.status);
    // Answers have no limit.
    for i in 0..4 {
        http.call("/v3/kv/put", json!({ "key": b64(format!("k{i}")), "value": b64("x".repeat(1_200_000)) })).await;
    }
    let answer = http.call("/v3/kv/range", json!({ "key": b64("k"), "range_end": b64("l") })).await;
    assert_eq!(unb64(&answer["kvs"][3]["value"]).len(), 1_200_000);
}

#[tokio::test]
async fn deadlines() {
    let server = Server::start();
    let http = server.http();
    let headers = [("grpc-timeout", "50m")];
    // A lock that somebody else has keeps the call waiting.
    let mut c = server.grpc().await;
    let lease = c.grant(100).await;
    c.lock.lock(keyport_api::v3lockpb::LockRequest { name: "l".into(), lease }).await.unwrap();
    let answer = http.send(Method::POST, "/v3/lock/lock", &headers, r#"{"name":"bA=="}"#).await;
    if !server.older_than("3.6") {
        assert_eq!(
            (answer.status.as_u16(), answer.json()["message"].as_str().unwrap()),
            (504, "context deadline exceeded")
        );
    }
    let answer = http.send(Method::POST, "/v3/kv/range", &[("grpc-timeout", "soon")], r#"{"key":"bA=="}"#).await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn both_versions_of_http() {
    let server = Server::start();
    if server.is_etcd() {
        return; // takes all of HTTP/2 for gRPC
    }
    let http = server.http2();
    http.call("/v3/kv/put", json!({ "key": "aw==", "value": "dg==" })).await;
    assert_eq!(http.call("/v3/kv/range", json!({ "key": "aw==" })).await["kvs"][0]["value"], "dg==");
    assert_eq!(http.get("/health").await.status, 200);
    let mut watch = http.stream("/v3/watch", r#"{"create_request":{"key":"aw==","start_revision":2}}"#).await;
    assert_eq!(watch.json().await["result"]["created"], true);
    assert_eq!(watch.json().await["result"]["events"][0]["kv"]["value"], "dg==");
}

#[tokio::test]
async fn authorization_is_ignored_while_there_is_none() {
    let server = Server::start();
    if server.older_than("3.6") {
        return; // looks at it all the same
    }
    let http = server.http();
    for value in ["token", "Bearer token", "Basic dTpw"] {
        let answer = http.send(Method::POST, "/v3/kv/range", &[("authorization", value)], r#"{"key":"YQ=="}"#).await;
        assert_eq!(answer.status, 200, "{value}");
    }
}
