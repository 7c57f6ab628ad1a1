use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, Full};
use keyport_api::error::Error;
use keyport_api::etcdserverpb::{SnapshotRequest, SnapshotResponse};
use serde_json::{Value, json};
use tonic::Status;

use super::{Member, Raw, grant, nobody_watches, options, start};

const CREATE: &str = "{\"create_request\":{\"key\":\"Zm9v\"}}";

#[tokio::test]
async fn a_watch_is_one_chunk_a_message_and_outlives_its_request() {
    let (member, mut raw) = start().await;
    let all = "{\"create_request\":{\"key\":\"Zm9v\",\"range_end\":\"Zm9w\"}}";
    raw.request("POST", "/v3/watch", "", all).await;
    let head = raw.head().await;
    assert_eq!((head.status, head.header("transfer-encoding")), (200, Some("chunked")));
    assert_eq!(head.header("content-type"), Some("application/json"));
    assert_eq!(head.header("content-encoding"), None);
    let created = raw.message().await;
    let keyport_api::etcdserverpb::ResponseHeader { cluster_id, member_id, revision, raft_term } =
        member.node.current_header();
    let header = json!({
        "cluster_id": cluster_id.to_string(),
        "member_id": member_id.to_string(),
        "revision": revision.to_string(),
        "raft_term": raft_term.to_string(),
    });
    assert_eq!(created, json!({"result": {"header": header, "created": true}}));
    for _ in 0..2 {
        member.commit(&[(b"foo1", Some(b"v"))]).await;
        raw.message().await;
        let revision = member.commit(&[(b"foo", Some(b"v")), (b"foo1", None)]).await;
        let events = raw.message().await["result"]["events"].clone();
        assert_eq!(events[0].get("type"), None, "a put has no type");
        let deleted = json!({"key": "Zm9vMQ==", "mod_revision": revision.to_string()});
        assert_eq!(events[1], json!({"type": "DELETE", "kv": deleted}));
    }
    assert!(raw.silent().await, "no heartbeats");
}

#[tokio::test]
async fn a_stream_is_called_lines_where_that_is_asked_for() {
    for (accept, body, status, media_type) in [
        ("application/x-ndjson", "{}", 200, "application/x-ndjson"),
        ("application/json", "{}", 200, "application/json"),
        ("*/*", "{}", 200, "application/json"),
        ("application/x-ndjson", "{", 400, "application/json"),
    ] {
        for path in ["/v3/lease/keepalive", "/v3/maintenance/snapshot"] {
            let (_member, mut raw) = start().await;
            raw.request("POST", path, &format!("accept: {accept}\r\n"), body).await;
            let head = raw.head().await;
            assert_eq!((head.status, head.header("content-type")), (status, Some(media_type)), "{accept} {path}");
        }
    }
}

#[tokio::test]
async fn a_large_message_is_still_one_chunk() {
    let (member, mut raw) = start().await;
    raw.request("POST", "/v3/watch", "", CREATE).await;
    raw.head().await;
    raw.message().await;
    for _ in 0..10 {
        member.commit(&[(b"foo", Some(&[b'x'; 300_000]))]).await;
        assert!(raw.message().await.to_string().len() > 400_000);
    }
}

#[tokio::test]
async fn requests_are_taken_as_they_arrive() {
    let (_member, mut raw) = start().await;
    raw.begin("/v3/watch").await;
    raw.send_chunk("{\"create_requ").await;
    raw.send_chunk("est\":{\"key\":\"Zm9v\",\"watch_id\":\"7\"}}\n {\"progress_").await;
    assert_eq!(raw.head().await.status, 200);
    assert_eq!(raw.message().await["result"]["watch_id"], "7");
    raw.send_chunk("request\":{}}").await;
    assert_eq!(raw.message().await["result"]["watch_id"], "-1");
    raw.send_chunk("{}{\"cancel_request\":{\"watch_id\":7}}").await;
    assert_eq!(raw.message().await["result"]["canceled"], true);
    assert!(raw.silent().await, "a new watcher may still be asked for");
    raw.send_chunk("").await;
    assert_eq!(raw.chunk().await, None, "and now it may not");
}

