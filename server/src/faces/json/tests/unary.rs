use std::fmt::Write as _;
use std::path::Path;

use keyport_api::error::Error;
use keyport_api::v3lockpb::LockRequest;
use keyport_openapi::endpoints::{Endpoint, Resource};
use serde_json::{Value, json};

use super::{Member, Raw, base64, grant, options, start};
use crate::calls::Caller;

#[tokio::test]
async fn the_golden_file_holds() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/faces/json/tests/golden.txt");
    let golden = std::fs::read_to_string(&path).unwrap();
    let (member, mut raw) = start().await;
    grant(&member, &[9_007_199_254_740_993]).await;
    let mut actual = String::new();
    for case in golden.split("\n\n").map(str::trim_end).filter(|case| !case.is_empty()) {
        let mut request = case.lines().take_while(|line| !line.starts_with('<'));
        let (title, line) = (request.next().unwrap(), request.next().unwrap());
        let (method, target) = line.split_once(' ').unwrap();
        let body = request.collect::<Vec<_>>().join("\n");
        raw.request(method, target, "", &body).await;
        let head = raw.head().await;
        let answer = String::from_utf8(raw.body(&head).await).unwrap();
        let body = if body.is_empty() { body } else { format!("{body}\n") };
        writeln!(actual, "{title}\n{line}\n{body}< {}\n< {answer}\n", head.status).unwrap();
    }
    if std::env::var_os("KEYPORT_REGENERATE").is_some() {
        std::fs::write(&path, &actual).unwrap();
        return;
    }
    assert_eq!(actual, golden, "KEYPORT_REGENERATE=1 rewrites the file");
}

#[tokio::test]
async fn every_route_answers_under_every_prefix() {
    let (_member, mut raw) = start().await;
    for route in keyport_api::routes::ROUTES.iter().filter(|route| !route.method.info().kind.server_streams()) {
        for prefix in ["/v3/", "/v3beta/", "/v3alpha/"] {
            let path = format!("{prefix}{}", route.path.strip_prefix("/v3/").unwrap());
            // What waits for others is not waited for.
            let (head, body) = raw.call("POST", &path, "grpc-timeout: 100m\r\n", "").await;
            assert!(head.status != 405 && body["message"] != "Not Found", "{path}: {body}");
        }
    }
}

#[tokio::test]
async fn unknown_paths_and_other_methods_are_told_apart() {
    let (_member, mut raw) = start().await;
    for path in ["/v3/kv/rang", "/v3/kv/range/", "/v3alpha/kv", "/v3/kv/RANGE"] {
        let (head, body) = raw.post(path, "{}").await;
        assert_eq!(head.status, 404, "{path}");
        let message = "Not Found: no such path; /v3/ lists them, /docs describes them";
        assert_eq!(body, json!({"error": message, "code": 5, "message": message}));
    }
    for (method, path) in [("GET", "/v3/kv/range"), ("PUT", "/v3/lease/keepalive"), ("DELETE", "/v3/kv/put")] {
        let (head, body) = raw.call(method, path, "", "").await;
        assert_eq!((head.status, head.header("allow")), (405, Some("POST")), "{method} {path}");
        assert_eq!(body["code"], 12);
    }
    raw.request("HEAD", "/v3/kv/range", "", "").await;
    assert_eq!(raw.head().await.status, 405);
    let (head, body) = raw.post("/v3/", "{}").await;
    assert_eq!((head.status, head.header("allow")), (405, Some("GET, HEAD")), "{body}");
    for path in ["/v3/", "/v3beta/"] {
        let (head, body) = raw.call("GET", path, "", "").await;
        assert_eq!((head.status, &body["docs"]), (200, &json!("/docs")), "{path}");
        assert!(body["paths"].as_array().unwrap().contains(&json!("/v3/kv/range")), "{body}");
    }
    assert_eq!(raw.post("/v3/kv/range", "{\"key\":\"AA==\"}").await.0.status, 200, "and the connection goes on");
}

#[tokio::test]
async fn resources_answer_as_the_document_says() {
    // Logins need users, and what there is to be found or changed has tests of its own.
    let alone = |resource: &&Resource| {
        let Endpoint { path, body, .. } = resource.info();
        body.is_empty() && ["/v3/", "/v3/session", "/v3/snapshot", "/v3/watch"].contains(path)
    };
    for resource in Resource::ALL.iter().filter(alone) {
        let (_member, mut raw) = start().await;
        let Endpoint { path, verb, answers, parameters, .. } = resource.info();
        // The others take none.
        let query = if parameters.iter().any(|parameter| parameter.name == "key") { "?key=k" } else { "" };
        raw.request(verb.methods()[0], &format!("{path}{query}"), "", "").await;
        let head = raw.head().await;
        let ok = answers.iter().find(|answer| answer.status == head.status).unwrap();
        let content_type = head.header("content-type");
        let described = ok.contents.iter().any(|content| Some(content.media_type) == content_type);
        assert!(described || (ok.contents.is_empty() && content_type.is_none()), "{path}");
        assert!(ok.headers.iter().all(|name| head.header(&name.to_ascii_lowercase()).is_some()), "{path}");
    }
}

