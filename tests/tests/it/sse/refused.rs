//! Streams that cannot begin or go on where their reader was. A browser gives up for good at any status but 200, and shows
//! a page nothing of the answer: what helps it is an event.

use super::{change, data};
use http::Method;
use keyport_tests::http::Http;
use keyport_tests::raw::Raw;
use keyport_tests::sse::EventStream;
use keyport_tests::{Cluster, Server};

const BROWSER: (&str, &str) = ("accept", "text/event-stream");

/// A stream that says one thing and ends.
async fn only_event(http: &Http, path: &str, last_id: &str) -> (String, String, serde_json::Value) {
    let mut stream = EventStream::open(http, path, last_id).await;
    let event = stream.next().await.expect("an event that says why");
    assert_eq!(stream.next().await, None, "after {event:?}");
    (event.id.clone(), event.event.clone(), data(&event))
}

fn server() -> Option<Server> {
    let server = Server::start();
    (!server.is_etcd()).then_some(server) // has no event stream
}

#[tokio::test]
async fn after_a_compaction_a_reader_is_told_and_can_begin_anew() {
    let Some(server) = server() else { return };
    let mut c = server.grpc().await;
    for i in 0..10 {
        c.put("k", &i.to_string()).await; // 2 to 11
    }
    c.compact(8).await;
    let http = server.http();
    for (path, last_id) in [
        ("/v3/watch?key=k", "3"),
        ("/v3/watch?key=k", "3.0"),
        ("/v3/watch?key=k&start_revision=4", ""),
        ("/v3/watch?key=k&since=3", ""),
        ("/v3/watch?key=k&lastEventId=3", ""),
    ] {
        let (id, event, data) = only_event(&http, path, last_id).await;
        assert_eq!((event.as_str(), &data["oldest_revision"]), ("compacted", &"8".into()), "{path}");
        // A browser comes back with that id, and with the same query.
        let mut anew = EventStream::open(&http, path, &id).await;
        assert_eq!(data_of_change(&mut anew).await, ("9".into(), "7".into()), "{path}");
    }
    // Who wants the state has it again, as a whole.
    let path = "/v3/watch?key=k&initial=true";
    let (id, event, _) = only_event(&http, path, "3").await;
    assert_eq!(event, "compacted");
    let mut anew = EventStream::open(&http, path, &id).await;
    let state = change(&mut anew).await;
    assert_eq!((&data(&state)["value"], &data(&state)["mod_revision"]), (&"6".into(), &"8".into()));
    assert_eq!(anew.next().await.unwrap().event, "synced");
    assert_eq!(data_of_change(&mut anew).await, ("9".into(), "7".into()));
    // Plain requests see it by the status.
    for headers in [&[("last-event-id", "3")][..], &[("last-event-id", "3"), ("accept", "*/*")]] {
        let answer = http.send(Method::GET, "/v3/watch?key=k", headers, "").await;
        assert_eq!((answer.status.as_u16(), &answer.json()["oldest_revision"]), (410, &"8".into()));
    }
}

/// A reader so slow that what it has not seen yet is compacted away.
#[tokio::test]
async fn a_reader_that_falls_behind_a_compaction_is_told_the_same() {
    let Some(server) = server() else { return };
    let mut c = server.grpc().await;
    let mut raw = Raw::connect(server.addr()).await;
    raw.send("GET /v3/watch?key=k HTTP/1.0\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n").await;
    raw.read_until(b"event: opened").await.unwrap();
    // More than all the buffers between here and there.
    let value = "x".repeat(200_000);
    let mut last = 0;
    for _ in 0..400 {
        last = c.put("k", &value).await;
    }
    c.compact(last).await;
    let rest = String::from_utf8_lossy(&raw.read_to_end().await).into_owned();
    let end = format!("id: {last}\nevent: compacted\ndata: {{\"oldest_revision\":\"{last}\"}}\n\n");
    assert!(rest.ends_with(&end), "{}", rest.chars().rev().take(300).collect::<String>());
    let mut anew = EventStream::open(&server.http(), "/v3/watch?key=k", &last.to_string()).await;
    c.put("k", "anew").await;
    assert_eq!(data_of_change(&mut anew).await.1, "anew");
}