#[tokio::test]
async fn the_answer_ends_with_the_last_watcher() {
    let (_member, mut raw) = start().await;
    for (body, messages) in [
        // A range that ends before it begins.
        ("{\"create_request\":{\"key\":\"Zm9v\",\"range_end\":\"YQ==\"}}".to_owned(), 1),
        (format!("{CREATE}{{\"cancel_request\":{{\"watch_id\":0}}}}"), 2),
        ("{\"progress_request\":{}}".to_owned(), 0),
    ] {
        raw.request("POST", "/v3/watch", "", &body).await;
        assert_eq!(raw.head().await.status, 200, "{body}");
        for _ in 0..messages {
            raw.message().await;
        }
        while let Some(chunk) = raw.chunk().await {
            assert_eq!(messages, 0, "{body}: {chunk:?}");
        }
    }
}

#[tokio::test]
async fn a_first_message_that_makes_no_sense_is_refused_at_once() {
    let (member, mut raw) = start().await;
    for body in ["nonsense", "{}", "", "[]", "{\"create_request\":", "{\"create_request\":{\"key\":\"%\"}}"] {
        let (head, answer) = raw.post("/v3/watch", body).await;
        assert_eq!(head.status, 400, "{body}");
        let error = &answer["error"];
        assert_eq!((&error["grpc_code"], &error["http_code"]), (&json!(3), &json!(400)), "{body}");
        assert_eq!((&error["code"], &error["http_status"]), (&json!(3), &json!("Bad Request")));
    }
    // The body goes on, but nothing that follows could mend it.
    let mut raw = Raw::open(member.serve(options())).await;
    raw.begin("/v3/watch").await;
    raw.send_chunk("{\"create_request\" oops").await;
    assert_eq!(raw.head().await.status, 400);
}

#[tokio::test]
async fn a_later_message_that_makes_no_sense_ends_the_answer() {
    let (_member, mut raw) = start().await;
    raw.request("POST", "/v3/watch", "", format!("{CREATE} oops")).await;
    assert_eq!(raw.head().await.status, 200);
    assert_eq!(raw.message().await["result"]["created"], true);
    assert_eq!(raw.message().await["error"]["grpc_code"], 3);
    assert_eq!(raw.chunk().await, None);
}

#[tokio::test]
async fn headers_do_not_wait_for_the_first_message() {
    let (member, mut raw) = start().await;
    let mut observer = Raw::open(member.serve(options())).await;
    observer.request("POST", "/v3/election/observe", "", "{\"name\":\"bm9uZQ==\"}").await;
    assert_eq!(observer.head().await.status, 200);
    raw.begin("/v3/watch").await;
    assert_eq!(raw.head().await.status, 200);
    // The node stops, and the streams with it.
    member.node.stopping().raise();
    for stream in [&mut raw, &mut observer] {
        assert_eq!(stream.message().await["error"]["http_code"], 503, "an error after that is the last line");
        assert_eq!(stream.chunk().await, None);
    }
}

#[tokio::test]
async fn an_error_before_the_first_message_is_the_status() {
    let member = Member::start().await;
    let address = member.serve(options());
    for (error, path, request, status, code) in [
        (Error::NoLeader, "/v3/watch", CREATE, 503, 14),
        (Error::NoLeader, "/v3/lease/keepalive", "{\"ID\":500}", 503, 14),
        (Error::UserEmpty, "/v3/election/observe", "", 400, 3),
    ] {
        member.admissions.refuse(Some(error));
        let (head, answer) = Raw::open(address).await.post(path, request).await;
        assert_eq!((head.status, &answer["error"]["grpc_code"]), (status, &json!(code)), "{path}");
        assert_eq!(answer["error"]["message"], error.to_string());
    }
}

