//! Server-sent events: what a stream shows, and that a reader that is cut off at random loses and repeats nothing.

mod refused;

use http::Method;
use keyport_api::etcdserverpb::TxnRequest;
use keyport_tests::Server;
use keyport_tests::grpc::{Grpc, IntoOp, delete, put};
use keyport_tests::random::Random;
use keyport_tests::sse::{EventStream, SseEvent};
use serde_json::Value;

fn data(event: &SseEvent) -> Value {
    serde_json::from_str(&event.data).unwrap_or_else(|e| panic!("{e} in {event:?}"))
}

/// The next event that is about a key.
async fn change(stream: &mut EventStream) -> SseEvent {
    loop {
        let event = stream.next().await.expect("the stream goes on");
        if ["put", "delete"].contains(&event.event.as_str()) {
            return event;
        }
    }
}

#[tokio::test]
async fn changes_as_they_come() {
    let server = Server::start();
    if server.is_etcd() {
        return; // has no event stream
    }
    let mut c = server.grpc().await;
    c.put("a/1", "before").await; // 2
    let http = server.http();
    let mut stream = EventStream::open(&http, "/v3/watch?prefix=a/", "").await;
    let first = stream.next().await.unwrap();
    assert!(!first.id.is_empty(), "the first event says where it begins: {first:?}");
    c.put("a/1", "now").await; // 3
    c.put("b", "elsewhere").await;
    c.delete("a/1").await; // 5
    let event = change(&mut stream).await;
    assert_eq!((event.event.as_str(), event.id.as_str()), ("put", "3"));
    assert_eq!((&data(&event)["key"], &data(&event)["value"]), (&"a/1".into(), &"now".into()));
    let event = change(&mut stream).await;
    assert_eq!((event.event.as_str(), event.id.as_str()), ("delete", "5"));
    assert_eq!(data(&event)["key"], "a/1");
}

#[tokio::test]
async fn the_state_first() {
    let server = Server::start();
    if server.is_etcd() {
        return; // has no event stream
    }
    let mut c = server.grpc().await;
    for key in ["a", "b", "c", "other"] {
        c.put(key, key).await;
    }
    let http = server.http();
    let mut stream = EventStream::open(&http, "/v3/watch?key=a&key=b&prefix=c&initial=true", "").await;
    for want in ["a", "b", "c"] {
        assert_eq!(data(&change(&mut stream).await)["key"], want);
    }
    assert_eq!(stream.next().await.unwrap().event, "synced");
    c.put("b", "changed").await;
    assert_eq!(data(&change(&mut stream).await)["value"], "changed");
}

#[tokio::test]
async fn heartbeats() {
    let server = Server::start();
    if server.is_etcd() {
        return; // has no event stream
    }
    let http = server.http();
    let mut stream = EventStream::open(&http, "/v3/watch?key=k&heartbeat=1", "").await;
    stream.next().await;
    stream.comment().await;
}

#[tokio::test]
async fn compacted() {
    let server = Server::start();
    if server.is_etcd() {
        return; // has no event stream
    }
    let mut c = server.grpc().await;
    for i in 0..10 {
        c.put("k", &i.to_string()).await;
    }
    c.compact(8).await;
    let http = server.http();
    let answer = http.get("/v3/watch?key=k&start_revision=3").await;
    assert_eq!(answer.status, 410, "{}", answer.text());
    assert!(answer.header("content-type").contains("json"));
    let answer = http.send(Method::GET, "/v3/watch?key=k", &[("last-event-id", "3")], "").await;
    assert!([200, 410].contains(&answer.status.as_u16()));
    if answer.status == 200 {
        assert!(answer.text().contains("event: compacted"), "{}", answer.text());
    }
}

#[tokio::test]
async fn queries_that_make_no_sense() {
    let server = Server::start();
    if server.is_etcd() {
        return; // has no event stream
    }
    let http = server.http();
    for query in
        ["", "?", "?key=", "?key=a&start_revision=x", "?key=b&range_end=a", "?nonsense=1", "?key=a&start_revision=-5"]
    {
        let answer = http.get(&format!("/v3/watch{query}")).await;
        assert_eq!(answer.status, 400, "{query}: {}", answer.text());
        assert!(answer.header("content-type").contains("json"), "{query}");
    }
    let answer = http.send(Method::GET, "/v3/watch?key=a", &[("last-event-id", "nonsense")], "").await;
    assert_eq!(answer.status, 400);
}

