//! Many calls on one HTTP/2 connection, given up at once: after a pause of the network, a client has hundreds of them in
//! flight, and the watches beside them must live on.

use keyport_api::etcdserverpb::{WatchRequest, watch_request::RequestUnion};
use keyport_api::v3lockpb::LockRequest;
use keyport_tests::Server;
use keyport_tests::grpc::{bytes, frame, get, list, watch_all};
use keyport_tests::raw::Raw;
use keyport_tests::wait::eventually;
use prost::Message;
use std::time::Duration;
use tonic::Request;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

pub(crate) fn h2_frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A name and a value that no table keeps.
fn header(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(0);
    for text in [name, value] {
        out.push(text.len() as u8); // below 127
        out.extend(text.bytes());
    }
}

/// The head of a gRPC call.
pub(crate) fn head(stream: u32, path: &str) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ] {
        header(&mut block, name, value);
    }
    h2_frame(HEADERS, END_HEADERS, stream, &block)
}

/// The next frame: its kind, its stream, its payload.
pub(crate) async fn next(raw: &mut Raw) -> (u8, u32, Vec<u8>) {
    loop {
        if let Some(head) = raw.buffer.first_chunk::<9>().copied() {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            if raw.buffer.len() >= 9 + length {
                let payload = raw.buffer[9..9 + length].to_vec();
                raw.buffer.drain(..9 + length);
                let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff;
                return (head[3], stream, payload);
            }
        }
        assert!(raw.read_more().await, "the connection has ended");
    }
}

/// Data of one stream, whatever else comes meanwhile. Nothing may end the connection.
async fn data_of(raw: &mut Raw, wanted: u32) -> Vec<u8> {
    loop {
        let (kind, stream, payload) = next(raw).await;
        assert_ne!(kind, GOAWAY, "the server gives the connection up: {}", String::from_utf8_lossy(&payload));
        assert!(stream != wanted || kind != RST_STREAM, "the watch was ended");
        if kind == DATA && stream == wanted && !payload.is_empty() {
            return payload;
        }
    }
}

#[tokio::test]
async fn hundreds_of_calls_cancelled_in_one_burst() {
    const CALLS: u32 = 300;
    let server = Server::start();
    let mut raw = Raw::connect(server.addr()).await;
    raw.send([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), h2_frame(SETTINGS, 0, 0, &[])].concat()).await;
    let create = WatchRequest { request_union: Some(RequestUnion::CreateRequest(watch_all("k"))) };
    let create = frame(&create.encode_to_vec());
    raw.send([head(1, "/etcdserverpb.Watch/Watch"), h2_frame(DATA, 0, 1, &create)].concat()).await;
    data_of(&mut raw, 1).await;

    // All of it reaches the server in one piece, as after a pause.
    let range = frame(&get("k").encode_to_vec());
    let mut burst = Vec::new();
    for call in 1..=CALLS {
        let stream = 2 * call + 1;
        burst.extend(head(stream, "/etcdserverpb.KV/Range"));
        burst.extend(h2_frame(DATA, END_STREAM, stream, &range));
        burst.extend(h2_frame(RST_STREAM, 0, stream, &8u32.to_be_bytes()));
    }
    assert!(raw.send(burst).await);
    server.grpc().await.put("k1", "after the burst").await;
    let event = data_of(&mut raw, 1).await;
    assert!(event.windows(2).any(|bytes| bytes == b"k1"), "{event:?}");
    // The connection takes new calls, too.
    let stream = 2 * CALLS + 3;
    raw.send([head(stream, "/etcdserverpb.KV/Range"), h2_frame(DATA, END_STREAM, stream, &range)].concat()).await;
    data_of(&mut raw, stream).await;
}

#[tokio::test]
async fn a_hundred_calls_whose_time_is_over_at_once() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let mut events = c.watch();
    events.create(watch_all("k")).await;
    let held = c.grant(1000).await;
    c.lock.lock(LockRequest { name: bytes("l"), lease: held }).await.unwrap();
    let mut calls = Vec::new();
    for _ in 0..100 {
        let (mut c, lease) = (c.clone(), c.grant(1000).await);
        let mut request = Request::new(LockRequest { name: bytes("l"), lease });
        request.set_timeout(Duration::from_millis(100));
        calls.push(tokio::spawn(async move { c.lock.lock(request).await }));
    }
    for call in calls {
        call.await.unwrap().unwrap_err();
    }
    c.put("k1", "v").await;
    assert_eq!(events.events(1).await.len(), 1);
    eventually("all have left the line", async || {
        let count = server.grpc().await.range(list("l/")).await.count;
        (count == 1).then_some(())
    })
    .await;
}
