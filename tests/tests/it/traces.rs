//! Traces: what a collector is told of calls.

use keyport_api::etcdserverpb::{PutRequest, RangeRequest};
use keyport_tests::collector::{Collector, attribute};
use keyport_tests::grpc::{get, put, watch};
use keyport_tests::server::free_port;
use keyport_tests::wait::{eventually, eventually_blocking};
use keyport_tests::{Cluster, Flavor, Server};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::json;
use tonic::Request;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn traced(collector: &str, rate: u32) -> Vec<String> {
    vec![
        "--enable-distributed-tracing".to_owned(),
        format!("--distributed-tracing-address={collector}"),
        "--distributed-tracing-service-name=shelf".to_owned(),
        "--distributed-tracing-instance-id=one".to_owned(),
        format!("--distributed-tracing-sampling-rate={rate}"),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A caller that is part of the trace, which is sampled or not.
fn parent(flags: &str) -> String {
    format!("00-{TRACE}-{PARENT}-{flags}")
}

fn by<T>(message: T, traceparent: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("traceparent", traceparent.parse().unwrap());
    request
}

fn names(spans: &[Span]) -> Vec<&str> {
    spans.iter().map(|span| span.name.as_str()).collect()
}

fn said(span: &Span, key: &str) -> String {
    attribute(&span.attributes, key).unwrap_or_else(|| panic!("no {key} in {span:?}"))
}

/// etcd tells of gRPC, and under the same names.
#[tokio::test]
async fn calls_are_told_with_their_parents_by_etcds_names() {
    let flavors = Flavor::peers().into_iter().filter(|peer| !peer.older_than("3.7")).chain([Flavor::Keyport]);
    for flavor in flavors {
        let collector = Collector::start().await;
        let server = Server::of(flavor).args(traced(&collector.address(), 1_000_000)).start();
        let mut grpc = server.grpc().await;
        grpc.kv.put(by(put("k", "v"), &parent("01"))).await.unwrap();
        grpc.kv.range(get("k")).await.unwrap();
        let refused = grpc.kv.put(PutRequest::default()).await.unwrap_err();
        assert_eq!(refused.code() as i32, 3);
        let span = collector.span("etcdserverpb.KV/Range").await;
        assert_eq!(said(&span, "rpc.system.name"), "grpc");
        assert_eq!(
            (said(&span, "rpc.method"), said(&span, "rpc.response.status_code")),
            ("etcdserverpb.KV/Range".into(), "OK".into())
        );
        assert_eq!(
            (span.kind, span.parent_span_id.as_slice()),
            (SpanKind::Server as i32, &[][..]),
            "a trace of its own"
        );
        let puts = eventually("both puts", async || {
            let mut puts = collector.spans();
            puts.retain(|span| span.name == "etcdserverpb.KV/Put");
            (puts.len() == 2).then_some(puts)
        })
        .await;
        let (inside, own): (Vec<_>, Vec<_>) = puts.into_iter().partition(|span| !span.parent_span_id.is_empty());
        let [inside] = &inside[..] else { panic!("{inside:?}") };
        assert_eq!((hex(&inside.trace_id), hex(&inside.parent_span_id)), (TRACE.to_owned(), PARENT.to_owned()));
        assert_eq!(said(&own[0], "rpc.response.status_code"), "INVALID_ARGUMENT", "{flavor:?}");
        assert_eq!(
            (collector.resource("service.name")[0].as_str(), collector.resource("service.instance.id")[0].as_str()),
            ("shelf", "one")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_told_in_parts_and_whatever_face_it_comes_by() {
    let collector = Collector::start().await;
    let mut server = Server::of(Flavor::Keyport).args(traced(&collector.address(), 1_000_000)).start();
    let (mut grpc, http) = (server.grpc().await, server.http());
    grpc.put("k", "v").await;
    grpc.range(RangeRequest { serializable: true, ..get("k") }).await;
    http.send(http::Method::POST, "/v3/kv/put", &[("traceparent", &parent("01"))], r#"{"key":"aw=="}"#).await;
    http.post("/v3/kv/range", "{}").await;
    http.get("/v3/nowhere").await;
    http.get("/metrics").await;
    let put = collector.span("etcdserverpb.KV/Put").await;
    let parts = collector.children(&put);
    assert_eq!(names(&parts), ["propose until applied", "encode and send"]);
    for part in &parts {
        assert!(
            put.start_time_unix_nano <= part.start_time_unix_nano && part.end_time_unix_nano <= put.end_time_unix_nano
        );
        assert_eq!((part.trace_id.clone(), part.kind), (put.trace_id.clone(), SpanKind::Internal as i32));
    }
    let range = collector.span("etcdserverpb.KV/Range").await;
    assert_eq!(names(&collector.children(&range)), ["read", "encode and send"]);
    let json = collector.span("POST /v3/kv/put").await;
    assert_eq!((hex(&json.trace_id), hex(&json.parent_span_id)), (TRACE.to_owned(), PARENT.to_owned()));
    for (key, value) in [
        ("http.request.method", "POST"),
        ("http.response.status_code", "200"),
        ("http.route", "/v3/kv/put"),
        ("url.path", "/v3/kv/put"),
        ("url.scheme", "http"),
        ("network.peer.address", "127.0.0.1"),
        ("rpc.service", "etcdserverpb.KV"),
        ("rpc.method", "etcdserverpb.KV/Put"),
    ] {
        assert_eq!(said(&json, key), value, "{key}");
    }
    assert_eq!(said(&collector.span("POST /v3/kv/range").await, "http.response.status_code"), "400");
    assert_eq!(said(&collector.span("GET").await, "url.path"), "/v3/nowhere");
    // A stream is one call, however long it lasts.
    let mut stream = grpc.watch();
    stream.create(watch("k")).await;
    drop(stream);
    drop(grpc);
    let watched = collector.span("etcdserverpb.Watch/Watch").await;
    assert_eq!(said(&watched, "rpc.response.status_code"), "CANCELLED", "given up");
    server.stop();
    let of_http = collector.spans().into_iter().filter_map(|span| attribute(&span.attributes, "url.path"));
    assert!(of_http.into_iter().all(|path| path.starts_with("/v3/")));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_in_a_sampled_trace_is_followed_and_others_are_not() {
    let collector = Collector::start().await;
    let mut server = Server::of(Flavor::Keyport).args(traced(&collector.address(), 0)).start();
    let (mut grpc, http) = (server.grpc().await, server.http());
    for traceparent in [parent("00"), parent("01"), "bogus".to_owned(), format!("00-{}-{PARENT}-01", "0".repeat(32))] {
        grpc.kv.range(by(get("k"), &traceparent)).await.unwrap();
    }
    grpc.put("k", "v").await;
    http.call("/v3/kv/put", json!({ "key": "aw==" })).await;
    let span = collector.span("etcdserverpb.KV/Range").await;
    assert_eq!((hex(&span.trace_id), hex(&span.parent_span_id)), (TRACE.to_owned(), PARENT.to_owned()));
    // What is still waiting is told at the end.
    server.stop();
    let calls: Vec<_> = collector.spans().into_iter().filter(|span| span.kind == SpanKind::Server as i32).collect();
    assert_eq!(names(&calls), ["etcdserverpb.KV/Range"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_told_at_the_end() {
    let collector = Collector::start().await;
    let mut server = Server::of(Flavor::Keyport).args(traced(&collector.address(), 1_000_000)).start();
    let mut grpc = server.grpc().await;
    for _ in 0..20 {
        grpc.put("k", "v").await;
    }
    drop(grpc);
    assert!(tokio::task::spawn_blocking(move || server.stop()).await.unwrap().success());
    assert_eq!(names(&collector.spans()).iter().filter(|name| **name == "etcdserverpb.KV/Put").count(), 20);
}

#[tokio::test]
async fn members_of_a_cluster_tell_of_their_read_barriers() {
    let collector = Collector::start().await;
    let cluster = Cluster::of(3).args(traced(&collector.address(), 1_000_000)).start().await;
    if cluster.is_etcd() {
        return; // has no such parts
    }
    let follower = cluster.follower().await;
    cluster.grpc(follower).get("k").await;
    let span = collector.span("etcdserverpb.KV/Range").await;
    assert_eq!(names(&collector.children(&span)), ["read barrier", "read", "encode and send"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_costs_spans_and_one_warning() {
    let port = free_port();
    let mut server = Server::of(Flavor::Keyport).args(traced(&format!("127.0.0.1:{port}"), 1_000_000)).start();
    let mut grpc = server.grpc().await;
    let lost = async |server: &Server| {
        let text = server.http().get("/metrics").await.text();
        text.lines().find_map(|line| line.strip_prefix("keyport_trace_spans_lost_total ")?.parse::<u64>().ok())
    };
    // More than may wait.
    for _ in 0..2_100 {
        grpc.put("k", "v").await;
    }
    eventually("lost spans", async || lost(&server).await.filter(|lost| *lost > 1_000)).await;
    // It comes, and is told from then on.
    let collector = Collector::at(([127, 0, 0, 1], port).into()).await;
    eventually("a span", async || {
        grpc.put("k", "v").await;
        collector.spans().into_iter().next()
    })
    .await;
    drop((grpc, collector));
    server.stop();
    let warning = "the trace collector does not take spans; they are lost";
    let log = eventually_blocking("the log", || Some(server.log()).filter(|log| log.contains(warning)));
    assert_eq!(log.matches(warning).count(), 1, "{log}");
}

#[test]
fn rates_that_are_none_are_refused_as_by_etcd() {
    for flavor in Flavor::peers().into_iter().filter(|peer| !peer.older_than("3.7")).chain([Flavor::Keyport]) {
        for (rate, why) in [("-1", "must be positive"), ("1000001", "must be less than 1000000")] {
            let rate = format!("--distributed-tracing-sampling-rate={rate}");
            let output = Server::of(flavor).args(["--enable-distributed-tracing", &rate]).run_to_end();
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            let why = format!("distributed tracing configurition is not valid: (tracing sampling rate {why})");
            assert!(!output.status.success() && text.contains(&why), "{flavor:?}: {text}");
        }
    }
}