/// The id and the value of the next change.
async fn data_of_change(stream: &mut EventStream) -> (String, String) {
    let event = change(stream).await;
    (event.id.clone(), data(&event)["value"].as_str().unwrap_or_default().to_owned())
}

/// As after a backup was restored: what the reader saw has never been here.
#[tokio::test]
async fn a_reader_that_has_seen_more_than_there_is_is_told() {
    let Some(server) = server() else { return };
    let mut c = server.grpc().await;
    c.put("k", "v").await; // 2
    let http = server.http();
    for (path, last_id) in [
        ("/v3/watch?key=k", "1000"),
        ("/v3/watch?key=k", "1000.3"),
        ("/v3/watch?key=k", "1000~aw"),
        ("/v3/watch?key=k&since=1000", ""),
        ("/v3/watch?key=k&initial=true", "1000"),
    ] {
        let (id, event, data) = only_event(&http, path, last_id).await;
        assert_eq!((event.as_str(), &data["revision"]), ("ahead", &"2".into()), "{path} {last_id}");
        let mut anew = EventStream::open(&http, path, &id).await;
        assert_eq!(anew.next().await.unwrap().event, "opened", "{path} {id}");
        if path.contains("initial") {
            assert_eq!(self::data(&change(&mut anew).await)["value"], "v", "the state, once more");
        }
    }
    // That is not a mistake: it waits for the revision that it names.
    let mut stream = EventStream::open(&http, "/v3/watch?key=k&start_revision=4", "").await;
    assert_eq!(stream.next().await.unwrap().event, "opened");
    c.put("k", "not yet").await;
    c.put("k", "now").await;
    assert_eq!(data_of_change(&mut stream).await, ("4".into(), "now".into()));
}

#[tokio::test]
async fn what_libraries_add_to_the_query_is_left_out() {
    let Some(server) = server() else { return };
    let http = server.http();
    for more in ["lastEventId=", "last_event_id=&r=0.123", "r=5", "t=1700000000", "_=1", "_cache=x"] {
        let mut stream = EventStream::open(&http, &format!("/v3/watch?key=k&{more}"), "").await;
        assert_eq!(stream.next().await.unwrap().event, "opened", "{more}");
    }
    for wrong in ["key=k&prefx=a", "key=", "key=k&start_revision=x", "key=k&nonsense=1"] {
        let answer = http.send(Method::GET, &format!("/v3/watch?{wrong}"), &[BROWSER], "").await;
        assert_eq!(answer.status, 400, "{wrong}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_does_not_end_a_browsers_stream_for_good() {
    let mut cluster = Cluster::of(3).start().await;
    if cluster.is_etcd() {
        return;
    }
    cluster.grpc(0).put("k", "v").await;
    for member in [1, 2] {
        cluster.kill(member).await;
    }
    let alone = &cluster.members[0];
    keyport_tests::wait::eventually("it has no leader", async || {
        (alone.metric("etcd_server_has_leader").await < 0.5).then_some(())
    })
    .await;
    let http = alone.http();
    for (path, headers) in [
        // The state cannot be read.
        ("/v3/watch?key=k&initial=true", &[BROWSER][..]),
        // A stream that wants a leader.
        ("/v3/watch?key=k", &[BROWSER, ("grpc-metadata-hasleader", "true")]),
        // Whether this was ever there cannot be known.
        ("/v3/watch?key=k", &[BROWSER, ("last-event-id", "1000")]),
    ] {
        let answer = http.send(Method::GET, path, headers, "").await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "text/event-stream"), "{path}");
        let text = answer.text();
        assert!(text.starts_with("retry: 2000\nevent: failed\ndata: {"), "{path}: {text}");
        let problem = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        let problem: serde_json::Value = serde_json::from_str(problem).unwrap();
        assert!([503, 504].contains(&problem["status"].as_u64().unwrap()), "{path}: {problem}");
        // Plain requests see it by the status.
        let answer = http.send(Method::GET, path, &headers[1..], "").await;
        assert!([503, 504].contains(&answer.status.as_u16()), "{path}: {}", answer.status);
    }
    cluster.restart(1).await;
    let mut stream = EventStream::open(&http, "/v3/watch?key=k&initial=true", "").await;
    assert_eq!(data_of_change(&mut stream).await.1, "v");
}
