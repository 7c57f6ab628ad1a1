//! Streams that are cut at random while somebody writes, in each of their forms: who comes back with the last id that it saw sees
//! every change once.

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use keyport_api::etcdserverpb::{TxnRequest, WatchCreateRequest};
use keyport_tests::grpc::{Grpc, IntoOp, delete, put, watch_all};
use keyport_tests::random::Random;
use keyport_tests::raw::Raw;
use keyport_tests::sse::EventStream;
use keyport_tests::wait::within;
use keyport_tests::websocket;
use serde_json::{Value, json};

use super::Store;

const FORMS: [Form; 4] = [Form::Named, Form::Unnamed, Form::Lines, Form::Socket];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Named,
    Unnamed,
    Lines,
    Socket,
}

/// A stream in some form.
enum Stream {
    Events(Form, EventStream),
    Lines(Incoming, String),
    Socket(Raw),
}

impl Stream {
    /// Goes on behind an id; with none, from the first revision on.
    async fn open(store: &Store, form: Form, seen: &str) -> Stream {
        let from = if seen.is_empty() { "since=1".to_owned() } else { format!("last_event_id={seen}") };
        let path = format!("/v3/keys?prefix=s/&watch&{from}");
        match form {
            Form::Named => Stream::Events(form, EventStream::open(&store.http, &path, seen).await),
            Form::Unnamed => {
                Stream::Events(form, EventStream::open(&store.http, &format!("{path}&unnamed"), seen).await)
            }
            Form::Lines => {
                let answer = store.http.get_stream(&path, &[("accept", "application/x-ndjson")]).await;
                assert_eq!(answer.status(), 200);
                Stream::Lines(answer.into_body(), String::new())
            }
            Form::Socket => {
                let (raw, head) = websocket::open(store.server.addr(), &path, "").await;
                assert!(head.starts_with("HTTP/1.1 101"), "{head}");
                Stream::Socket(raw)
            }
        }
    }

    /// The next event: its id, its name, its data.
    async fn next(&mut self) -> (String, String, Value) {
        let mut line = match self {
            Stream::Events(form, stream) => {
                let event = stream.next().await.expect("the stream goes on");
                let data: Value = serde_json::from_str(&event.data).unwrap();
                let mut object =
                    if *form == Form::Unnamed { data } else { json!({"event": event.event, "data": data}) };
                object["id"] = event.id.into();
                object
            }
            Stream::Lines(body, text) => loop {
                if let Some((line, rest)) = text.split_once('\n') {
                    let (line, rest) = (line.to_owned(), rest.to_owned());
                    *text = rest;
                    if line.is_empty() {
                        continue;
                    }
                    break serde_json::from_str(&line).unwrap();
                }
                let frame = within("a line", body.frame()).await.expect("the stream goes on").unwrap();
                *text += std::str::from_utf8(frame.data_ref().unwrap()).unwrap();
            },
            Stream::Socket(raw) => websocket::message(raw).await,
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&line["id"]), text(&line["event"]), line["data"].take())
    }
}

async fn random_writes(mut grpc: Grpc, seed: u64) {
    let mut random = Random::new(seed);
    for n in 0..150 {
        if random.one_in(3) {
            // Several changes in one revision: the place where resuming goes wrong most easily.
            let one = |key: usize, gone: bool| {
                let key = format!("s/{key}");
                if gone { delete(&key).op() } else { put(&key, &n.to_string()).op() }
            };
            let success = (0..1 + random.below(6)).map(|key| one(key, random.one_in(4))).collect();
            grpc.txn(TxnRequest { success, ..TxnRequest::default() }).await;
        } else if random.one_in(5) {
            grpc.put("unwatched", "x").await;
        } else {
            grpc.put(&format!("s/{}", random.below(8)), &n.to_string()).await;
        }
    }
    grpc.put("s/end", "end").await;
}

/// All changes up to the last, through as many streams as it takes.
async fn read(store: &Store, form: Form, seed: u64) -> Vec<(String, Value, Value)> {
    let mut random = Random::new(seed);
    let (mut seen, mut all) = (String::new(), Vec::new());
    loop {
        let mut stream = Stream::open(store, form, &seen).await;
        for _ in 0..random.below(12) {
            let (id, event, data) = stream.next().await;
            if !id.is_empty() {
                seen = id;
            }
            if ["put", "delete"].contains(&&*event) {
                let is_last = data["key"] == "s/end";
                all.push((event, data["key"].clone(), data["value"].clone()));
                if is_last {
                    return all;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_is_seen_once_in_every_form() {
    let store = Store::start();
    let writer = tokio::spawn(random_writes(store.server.grpc().await, 1));
    let mut all = Vec::new();
    for (seed, form) in (1..).zip(FORMS) {
        all.push((form, read(&store, form, seed).await));
    }
    writer.await.unwrap();
    let mut grpc = store.server.grpc().await;
    let mut whole = grpc.watch();
    whole.create(WatchCreateRequest { start_revision: 2, ..watch_all("s/") }).await;
    let wanted: Vec<_> = whole.events(all[0].1.len()).await;
    let text = |bytes: &[u8]| json!(std::str::from_utf8(bytes).unwrap());
    let wanted: Vec<_> = wanted
        .iter()
        .map(|event| {
            let kv = event.kv.as_ref().unwrap();
            match event.r#type {
                0 => ("put".to_owned(), text(&kv.key), text(&kv.value)),
                _ => ("delete".to_owned(), text(&kv.key), Value::Null),
            }
        })
        .collect();
    for (form, seen) in all {
        assert_eq!(seen.len(), wanted.len(), "{form:?}");
        assert_eq!(seen, wanted, "{form:?}");
    }
}
