//! Health, readiness, version, metrics: what monitoring and load balancers ask.

use http::Method;
use keyport_api::health::health_check_response::ServingStatus;
use keyport_api::health::health_client::HealthClient;
use keyport_api::health::{HealthCheckRequest, HealthCheckResponse, HealthListRequest};
use keyport_tests::Server;
use keyport_tests::http::Http;
use keyport_tests::wait::within;
use serde_json::json;
use tonic::Code;

#[tokio::test]
async fn health() {
    let server = Server::start();
    let http = server.http();
    let answer = http.get("/health").await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({ "health": "true", "reason": "" })));
    assert_eq!(http.get("/health?serializable=true&exclude=NOSPACE&exclude=CORRUPT").await.status, 200);
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let answer = http.send(method, "/health", &[], "").await;
        assert_eq!((answer.status.as_u16(), answer.header("allow").contains("GET")), (405, true));
    }
}

/// gRPC's own checks: the server as a whole is the one service there is.
#[tokio::test]
async fn health_over_grpc() {
    let server = Server::start();
    let mut health = HealthClient::new(server.grpc().await.channel);
    let of = |service: &str| HealthCheckRequest { service: service.to_owned() };
    let serving = HealthCheckResponse { status: ServingStatus::Serving.into() };

    assert_eq!(within("check", health.check(of(""))).await.expect("check").into_inner(), serving);
    let refused = within("check", health.check(of("etcdserverpb.KV"))).await.expect_err("there is none");
    assert_eq!((refused.code(), refused.message()), (Code::NotFound, "unknown service"));

    let mut changes = within("watch", health.watch(of(""))).await.expect("watch").into_inner();
    assert_eq!(within("the state", changes.message()).await.expect("a state"), Some(serving));
    let mut unknown = within("watch", health.watch(of("etcdserverpb.KV"))).await.expect("watch").into_inner();
    let state = within("the state", unknown.message()).await.expect("a state").expect("not the end");
    assert_eq!(state.status(), ServingStatus::ServiceUnknown);

    if !server.older_than("3.7") {
        let all = within("list", health.list(HealthListRequest {})).await.expect("list").into_inner().statuses;
        assert_eq!(all, [(String::new(), serving)].into());
    }
}

#[tokio::test]
async fn live_and_ready() {
    let server = Server::start();
    if server.older_than("3.6") {
        return; // has neither
    }
    let http = server.http();
    let checks = [
        ("/livez", vec!["serializable_read"]),
        ("/readyz", vec!["data_corruption", "serializable_read", "linearizable_read", "non_learner"]),
    ];
    for (path, names) in checks {
        let answer = http.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, "ok\n"));
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        let mut verbose: Vec<String> =
            http.get(&format!("{path}?verbose")).await.text().lines().map(String::from).collect();
        assert_eq!(verbose.pop().as_deref(), Some("ok"));
        verbose.sort();
        let mut want: Vec<String> = names.iter().map(|n| format!("[+]{n} ok")).collect();
        want.sort();
        assert_eq!(verbose, want);
        for name in &names {
            assert_eq!(http.get(&format!("{path}/{name}")).await.status, 200, "{path}/{name}");
        }
        assert_eq!(http.get(&format!("{path}/nonsense")).await.status, 404);
        let without = http.get(&format!("{path}?verbose&exclude={}", names[0])).await;
        assert_eq!(without.status, 200);
        assert!(!without.text().contains(&format!("[+]{} ok", names[0])));
        assert_eq!(http.send(Method::POST, path, &[], "").await.status, 405);
    }
}

/// Clients take every part for a number.
#[tokio::test]
async fn version() {
    let server = Server::start();
    let answer = server.http().get("/version").await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/json"));
    let version = answer.json();
    for name in ["etcdserver", "etcdcluster"] {
        let text = version[name].as_str().unwrap();
        assert!(text.split('.').count() == 3 && text.split('.').all(|part| part.parse::<u32>().is_ok()), "{version}");
    }
    assert_eq!(version.get("keyport").is_some(), !server.is_etcd());
    assert_eq!(server.http().send(Method::POST, "/version", &[], "").await.status, 405);
}