#[tokio::test]
async fn what_clients_send_is_taken_as_it_is() {
    let (member, mut raw) = start().await;
    for headers in
        ["", "content-type: application/x-www-form-urlencoded\r\n", "content-type: nonsense\r\naccept: text/xml\r\n"]
    {
        for body in ["{}", "", " \n ", "{} trailing", "{}{\"key\":1}", "{\"php-etcd-client\":1}"] {
            let (head, answer) = raw.call("POST", "/v3/lease/leases?ignored=1", headers, body).await;
            assert_eq!(head.status, 200, "{body:?}: {answer}");
            assert_eq!(head.header("content-type"), Some("application/json"));
            assert_eq!(answer["header"]["revision"], "1");
            assert_eq!(answer.as_object().unwrap().len(), 1, "zero values are left out");
        }
    }
    member.commit(&[(b"foo", Some(b"bar"))]).await;
    raw.begin("/v3/kv/put").await;
    for part in ["{\"ke", "y\":\"Zm9v\",", "\"prev_kv\":true}"] {
        raw.send_chunk(part).await;
    }
    raw.send_chunk("").await;
    let head = raw.head().await;
    let answer: Value = serde_json::from_slice(&raw.body(&head).await).unwrap();
    assert_eq!(answer["prev_kv"]["key"], "Zm9v");
}

#[tokio::test]
async fn errors_carry_status_code_and_both_texts() {
    let (member, mut raw) = start().await;
    for (error, status, code) in [
        (Error::EmptyKey, 400, 3),
        (Error::PermissionDenied, 403, 7),
        (Error::LeaseNotFound, 404, 5),
        (Error::RequestTooManyRequests, 429, 8),
        (Error::Canceled, 499, 1),
        (Error::NoLeader, 503, 14),
        (Error::Corrupt, 500, 15),
    ] {
        member.admissions.refuse(Some(error));
        let (head, body) = raw.post("/v3/kv/range", "{\"key\":\"AA==\"}").await;
        assert_eq!(head.status, status);
        assert_eq!(head.header("www-authenticate"), None);
        let text = error.to_string();
        assert_eq!(body, json!({"error": text, "code": code, "message": text}));
    }
    member.admissions.refuse(Some(Error::InvalidAuthToken));
    let (head, _) = raw.post("/v3/kv/range", "{\"key\":\"AA==\"}").await;
    assert_eq!(head.status, 401);
    assert_eq!(head.header("www-authenticate"), Some("Bearer realm=\"keyport\", error=\"invalid_token\""));
}

#[tokio::test]
async fn a_deadline_is_kept_and_a_malformed_one_refused() {
    let (member, mut raw) = start().await;
    let held = LockRequest { name: "held".into(), lease: 0 };
    member.calls.lock.lock(&Caller::internal("a test"), held).await.unwrap();
    let slow = format!("{{\"name\":\"{}\"}}", base64("held"));
    let (head, body) = raw.call("POST", "/v3/lock/lock", "grpc-timeout: 50m\r\n", &slow).await;
    assert_eq!(head.status, 504);
    assert_eq!(body["message"], "context deadline exceeded");
    let (head, _) = raw.call("POST", "/v3/lock/lock", "grpc-timeout: 5\r\n", &slow).await;
    assert_eq!(head.status, 400);
    // What is refused before its body is read may cost the connection.
    let mut raw = Raw::open(member.serve(options())).await;
    let (head, _) = raw.call("POST", "/v3/kv/range", "grpc-timeout: 1H\r\n", "{\"key\":\"AA==\"}").await;
    assert_eq!(head.status, 200);
}

