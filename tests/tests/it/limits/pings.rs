//! Clients that ask too often whether the server is there: gRPC's rule, as etcd keeps it.

use keyport_api::etcdserverpb::RangeRequest;
use keyport_tests::Server;
use keyport_tests::grpc::{frame, get};
use keyport_tests::raw::Raw;
use prost::Message as _;

use crate::resets::{DATA, END_STREAM, GOAWAY, HEADERS, SETTINGS, h2_frame, head, next};

const PING: u8 = 6;
/// The reason of who wants less to be asked.
const ENHANCE_YOUR_CALM: [u8; 4] = [0, 0, 0, 11];

#[tokio::test]
async fn who_pings_all_the_time_while_nothing_is_asked_is_let_go() {
    let server = Server::start();
    let mut raw = Raw::connect(server.addr()).await;
    let range: RangeRequest = get("k");
    raw.send([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), h2_frame(SETTINGS, 0, 0, &[])].concat()).await;
    let message = h2_frame(DATA, END_STREAM, 1, &frame(&range.encode_to_vec()));
    raw.send([head(1, "/etcdserverpb.KV/Range"), message].concat()).await;
    // Its head, and its trailers.
    let mut heads = 0;
    while heads < 2 {
        heads += u32::from(next(&mut raw).await.0 == HEADERS);
    }
    // The first comes after an answer, and two more are overlooked.
    for time in 0..3 {
        raw.send(h2_frame(PING, 0, 0, b"pingpong")).await;
        let (mut kind, mut payload) = (SETTINGS, Vec::new());
        while kind != PING {
            (kind, _, payload) = next(&mut raw).await;
            assert_ne!(kind, GOAWAY, "{time}");
        }
        assert_eq!(payload, b"pingpong");
    }
    raw.send(h2_frame(PING, 0, 0, b"pingpong")).await;
    let told = loop {
        if let (GOAWAY, _, payload) = next(&mut raw).await {
            break payload;
        }
    };
    assert_eq!(told, [&[0, 0, 0, 1][..], &ENHANCE_YOUR_CALM, b"too_many_pings"].concat());
    raw.read_to_end().await;
}
