//! A stream that had begun when its time was over ends in the terms of what it speaks.

use keyport_api::etcdserverpb::watch_request::RequestUnion;
use keyport_api::etcdserverpb::{WatchCreateRequest, WatchRequest};
use prost::Message as _;
use serde_json::Value;

use crate::testing::Member;
use crate::testing::h2::{H2, all};
use crate::testing::raw::Raw;

/// Much longer than it takes to begin.
const PATIENCE: (&str, &str) = ("grpc-timeout", "1500m");
const WATCH: &str = "/etcdserverpb.Watch/Watch";

fn create() -> Vec<u8> {
    let create = WatchCreateRequest { key: "k".into(), ..WatchCreateRequest::default() };
    WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) }.encode_to_vec()
}

#[tokio::test]
async fn of_grpc_by_trailers() {
    let member = Member::start().await;
    let mut client = H2::open(member.serve(member.gateway())).await;
    for (path, message) in [(WATCH, create()), ("/v3electionpb.Election/Observe", Vec::new())] {
        let answer = client.call(path, "application/grpc", &[PATIENCE], &message).await;
        assert_eq!(answer.headers().get("grpc-status"), None, "it has begun");
        let (data, trailers) = all(answer).await;
        assert_eq!((trailers["grpc-status"].as_bytes(), data.is_empty()), (&b"4"[..], message.is_empty()), "{path}");
    }
}

#[tokio::test]
async fn of_grpc_web_by_a_frame() {
    let member = Member::start().await;
    let mut client = H2::open(member.serve(member.gateway())).await;
    let web = all(client.call(WATCH, "application/grpc-web+proto", &[PATIENCE], &create()).await).await;
    let text = base64_simd::STANDARD
        .encode_to_string([&b"\0\0\0\0"[..], &[u8::try_from(create().len()).unwrap()], &create()].concat());
    let last = |data: &[u8]| {
        let at = data.windows(12).rposition(|window| window == b"grpc-status:").expect("a last frame");
        (data[at - 5], data[at + 12])
    };
    assert_eq!(last(&web.0), (0x80, b'4'));
    let mut raw = Raw::open(client.address()).await;
    let headers = format!(
        "content-type: application/grpc-web-text\r\naccept: application/grpc-web-text\r\n{}: {}\r\n",
        PATIENCE.0, PATIENCE.1
    );
    raw.request("POST", WATCH, &headers, text).await;
    assert_eq!(raw.head().await.status, 200);
    let mut decoded = Vec::new();
    while let Some(chunk) = raw.chunk().await {
        decoded.extend(base64_simd::STANDARD.decode_to_vec(&chunk).unwrap());
    }
    assert_eq!(last(&decoded), (0x80, b'4'));
}

#[tokio::test]
async fn of_events_by_an_event() {
    let member = Member::start().await;
    let address = member.serve(member.gateway());
    for (accept, is_last) in
        [("text/event-stream", "event: failed\ndata: "), ("application/x-ndjson", "{\"event\":\"failed\",\"data\":")]
    {
        let mut raw = Raw::open(address).await;
        let headers = format!("accept: {accept}\r\n{}: {}\r\n", PATIENCE.0, PATIENCE.1);
        raw.request("GET", "/v3/watch?key=k", &headers, "").await;
        assert_eq!(raw.head().await.status, 200);
        let mut chunks = Vec::new();
        while let Some(chunk) = raw.chunk().await {
            chunks.push(String::from_utf8(chunk).unwrap());
        }
        assert_eq!(chunks.len(), 2, "{chunks:?}");
        let problem = chunks[1].strip_prefix(is_last).unwrap_or_else(|| panic!("{chunks:?}"));
        let problem = problem.trim_end();
        let problem = if accept.ends_with("ndjson") { problem.strip_suffix('}').unwrap() } else { problem };
        let problem: Value = serde_json::from_str(problem).unwrap();
        assert_eq!((&problem["grpc_code"], &problem["status"]), (&Value::from(4), &Value::from(504)));
    }
}