#[tokio::test]
async fn sizes_are_judged_before_and_after_decoding() {
    let (_member, mut raw) = start().await;
    let put = |bytes: usize| format!("{{\"key\":\"aw==\",\"value\":\"{}\"}}", base64("x".repeat(bytes)));
    assert_eq!(raw.post("/v3/kv/put", put(60_000)).await.0.status, 200, "the text is longer than the limit");
    let (head, body) = raw.post("/v3/kv/put", put(66_000)).await;
    assert_eq!((head.status, &body["code"]), (413, &json!(8)));
    assert_eq!(body["message"], "grpc: received message larger than max (66007 vs. 65536)");

    // Declared and not sent: it is not waited for.
    raw.send("POST /v3/kv/put HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000000\r\n\r\n").await;
    let head = raw.head().await;
    assert_eq!(head.status, 413);
    let declared: Value = serde_json::from_slice(&raw.body(&head).await).unwrap();
    assert_eq!(declared["code"], 8);

    let (_member, mut raw) = start().await;
    raw.begin("/v3/kv/put").await;
    for _ in 0..4 {
        raw.send_chunk(vec![b' '; 60_000]).await;
    }
    let head = raw.head().await;
    let body: Value = serde_json::from_slice(&raw.body(&head).await).unwrap();
    assert_eq!((head.status, body), (413, declared), "it makes no difference how it comes");
}

#[tokio::test]
async fn a_refused_stream_says_the_status_that_it_has() {
    let (_member, mut raw) = start().await;
    raw.send("POST /v3/maintenance/snapshot HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000000\r\n\r\n").await;
    let head = raw.head().await;
    let body: Value = serde_json::from_slice(&raw.body(&head).await).unwrap();
    let error = &body["error"];
    assert_eq!((head.status, &error["http_code"], &error["grpc_code"]), (413, &json!(413), &json!(8)), "{body}");
    assert_eq!(error["http_status"], "Payload Too Large");
}

#[tokio::test]
async fn a_large_answer_comes_in_pieces() {
    let (member, mut raw) = start().await;
    for round in 0..10 {
        let keys: Vec<String> = (0..100).map(|key| format!("{round}/{key:02}")).collect();
        let changes: Vec<_> = keys.iter().map(|key| (key.as_bytes(), Some(&[0xAB; 8192][..]))).collect();
        member.commit(&changes).await;
    }
    let (head, answer) = raw.post("/v3/kv/range", "{\"key\":\"AA==\",\"range_end\":\"AA==\"}").await;
    assert_eq!((head.status, head.header("transfer-encoding")), (200, Some("chunked")));
    let kvs = answer["kvs"].as_array().unwrap();
    assert_eq!(kvs.len(), 1000);
    assert!(kvs.iter().all(|kv| kv["value"] == base64([0xAB; 8192])));
}

/// What of it changes from run to run is told by its kind.
#[tokio::test]
async fn numbers_of_32_bits_are_numbers_and_those_of_64_are_text() {
    let (_member, mut raw) = start().await;
    let (head, status) = raw.post("/v3/maintenance/status", "{}").await;
    assert_eq!((head.status, &status["version"]), (200, &json!(crate::version::ETCD_SERVER)));
    assert!(status["dbSize"].as_str().unwrap().parse::<i64>().unwrap() > 0);
    assert_eq!(status["downgradeInfo"], json!({}), "an empty message is there");
    assert_eq!((status.get("isLearner"), status.get("errors")), (None, None), "what is zero is not");
    let (head, hash) = raw.post("/v3/maintenance/hash", "{}").await;
    assert_eq!((head.status, hash["hash"].is_u64()), (200, true), "{hash}");
}

#[tokio::test]
async fn nonsense_gets_an_error_and_the_connection_survives() {
    let (_member, mut raw) = start().await;
    for body in
        ["{", "nonsense", "[]", "\"x\"", "null", "{\"key\":1}", "{\"key\":\"%\"}", "{\"limit\":\"abc\"}", "\u{0}"]
    {
        let (head, answer) = raw.post("/v3/kv/range", body).await;
        assert_eq!((head.status, &answer["code"]), (400, &json!(3)), "{body}: {answer}");
        assert!(!answer["message"].as_str().unwrap().is_empty());
    }
    let deep = "{\"compare\":".repeat(100_000);
    assert_eq!(raw.post("/v3/kv/txn", &deep.as_bytes()[..100_000]).await.0.status, 400);
    assert_eq!(raw.post("/v3/kv/range", b"\xff\xfe").await.0.status, 400);
    assert_eq!(raw.post("/v3/kv/range", "{\"key\":\"AA==\"}").await.0.status, 200);
}

#[tokio::test]
async fn cleartext_http2_is_served_alike() {
    use http_body_util::{BodyExt, Full};
    let member = Member::start().await;
    let address = member.serve(options());
    let socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(
        hyper_util::rt::TokioExecutor::new(),
        hyper_util::rt::TokioIo::new(socket),
    )
    .await
    .unwrap();
    tokio::spawn(connection);
    let request = http::Request::post(format!("http://{address}/v3/lease/leases"));
    let answer = sender.send_request(request.body(Full::new(bytes::Bytes::new())).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
    let body: Value = serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap();
    assert_eq!(body["header"]["revision"], "1");
    let _ = Raw::open(address).await;
}