#[tokio::test]
async fn a_snapshot_streams() {
    let (_member, mut raw) = start().await;
    raw.request("POST", "/v3/maintenance/snapshot", "", "").await;
    assert_eq!(raw.head().await.status, 200);
    let mut left = u64::MAX;
    while let Some(line) = raw.chunk().await {
        let part = serde_json::from_slice::<Value>(&line).unwrap()["result"].take();
        assert!(!part["blob"].as_str().unwrap().is_empty());
        let now = part["remaining_bytes"].as_str().map_or(0, |bytes| bytes.parse().unwrap());
        // Of the database nothing is left before its checksum.
        assert!(now < left || now == 0);
        left = now;
    }
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_stream_that_breaks_says_how() {
    let blob = |remaining_bytes, blob: &'static [u8]| {
        Ok(SnapshotResponse { remaining_bytes, blob: Bytes::from_static(blob), ..Default::default() })
    };
    let parts = vec![blob(3, b"abc"), blob(0, b"def"), Err(Status::data_loss("the disk is gone"))];
    let invoke = |_: SnapshotRequest| async move { Ok::<_, Status>(stream::iter(parts)) };
    let bulk = crate::bulk::Bulk::start(prometheus::IntCounter::new("done", "done").unwrap()).unwrap();
    let answer =
        super::super::stream::server_streaming(&options(), bulk.aside(None), Full::<Bytes>::default(), invoke).await;
    assert_eq!(answer.status(), 200);
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let lines: Vec<Value> = body.split(|&byte| byte == b'\n').filter_map(|l| serde_json::from_slice(l).ok()).collect();
    assert_eq!(lines[0], json!({"result": {"remaining_bytes": "3", "blob": "YWJj"}}));
    assert_eq!(lines[1], json!({"result": {"blob": "ZGVm"}}));
    assert_eq!((&lines[2]["error"]["grpc_code"], &lines[2]["error"]["http_code"]), (&json!(15), &json!(500)));
    assert_eq!(lines.len(), 3);
}

#[tokio::test]
async fn keepalives_are_answered_in_order_and_end_with_the_request() {
    let (member, mut raw) = start().await;
    grant(&member, &[5, 6]).await;
    raw.request("POST", "/v3/lease/keepalive", "", "{\"ID\":5}{\"ID\":\"404\"}\n{\"ID\":6}").await;
    assert_eq!(raw.head().await.status, 200);
    assert_eq!(raw.message().await["result"]["TTL"], "30");
    let dead = raw.message().await;
    assert_eq!((&dead["result"]["ID"], dead["result"].get("TTL")), (&json!("404"), None));
    assert_eq!(raw.message().await["result"]["ID"], "6");
    assert_eq!(raw.chunk().await, None);
    raw.request("POST", "/v3/lease/keepalive", "", "").await;
    assert_eq!(raw.head().await.status, 200);
    assert_eq!(raw.chunk().await, None);
}

#[tokio::test]
async fn a_deadline_ends_a_stream() {
    let (_member, mut raw) = start().await;
    raw.request("POST", "/v3/watch", "grpc-timeout: 300m\r\n", CREATE).await;
    raw.head().await;
    raw.message().await;
    assert_eq!(raw.message().await["error"]["http_code"], 504);
    assert_eq!(raw.chunk().await, None);
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_no_watcher() {
    let (member, mut raw) = start().await;
    raw.request("POST", "/v3/watch", "", CREATE).await;
    raw.head().await;
    raw.message().await;
    assert_eq!(member.node.state().hub.stats().streams, 1);
    drop(raw);
    nobody_watches(&member).await;
}

#[tokio::test]
async fn a_server_that_stops_says_so_and_ends_its_streams() {
    let (member, options) = (Member::start().await, options());
    let mut raw = Raw::open(member.serve(options.clone())).await;
    raw.request("POST", "/v3/watch", "", CREATE).await;
    raw.head().await;
    raw.message().await;
    options.stop.cancel();
    assert_eq!(raw.message().await["error"]["message"], "etcdserver: server stopped");
    assert_eq!(raw.chunk().await, None);
}
