//! Streams over a real store and hub: what is said, and that nothing is lost or said twice however they are cut.

mod resume;

use std::sync::Arc;
use std::time::Duration;

use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::{Service, ServiceExt as _};

use super::*;
use crate::faces::routes::Routes;
use crate::http::{Call, Column, Connection, RequestBody};
use crate::net::Face;
use crate::testing::raw::Raw;
use crate::testing::{Change, Member};

/// A member, and the way to it without a socket: whoever reads knows what was read.
struct World {
    member: Member,
    column: Column<Routes, Calls>,
}

/// An answer, read frame by frame.
struct Reader {
    response: <Column<Routes, Calls> as Service<Request<RequestBody>>>::Response,
    text: String,
}

/// One event, as a browser would see it.
#[derive(Clone, Debug, PartialEq)]
struct Event {
    id: Option<String>,
    name: String,
    data: Value,
}

impl World {
    async fn commit(&self, changes: &[Change<'_>]) {
        self.member.commit(changes).await;
    }

    fn revision(&self) -> i64 {
        self.member.node.store().revision()
    }
}

async fn get(world: &World, query: &str, headers: &[(&'static str, &str)]) -> Reader {
    let mut request = Request::get(format!("http://localhost/v3/watch?{query}"));
    for &(name, value) in headers {
        request = request.header(name, value);
    }
    let mut request = request.header("host", "localhost").body(RequestBody::empty()).unwrap();
    let call = Call::of(&request, Arc::new(Connection::in_process(Face::All)));
    request.extensions_mut().insert(call);
    let response = world.column.clone().oneshot(request).await.unwrap();
    Reader { response, text: String::new() }
}

impl Reader {
    fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name).map(|value| value.to_str().unwrap())
    }

    /// Reads one more frame; false at the end.
    async fn more(&mut self) -> bool {
        let frame = tokio::time::timeout(Duration::from_secs(100_000), self.response.body_mut().frame()).await;
        let Some(frame) = frame.expect("no frame") else { return false };
        self.text.push_str(std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap());
        true
    }

    /// Reads until something was said.
    async fn until(&mut self, said: &str) -> &str {
        while !self.text.contains(said) {
            assert!(self.more().await, "{said:?} was never said: {}", self.text);
        }
        &self.text
    }

    async fn rest(&mut self) -> &str {
        while self.more().await {}
        &self.text
    }

    async fn problem(mut self) -> (u16, Value) {
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let status = self.response.status().as_u16();
        (status, serde_json::from_str(self.rest().await).unwrap())
    }
}

/// The events that a browser dispatches: those whose blank line has come.
fn dispatched(text: &str) -> Vec<Event> {
    let whole = text.rfind("\n\n").map_or("", |end| &text[..end + 2]);
    let mut events = Vec::new();
    for block in whole.split_terminator("\n\n") {
        let mut event = Event { id: None, name: "message".into(), data: Value::Null };
        for (field, value) in block.lines().filter_map(|line| line.split_once(": ")) {
            match field {
                "id" => event.id = Some(value.into()),
                "event" => event.name = value.into(),
                "data" => event.data = serde_json::from_str(value).unwrap(),
                "retry" | "" => {}
                other => panic!("unknown field {other}"),
            }
        }
        if !event.data.is_null() {
            events.push(event);
        }
    }
    events
}

async fn world() -> World {
    let member = Member::start().await;
    let column = member.column(member.gateway());
    World { member, column }
}

#[tokio::test]
async fn changes_are_events_with_readable_data() {
    let world = world().await;
    let mut reader = get(&world, "prefix=app/&prev_kv", &[]).await;
    assert_eq!(reader.response.status(), 200);
    assert_eq!(reader.header("content-type"), Some("text/event-stream"));
    assert_eq!(reader.header("cache-control"), Some("no-store"));
    assert_eq!(reader.header("x-accel-buffering"), Some("no"));
    assert_eq!(reader.header("last-event-id"), Some("1"));
    assert_eq!(reader.until("\n\n").await, "retry: 2000\nid: 1\nevent: opened\ndata: {\"revision\":\"1\"}\n\n");
    reader.text.clear();

    world
        .commit(&[(b"app/a", Some(b"\xFF")), (b"other", Some(b"x")), (b"app/b", Some("gr\u{fc}n\n".as_bytes()))])
        .await;
    world.commit(&[(b"app/a", None)]).await;
    world.commit(&[(b"app/b", Some(b""))]).await;
    let expected = [
        "id: 2.0\nevent: put\ndata: {\"key\":\"app/a\",\"value_b64\":\"/w==\",\"create_revision\":\"2\",",
        "\"mod_revision\":\"2\",\"version\":\"1\"}\n\n",
        "id: 2\nevent: put\ndata: {\"key\":\"app/b\",\"value\":\"gr\u{fc}n\\n\",\"create_revision\":\"2\",",
        "\"mod_revision\":\"2\",\"version\":\"1\"}\n\n",
        "id: 3\nevent: delete\ndata: {\"key\":\"app/a\",\"mod_revision\":\"3\",\"prev_kv\":{\"key\":\"app/a\",",
        "\"value_b64\":\"/w==\",\"create_revision\":\"2\",\"mod_revision\":\"2\",\"version\":\"1\"}}\n\n",
        "id: 4\nevent: put\ndata: {\"key\":\"app/b\",\"value\":\"\",\"create_revision\":\"2\",\"mod_revision\":\"4\",",
        "\"version\":\"2\",\"prev_kv\":{\"key\":\"app/b\",\"value\":\"gr\u{fc}n\\n\",\"create_revision\":\"2\",",
        "\"mod_revision\":\"2\",\"version\":\"1\"}}\n\n",
    ];
    assert_eq!(reader.until("id: 4\n").await, expected.concat());
}

#[tokio::test]
async fn the_same_comes_as_lines_and_in_the_encoding_of_the_gateway() {
    let world = world().await;
    world.commit(&[(b"k", Some(b"v")), (b"l", Some(b"w"))]).await;
    world.commit(&[(b"k", None)]).await;
    let mut reader =
        get(&world, "prefix=&since=1&encoding=base64", &[("accept", "application/x-ndjson;q=1, text/html")]).await;
    assert_eq!(reader.header("content-type"), Some("application/x-ndjson"));
    let lines = reader.until("\"id\":\"3\"").await.to_owned();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kv = |key, value, revision| json!({"key": key, "value": value, "create_revision": revision, "mod_revision": revision, "version": "1"});
    assert_eq!(
        lines,
        [
            json!({"id": "1", "event": "opened", "data": {"revision": "3"}}),
            json!({"id": "2.0", "event": "put", "data": {"kv": kv("aw==", "dg==", "2")}}),
            json!({"id": "2", "event": "put", "data": {"kv": kv("bA==", "dw==", "2")}}),
            json!({"id": "3", "event": "delete", "data": {"type": "DELETE", "kv": {"key": "aw==", "mod_revision": "3"}}}),
        ]
    );
    let both = get(&world, "key=k", &[("accept", "text/event-stream, application/x-ndjson")]).await;
    assert_eq!(both.header("content-type"), Some("text/event-stream"));
}

#[tokio::test]
async fn filters_and_several_selectors_make_one_stream_in_order() {
    let world = world().await;
    world.commit(&[(b"z", Some(b"1")), (b"b", Some(b"1")), (b"a/1", Some(b"1")), (b"c", Some(b"1"))]).await;
    world.commit(&[(b"a/1", None), (b"c", None)]).await;
    world.commit(&[(b"z", None), (b"b", Some(b"2"))]).await;
    let mut reader = get(&world, "key=z&prefix=a/&key=b&range_end=c&prefix=a/&since=0", &[]).await;
    let ids = |text: &str| -> Vec<String> { dispatched(text).into_iter().filter_map(|event| event.id).collect() };
    assert_eq!(ids(reader.until("id: 4\n").await), ["0", "2.0", "2.1", "2", "3", "4.0", "4"]);
    let mut reader = get(&world, "prefix=&filters=noput&since=0", &[]).await;
    assert_eq!(ids(reader.until("id: 4\n").await), ["0", "3.0", "3", "4"]);
}

#[tokio::test]
async fn the_state_comes_first_and_is_said_to_be_complete() {
    let world = world().await;
    for i in 0..100 {
        world.commit(&[(format!("k{i:03}").as_bytes(), Some(b"v"))]).await;
    }
    let mut reader = get(&world, "prefix=k&initial", &[]).await;
    // Later than the state, though the rest of it is not yet read.
    world.commit(&[(b"k000", Some(b"new")), (b"k050", None)]).await;
    let events = dispatched(reader.until("id: 102\n").await);
    assert_eq!((events[0].name.as_str(), events[0].id.as_deref()), ("opened", Some("101~")));
    let names: Vec<&str> = events[1..].iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, [vec!["put"; 100], vec!["synced", "put", "delete"]].concat());
    assert_eq!(events[1].id.as_deref(), Some("101~azAwMA"));
    assert_eq!((events[101].id.as_deref(), &events[101].data), (Some("101"), &json!({"revision": "101"})));

