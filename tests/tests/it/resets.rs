//! Many calls on one HTTP/2 connection, given up at once: after a pause of the network, a client has hundreds of them in
//! flight, and the watches beside them must live on.

use keyport_api::etcdserverpb::{WatchRequest, watch_request::RequestUnion};
use keyport_api::v3lockpb::LockRequest;
use keyport_tests::Server;
use keyport_tests::frames::flag::END_STREAM;
use keyport_tests::frames::kind::{DATA, GOAWAY, RST_STREAM};
use keyport_tests::frames::reason::CANCEL;
use keyport_tests::frames::{self, Frame, Http2, grpc, reset};
use keyport_tests::grpc::{bytes, frame, get, list, watch_all};
use keyport_tests::wait::eventually;
use prost::Message;
use std::time::Duration;
use tonic::Request;

/// Data of one stream, whatever else comes meanwhile. Nothing may end the connection.
async fn data_of(http2: &mut Http2, wanted: u32) -> Vec<u8> {
    loop {
        let Frame { kind, stream, payload, .. } = http2.next().await.expect("the connection goes on");
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
    let mut http2 = Http2::open(server.addr()).await;
    let create = WatchRequest { request_union: Some(RequestUnion::CreateRequest(watch_all("k"))) };
    let create = frame(&create.encode_to_vec());
    http2.send([grpc(1, "/etcdserverpb.Watch/Watch"), frames::frame(DATA, 0, 1, &create)].concat()).await;
    data_of(&mut http2, 1).await;

    // All of it reaches the server in one piece, as after a pause.
    let range = frame(&get("k").encode_to_vec());
    let mut burst = Vec::new();
    for call in 1..=CALLS {
        let stream = 2 * call + 1;
        burst.extend(grpc(stream, "/etcdserverpb.KV/Range"));
        burst.extend(frames::frame(DATA, END_STREAM, stream, &range));
        burst.extend(reset(stream, CANCEL));
    }
    assert!(http2.send(burst).await);
    server.grpc().await.put("k1", "after the burst").await;
    let event = data_of(&mut http2, 1).await;
    assert!(event.windows(2).any(|bytes| bytes == b"k1"), "{event:?}");
    // The connection takes new calls, too.
    let stream = 2 * CALLS + 3;
    http2
        .send([grpc(stream, "/etcdserverpb.KV/Range"), frames::frame(DATA, END_STREAM, stream, &range)].concat())
        .await;
    data_of(&mut http2, stream).await;
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