#[tokio::test]
async fn metrics() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let http = server.http();
    for i in 0..10 {
        c.put("k", &i.to_string()).await;
    }
    let mut watch = c.watch();
    watch.create(keyport_tests::grpc::watch("k")).await;
    http.call("/v3/kv/range", json!({ "key": "aw==" })).await;
    // A hash is of what is on disk, so that the database has committed by then.
    http.call("/v3/maintenance/hash", json!({})).await;
    let answer = http.get("/metrics").await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").starts_with("text/plain; version=0.0.4"), "{:?}", answer.headers);
    let text = answer.text();
    let value = |name: &str| -> Option<f64> {
        text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    };
    for (name, want) in [
        ("etcd_server_has_leader", 1.0),
        ("etcd_server_is_leader", 1.0),
        ("etcd_mvcc_put_total", 10.0),
        ("etcd_debugging_mvcc_keys_total", 1.0),
        ("etcd_debugging_mvcc_watcher_total", 1.0),
        ("etcd_debugging_mvcc_current_revision", 11.0),
        ("etcd_server_proposals_pending", 0.0),
        ("etcd_server_quota_backend_bytes", 2147483648.0),
    ] {
        assert_eq!(value(name), Some(want), "{name}");
    }
    for name in [
        "etcd_server_proposals_committed_total",
        "etcd_server_proposals_applied_total",
        "etcd_mvcc_db_total_size_in_bytes",
        "etcd_mvcc_db_total_size_in_use_in_bytes",
        "etcd_disk_wal_fsync_duration_seconds_count",
        "etcd_disk_backend_commit_duration_seconds_count",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_cpu_seconds_total",
    ] {
        assert!(value(name).is_some_and(|v| v > 0.0), "{name}: {:?}", value(name));
    }
    let handled = text.lines().find(|l| {
        l.starts_with("grpc_server_handled_total{")
            && l.contains("grpc_method=\"Put\"")
            && l.contains("grpc_code=\"OK\"")
    });
    assert!(handled.is_some_and(|l| l.ends_with(" 10")), "{handled:?}");
}

#[tokio::test]
async fn elsewhere() {
    let server = Server::builder().args(["--cors=*"]).start();
    let http = server.http();
    for path in ["/nonsense", "/v2/keys", "/members", "/v3/nonsense"] {
        assert_eq!(http.get(path).await.status, 404, "{path}");
    }
    let answer = http.send(Method::OPTIONS, "/v3/kv/put", &[("origin", "http://example.com")], "").await;
    assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (200, "*"));
    let answer = http.get("/debug/vars").await;
    assert_eq!(answer.status, 200);
    assert!(answer.json()["raft.status"]["id"].is_string(), "{}", answer.text());
    assert_eq!(http.get("/debug/pprof/").await.status, 404, "only if asked for");
}

#[tokio::test]
async fn listeners_of_their_own() {
    let port = keyport_tests::server::free_port();
    let server = Server::builder().args([format!("--listen-metrics-urls=http://127.0.0.1:{port}")]).start();
    let http = keyport_tests::http::Http::new((std::net::Ipv4Addr::LOCALHOST, port).into());
    assert_eq!(http.get("/health").await.status, 200);
    assert_eq!(http.get("/metrics").await.status, 200);
    assert_eq!(http.get("/version").await.status, 404);
    assert_eq!(http.post("/v3/kv/range", "{}").await.status, 404);
    drop(server);
}