    let mut empty = get(&world, "key=nothing&initial=true", &[]).await;
    assert_eq!(dispatched(empty.until("synced").await).len(), 2);
}

#[tokio::test]
async fn what_is_compacted_is_gone() {
    let world = world().await;
    for _ in 0..9 {
        world.commit(&[(b"k", Some(b"v")), (b"l", Some(b"v"))]).await;
    }
    world.member.compact(5).await;
    for (query, id) in [("since=3", ""), ("start_revision=4", ""), ("since=1", "3"), ("", "5.0"), ("", "4~aw")] {
        let (status, problem) =
            get(&world, &format!("prefix=&{query}"), &[("last-event-id", id)]).await.problem().await;
        assert_eq!(status, 410, "{query} {id}");
        assert_eq!(problem["type"], "/problems/compacted");
        assert_eq!((&problem["status"], &problem["oldest_revision"]), (&json!(410), &json!("5")));
    }
    for query in ["since=4", "start_revision=5", "since=5", "since=6.0", "since=99"] {
        assert_eq!(get(&world, &format!("prefix=&{query}"), &[]).await.response.status(), 200, "{query}");
    }
}

#[tokio::test]
async fn a_reader_overtaken_by_compaction_is_told_and_let_go() {
    let world = world().await;
    let mut reader = get(&world, "key=k", &[]).await;
    for _ in 0..2000 {
        world.commit(&[(b"k", Some(b"v"))]).await;
    }
    world.member.compact(2001).await;
    let events = dispatched(reader.rest().await);
    let last = events.last().unwrap();
    assert_eq!((last.name.as_str(), &last.data), ("compacted", &json!({"oldest_revision": "2001"})));
    assert_eq!(last.id.as_deref(), Some("2001"), "where to begin anew");
}

