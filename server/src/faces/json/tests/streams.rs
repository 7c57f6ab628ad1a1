use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;

use super::{Fake, Raw, options, start};

const CREATE: &str = "{\"create_request\":{\"key\":\"Zm9v\"}}";

#[tokio::test]
async fn a_watch_is_one_chunk_a_message_and_outlives_its_request() {
    let (fake, mut raw) = start().await;
    raw.request("POST", "/v3/watch", "", CREATE).await;
    let head = raw.head().await;
    assert_eq!((head.status, head.header("transfer-encoding")), (200, Some("chunked")));
    assert_eq!(head.header("content-type"), Some("application/json"));
    assert_eq!(head.header("content-encoding"), None);
    let created = raw.message().await;
    let header = json!({"cluster_id": "18446744073709551615", "member_id": "2", "revision": "5", "raft_term": "3"});
    assert_eq!(created, json!({"result": {"header": header, "created": true}}));
    for revision in [7, 8] {
        fake.events.send(revision).unwrap();
        let events = raw.message().await["result"]["events"].clone();
        assert_eq!(events[0].get("type"), None, "a put has no type");
        assert_eq!(events[1], json!({"type": "DELETE", "kv": {"key": "aw==", "mod_revision": revision.to_string()}}));
    }
    assert!(raw.silent().await, "no heartbeats");
}

#[tokio::test]
async fn a_large_message_is_still_one_chunk() {
    let (fake, mut raw) = start().await;
    raw.request("POST", "/v3/watch", "", "{\"create_request\":{\"key\":\"bGFyZ2U=\"}}").await;
    raw.head().await;
    raw.message().await;
    for revision in 7..17 {
        fake.events.send(revision).unwrap();
        assert!(raw.message().await.to_string().len() > 400_000);
    }
}

#[tokio::test]
async fn requests_are_taken_as_they_arrive() {
    let (_, mut raw) = start().await;
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
    let (_, mut raw) = start().await;
    for (body, messages) in [
        ("{\"create_request\":{\"key\":\"cmVmdXNlZA==\"}}".to_owned(), 1),
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
    let (_, mut raw) = start().await;
    for body in ["nonsense", "{}", "", "[]", "{\"create_request\":", "{\"create_request\":{\"key\":\"%\"}}"] {
        let (head, answer) = raw.post("/v3/watch", body).await;
        assert_eq!(head.status, 400, "{body}");
        let error = &answer["error"];
        assert_eq!((&error["grpc_code"], &error["http_code"]), (&json!(3), &json!(400)), "{body}");
        assert_eq!((&error["code"], &error["http_status"]), (&json!(3), &json!("Bad Request")));
    }
    // The body goes on, but nothing that follows could mend it.
    let (_, mut raw) = start().await;
    raw.begin("/v3/watch").await;
    raw.send_chunk("{\"create_request\" oops").await;
    assert_eq!(raw.head().await.status, 400);
}

#[tokio::test]
async fn a_later_message_that_makes_no_sense_ends_the_answer() {
    let (_, mut raw) = start().await;
    raw.request("POST", "/v3/watch", "", format!("{CREATE} oops")).await;
    assert_eq!(raw.head().await.status, 200);
    assert_eq!(raw.message().await["result"]["created"], true);
    assert_eq!(raw.message().await["error"]["grpc_code"], 3);
    assert_eq!(raw.chunk().await, None);
}

#[tokio::test]
async fn headers_do_not_wait_for_the_first_message() {
    let (_, mut raw) = start().await;
    raw.begin("/v3/watch").await;
    assert_eq!(raw.head().await.status, 200);
    raw.send_chunk("{\"create_request\":{\"key\":\"YnJva2Vu\"}}").await;
    assert_eq!(raw.message().await["error"]["http_code"], 503, "an error after that is the last line");
    assert_eq!(raw.chunk().await, None);

    let (_, mut raw) = start().await;
    raw.request("POST", "/v3/election/observe", "", "{\"name\":\"bm9uZQ==\"}").await;
    assert_eq!(raw.head().await.status, 200);
}

#[tokio::test]
async fn an_error_before_the_first_message_is_the_status() {
    let (_, mut raw) = start().await;
    let (head, answer) = raw.post("/v3/watch", "{\"create_request\":{\"key\":\"YnJva2Vu\"}}").await;
    assert_eq!((head.status, &answer["error"]["message"]), (503, &json!("etcdserver: no leader")));
    let (head, answer) = raw.post("/v3/election/observe", "").await;
    assert_eq!((head.status, &answer["error"]["message"]), (400, &json!("etcdserver: user name is empty")));
}

#[tokio::test]
async fn a_snapshot_streams_and_says_how_it_failed() {
    let (_, mut raw) = start().await;
    raw.request("POST", "/v3/maintenance/snapshot", "", "").await;
    assert_eq!(raw.head().await.status, 200);
    assert_eq!(raw.message().await, json!({"result": {"remaining_bytes": "3", "blob": "YWJj"}}));
    assert_eq!(raw.message().await, json!({"result": {"blob": "ZGVm"}}));
    let error = &raw.message().await["error"];
    assert_eq!((&error["grpc_code"], &error["http_code"]), (&json!(15), &json!(500)));
    assert_eq!(raw.chunk().await, None);
}

#[tokio::test]
async fn keepalives_are_answered_in_order_and_end_with_the_request() {
    let (_, mut raw) = start().await;
    raw.request("POST", "/v3/lease/keepalive", "", "{\"ID\":5}{\"ID\":\"404\"}\n{\"ID\":6}").await;
    assert_eq!(raw.head().await.status, 200);
    assert_eq!(raw.message().await["result"]["TTL"], "30");
    let dead = raw.message().await;
    assert_eq!((&dead["result"]["ID"], dead["result"].get("TTL")), (&json!("404"), None));
    assert_eq!(raw.message().await["result"]["ID"], "6");
    assert_eq!(raw.chunk().await, None);
    let (head, answer) = raw.post("/v3/lease/keepalive", "{\"ID\":500}").await;
    assert_eq!((head.status, &answer["error"]["grpc_code"]), (503, &json!(14)));
    raw.request("POST", "/v3/lease/keepalive", "", "").await;
    assert_eq!(raw.head().await.status, 200);
    assert_eq!(raw.chunk().await, None);
}

#[tokio::test]
async fn a_deadline_ends_a_stream() {
    let (_, mut raw) = start().await;
    raw.request("POST", "/v3/watch", "grpc-timeout: 300m\r\n", CREATE).await;
    raw.head().await;
    raw.message().await;
    assert_eq!(raw.message().await["error"]["http_code"], 504);
    assert_eq!(raw.chunk().await, None);
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_no_watcher() {
    let (fake, mut raw) = start().await;
    raw.request("POST", "/v3/watch", "", CREATE).await;
    raw.head().await;
    raw.message().await;
    assert_eq!(fake.watching.load(Ordering::SeqCst), 1);
    drop(raw);
    tokio::time::timeout(Duration::from_secs(10), async {
        while fake.watching.load(Ordering::SeqCst) > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_server_that_stops_says_so_and_ends_its_streams() {
    let (fake, options) = (Fake::new(), options());
    let mut raw = Raw::open(fake.serve(options.clone()).await).await;
    raw.request("POST", "/v3/watch", "", CREATE).await;
    raw.head().await;
    raw.message().await;
    options.stop.cancel();
    assert_eq!(raw.message().await["error"]["message"], "etcdserver: server stopped");
    assert_eq!(raw.chunk().await, None);
}
