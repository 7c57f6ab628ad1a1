//! Clients that ask too often whether the server is there: gRPC's rule, as etcd keeps it.

use keyport_api::etcdserverpb::RangeRequest;
use keyport_tests::Server;
use keyport_tests::frames::{self, Http2, flag, kind, reason};
use keyport_tests::grpc::{frame, get};
use prost::Message as _;

#[tokio::test]
async fn who_pings_all_the_time_while_nothing_is_asked_is_let_go() {
    let server = Server::start();
    let mut client = Http2::open(server.addr()).await;
    let range: RangeRequest = get("k");
    client.send(frames::grpc(1, "/etcdserverpb.KV/Range")).await;
    client.send(frames::frame(kind::DATA, flag::END_STREAM, 1, &frame(&range.encode_to_vec()))).await;
    // Its head, and its trailers.
    let mut heads = 0;
    while heads < 2 {
        heads += u32::from(client.next().await.expect("an answer").kind == kind::HEADERS);
    }
    let ping = frames::frame(kind::PING, 0, 0, b"pingpong");
    // The first comes after an answer, and two more are overlooked.
    for time in 0..3 {
        client.send(&ping).await;
        let pong = loop {
            let frame = client.next().await.expect("the connection goes on");
            assert_ne!(frame.kind, kind::GOAWAY, "{time}");
            if frame.kind == kind::PING {
                break frame;
            }
        };
        assert_eq!(pong.payload, b"pingpong");
    }
    client.send(&ping).await;
    let told = loop {
        let frame = client.next().await.expect("a last word");
        if frame.kind == kind::GOAWAY {
            break frame.payload;
        }
    };
    assert_eq!(told, [&[0, 0, 0, 1][..], &reason::ENHANCE_YOUR_CALM.to_be_bytes(), b"too_many_pings"].concat());
    assert_eq!(client.next().await.map(|frame| frame.kind), None);
}