#[tokio::test]
async fn mistakes_are_answered_with_problem_details() {
    let world = world().await;
    for (query, id) in
        [("", ""), ("key=k&start_revision=x", ""), ("key=k", "nonsense"), ("key=k", "1.x"), ("key=b&range_end=a", "")]
    {
        let (status, problem) = get(&world, query, &[("last-event-id", id)]).await.problem().await;
        assert_eq!((status, &problem["status"]), (400, &json!(400)), "{query} {id}");
        assert!(!problem["detail"].as_str().unwrap().is_empty());
    }
    world.member.admissions.refuse(Some(Error::PermissionDenied));
    let (status, _) = get(&world, "key=k", &[]).await.problem().await;
    assert_eq!(status, 403);
    world.member.admissions.refuse(Some(Error::InvalidAuthToken));
    let stale = get(&world, "key=k", &[]).await;
    assert!(stale.header("www-authenticate").unwrap().starts_with("Bearer "));
    assert_eq!(stale.problem().await.0, 401);
}

#[tokio::test]
async fn a_stream_that_the_service_ends_says_why() {
    let world = world().await;
    let leaderless = world.member.node.clone();
    tokio::spawn(async move { leaderless.state().leadership.end_leaderless_streams().await });
    let mut reader = get(&world, "prefix=", &[("grpc-metadata-hasleader", "true")]).await;
    // Long enough to be missed, in a moment.
    tokio::time::pause();
    world.member.lose_leader();
    let events = dispatched(reader.rest().await);
    assert_eq!(events.len(), 2);
    assert_eq!((events[1].name.as_str(), &events[1].data["detail"]), ("failed", &json!("etcdserver: no leader")));
}

#[tokio::test]
async fn heartbeats_fill_the_silence_and_bookmarks_move_the_position() {
    let world = world().await;
    let mut reader = get(&world, "key=k&heartbeat=60", &[]).await;
    tokio::time::pause();
    reader.until("opened").await;
    reader.text.clear();
    let start = tokio::time::Instant::now();
    assert_eq!(reader.until("\n\n").await, ": hb\n\n");
    // Counted from when the stream was opened, which was in real time.
    assert!((30..=60).contains(&start.elapsed().as_secs()));
    world.commit(&[(b"other", Some(b"v"))]).await;
    let events = dispatched(reader.until("bookmark").await);
    assert_eq!(events, [Event { id: Some("2".into()), name: "bookmark".into(), data: json!({"revision": "2"}) }]);
    reader.text.clear();
    for _ in 0..3 {
        assert!(reader.more().await);
    }
    assert_eq!(reader.text, ": hb\n\n".repeat(3), "one bookmark is enough for one position");
}

#[tokio::test]
async fn it_is_there_on_a_socket_beside_the_gateways_own_watch() {
    let world = world().await;
    let address = world.member.serve(world.member.gateway());
    let mut raw = Raw::open(address).await;
    raw.request("HEAD", "/v3/watch?key=k", "", "").await;
    let head = raw.head().await;
    assert_eq!((head.status, head.header("content-type")), (200, Some("text/event-stream")));
    let (head, _) = raw.call("PUT", "/v3/watch?key=k", "", "").await;
    assert_eq!((head.status, head.header("allow")), (405, Some("GET, HEAD, POST")));
    // Some clients offer another protocol and go on without it.
    raw.request("GET", "/v3beta/watch?key=k", "connection: upgrade\r\nupgrade: h2c\r\n", "").await;
    assert_eq!(raw.head().await.status, 200);
    assert_eq!(raw.chunk().await.unwrap(), b"retry: 2000\nid: 1\nevent: opened\ndata: {\"revision\":\"1\"}\n\n");
    world.commit(&[(b"k", Some(b"v"))]).await;
    assert!(raw.chunk().await.unwrap().starts_with(b"id: 2\nevent: put\n"));
    drop(raw);
    tokio::time::timeout(Duration::from_secs(10), async {
        while world.member.node.state().hub.stats().streams > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the reader is gone, the watcher is not");
}