async fn random_writes(mut c: Grpc, seed: u64, count: usize) {
    let mut random = Random::new(seed);
    for i in 0..count {
        if random.one_in(3) {
            // Several changes in one revision: the place where resuming goes wrong most easily.
            let success = (0..1 + random.below(6))
                .map(|n| {
                    if random.one_in(4) {
                        delete(&format!("s/{n}")).op()
                    } else {
                        put(&format!("s/{n}"), &format!("{i}")).op()
                    }
                })
                .collect();
            c.txn(TxnRequest { success, ..TxnRequest::default() }).await;
        } else if random.one_in(5) {
            c.put("unwatched", "x").await;
        } else {
            c.put(&format!("s/{}", random.below(8)), &format!("{i}")).await;
        }
    }
    c.put("s/end", "end").await;
}

/// While somebody writes, the reader is cut off after a random number of events, and goes on with the last id it saw.
#[tokio::test]
async fn cut_off_at_random() {
    let server = Server::start();
    if server.is_etcd() {
        return; // has no event stream
    }
    let mut c = server.grpc().await;
    let http = server.http();
    let mut whole = c.watch();
    whole.create(keyport_tests::grpc::watch_all("s/")).await;
    for seed in 1..=3 {
        let mut random = Random::new(seed + 100);
        let writer = tokio::spawn(random_writes(server.grpc().await, seed, 200));
        let mut stream = EventStream::open(&http, "/v3/watch?prefix=s/", "").await;
        let mut last = stream.next().await.unwrap().id;
        let mut seen = Vec::new();
        // The reader came after the writer, perhaps: what counts is from its first event on.
        let begin: i64 = last.split(['.', '~']).next().unwrap().parse().unwrap();
        'reading: loop {
            for _ in 0..random.below(12) {
                let Some(event) = stream.next().await else { break };
                last.clone_from(&event.id);
                if ["put", "delete"].contains(&event.event.as_str()) {
                    let value = data(&event);
                    let key = value["key"].as_str().unwrap().to_string();
                    let end = key == "s/end";
                    seen.push((event.event.clone(), key, value["value"].as_str().unwrap_or("").to_string()));
                    if end {
                        break 'reading;
                    }
                }
            }
            drop(stream);
            stream = EventStream::open(&http, "/v3/watch?prefix=s/", &last).await;
        }
        writer.await.unwrap();
        let mut want = Vec::new();
        'wanted: loop {
            for event in whole.next().await.events {
                let kv = event.kv.as_ref().unwrap();
                let key = String::from_utf8_lossy(&kv.key).into_owned();
                let end = key == "s/end";
                let kind = if event.r#type == 0 { "put" } else { "delete" };
                if kv.mod_revision > begin {
                    want.push((kind.to_string(), key, String::from_utf8_lossy(&kv.value).into_owned()));
                }
                if end {
                    break 'wanted;
                }
            }
        }
        assert_eq!(seen.len(), want.len(), "seed {seed}");
        assert_eq!(seen, want, "seed {seed}");
    }
}

/// The same over HTTP/2, and across restarts of the server.
#[tokio::test]
async fn restarts_in_between() {
    let mut server = Server::start();
    if server.is_etcd() {
        return; // has no event stream
    }
    let mut last = String::new();
    let mut seen = Vec::new();
    for round in 0..3 {
        let http = server.http2();
        let mut stream = EventStream::open(&http, "/v3/watch?prefix=s/&start_revision=2", &last).await;
        random_writes(server.grpc().await, round, 30).await;
        // Only a part is read before the server dies.
        for _ in 0..20 {
            let event = stream.next().await.unwrap();
            last.clone_from(&event.id);
            if ["put", "delete"].contains(&event.event.as_str()) {
                seen.push(event);
            }
        }
        server.kill();
        server.restart();
    }
    let http = server.http();
    let mut stream = EventStream::open(&http, "/v3/watch?prefix=s/", &last).await;
    let mut ends = seen.iter().filter(|e| data(e)["key"] == "s/end").count();
    while ends < 3 {
        let event = change(&mut stream).await;
        ends += usize::from(data(&event)["key"] == "s/end");
        seen.push(event);
    }
    let mut c = server.grpc().await;
    let mut whole = c.watch();
    let all = keyport_tests::grpc::watch_all("s/");
    whole.create(keyport_api::etcdserverpb::WatchCreateRequest { start_revision: 2, ..all }).await;
    let want = whole.events(seen.len()).await;
    assert_eq!(want.len(), seen.len());
    for (want, seen) in want.iter().zip(&seen) {
        let kv = want.kv.as_ref().unwrap();
        assert_eq!(data(seen)["key"].as_str().unwrap().as_bytes(), &kv.key[..]);
        assert_eq!(data(seen)["value"].as_str().unwrap_or("").as_bytes(), &kv.value[..]);
    }
}