#[tokio::test]
async fn origins() {
    let server = Server::builder().args(["--cors=http://good.example:80"]).start();
    let http = server.http();
    let good = http.send(Method::GET, "/version", &[("origin", "http://good.example:80")], "").await;
    assert_eq!(good.header("access-control-allow-origin"), "http://good.example:80");
    if !server.is_etcd() {
        // As browsers say it.
        let good = http.send(Method::GET, "/version", &[("origin", "http://good.example")], "").await;
        assert_eq!(good.header("access-control-allow-origin"), "http://good.example");
    }
    let bad = http.send(Method::GET, "/version", &[("origin", "http://bad.example:80")], "").await;
    assert_eq!(bad.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn documents() {
    let server = Server::start();
    if server.is_etcd() {
        return; // has none
    }
    let http = server.http();
    let openapi = http.get("/openapi.json").await;
    assert_eq!(openapi.status, 200);
    let openapi = openapi.json();
    assert!(openapi["openapi"].as_str().unwrap().starts_with("3.1"));
    for path in ["/v3/kv/put", "/v3/watch", "/v3/lease/grant", "/health", "/metrics"] {
        assert!(openapi["paths"].get(path).is_some(), "{path}");
    }
    // The explorer is a screen of the console; without one, a page says where the documents are.
    let docs = http.get("/docs").await;
    assert_eq!((docs.status.as_u16(), docs.header("location")), (307, "ui/#/explorer"));
    let without = Server::builder().args(["--console=off"]).start();
    let docs = without.http().get("/docs").await;
    assert!(docs.status == 200 && docs.header("content-type").starts_with("text/html"));
    assert!(docs.text().contains("openapi.json") && !docs.text().contains("https://"), "{}", docs.text());
    // Nothing that somebody gets into the page is run, and no other page shows this one.
    let policy = docs.header("content-security-policy");
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(docs.header("x-content-type-options"), "nosniff");
}

/// Who has a document already is told so, in whichever form it came.
#[tokio::test]
async fn documents_are_sent_once() {
    let server = Server::start();
    if server.is_etcd() {
        return; // has none
    }
    for http in [server.http(), Http::h2c(server.addr())] {
        for path in ["/openapi.json", "/openapi-3.0.json"] {
            let mut tags = Vec::new();
            for encoding in ["identity", "gzip", "zstd"] {
                let accept = ("accept-encoding", encoding);
                let whole = http.send(Method::GET, path, &[accept], "").await;
                let tag = whole.header("etag").to_owned();
                assert!(tag.len() > 20 && tag.starts_with('"') && tag.ends_with('"'), "strong: {tag}");
                let packed = if encoding == "identity" { "" } else { encoding };
                assert_eq!(whole.header("content-encoding"), packed, "{path}");
                assert!(whole.header("vary").contains("accept-encoding"), "{path}");
                let again = http.send(Method::GET, path, &[accept], "").await;
                assert_eq!((again.header("etag"), &again.body), (tag.as_str(), &whole.body));

                let head = http.send(Method::HEAD, path, &[accept], "").await;
                assert_eq!((head.status.as_u16(), head.header("etag"), head.body.len()), (200, tag.as_str(), 0));
                let list = format!("\"other\", W/{tag}");
                for known in [tag.as_str(), &list, "*"] {
                    for method in [Method::GET, Method::HEAD] {
                        let answer = http.send(method, path, &[accept, ("if-none-match", known)], "").await;
                        assert_eq!((answer.status.as_u16(), answer.body.len()), (304, 0), "{path}: {known}");
                        assert_eq!(answer.header("cache-control"), whole.header("cache-control"));
                        assert_eq!(answer.header("vary"), whole.header("vary"));
                        assert!(known == "*" || answer.header("etag") == tag, "{path}: {known}");
                    }
                }
                let other = http.send(Method::GET, path, &[accept, ("if-none-match", "\"other\"")], "").await;
                assert_eq!((other.status.as_u16(), other.body), (200, whole.body));
                tags.push(tag);
            }
            tags.dedup();
            assert_eq!(tags.len(), 3, "a strong tag is one form's");
            let plain = http.get(path).await;
            let packed = http.send(Method::GET, path, &[("accept-encoding", "zstd")], "").await;
            assert_eq!(zstd::decode_all(&*packed.body).unwrap(), plain.body);
            for (accept, form) in [
                ("gzip, deflate, br, zstd", "zstd"),
                ("zstd;q=0.5, gzip", "gzip"),
                ("zstd;q=0, *", "gzip"),
                ("gzip;q=0.5, identity", ""),
            ] {
                let answer = http.send(Method::HEAD, path, &[("accept-encoding", accept)], "").await;
                assert_eq!(answer.header("content-encoding"), form, "{path}: {accept}");
            }
        }
    }
}

/// Whoever is at the wrong door is told where to go.
#[tokio::test]
async fn refusals_say_where_to_look() {
    let server = Server::start();
    if server.is_etcd() {
        return; // says no more than no
    }
    let http = server.http();
    for (method, path, status, said) in [
        (Method::GET, "/v2/keys", 404, "/docs"),
        (Method::POST, "/health", 405, "GET"),
        (Method::GET, "/livez/nonsense", 404, "serializable_read"),
        (Method::GET, "/v3/kv/put", 405, "use POST"),
        (Method::PUT, "/v3/watch", 405, "use GET, HEAD, POST"),
        (Method::POST, "/v3/kv/putt", 404, "/v3/ lists"),
        (Method::POST, "/v3/", 405, "GET"),
    ] {
        let answer = http.send(method, path, &[], "").await;
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.text().contains(said), "{path}: {}", answer.text());
    }
    for path in ["/v3/", "/v3beta/"] {
        let index = http.get(path).await.json();
        assert!(index["paths"].as_array().unwrap().contains(&json!("/v3/kv/put")), "{index}");
        assert_eq!(index["docs"], "/docs");
    }
    for http in [http, Http::h2c(server.addr())] {
        let head = http.send(Method::HEAD, "/v3/", &[], "").await;
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    }
    let moved = server.http().get("/v3").await;
    assert_eq!((moved.status.as_u16(), moved.header("location")), (307, "/v3/"));
}
