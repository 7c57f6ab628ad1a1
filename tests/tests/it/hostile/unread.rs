//! Those who ask and do not read, and those who announce and do not send.

use keyport_tests::frames::flag::{END_HEADERS, END_STREAM};
use keyport_tests::frames::kind::{DATA, HEADERS};
use keyport_tests::frames::{Http2, frame, get, grpc, request, setting, window_update};
use keyport_tests::grpc;
use keyport_tests::http::b64;

use super::{Held, Siege};

const INITIAL_WINDOW: u16 = 4;

fn call(stream: u32, path: &str, message: &[u8]) -> Vec<u8> {
    [grpc(stream, path), frame(DATA, END_STREAM, stream, &grpc::frame(message))].concat()
}

#[tokio::test]
async fn answers_for_which_there_is_no_room() {
    const STREAMS: u32 = 500;
    let siege = Siege::start();
    siege.server.grpc().await.put("large", &"x".repeat(1 << 20)).await;
    let range = prost::Message::encode_to_vec(&grpc::get("large"));
    for (name, window, connection) in [
        ("no room on any stream", 0, 0),
        ("a byte on each stream", 1, 0),
        ("room on the streams, none on the connection", 1 << 30, 0),
        ("little by little", 0, 1),
    ] {
        siege
            .row(name, async |server| {
                let mut http2 = Http2::open(server.addr()).await;
                let asked: Vec<u8> =
                    (0..STREAMS).flat_map(|n| call(2 * n + 1, "/etcdserverpb.KV/Range", &range)).collect();
                http2.send([setting(INITIAL_WINDOW, window), asked].concat()).await;
                for n in 0..connection * STREAMS {
                    http2.send(window_update(2 * n + 1, 1)).await;
                }
                // What has been asked before this has been taken up by now.
                let probe = 2 * STREAMS + 1;
                http2.send(get(probe, "/version")).await;
                let outcome = http2.outcome(&[probe]).await;
                assert!(outcome.statuses.contains_key(&probe) || outcome.goaway.is_some(), "{name}: {outcome:?}");
                Box::new(http2) as Held
            })
            .await;
    }
    // As JSON, which is not what the store has.
    siege
        .row("no room on any stream, as JSON", async |server| {
            let mut http2 = Http2::open(server.addr()).await;
            let body = format!(r#"{{"key":"{}"}}"#, b64("large"));
            let asked = |n: u32| {
                [head(2 * n + 1, "/v3/kv/range"), frame(DATA, END_STREAM, 2 * n + 1, body.as_bytes())].concat()
            };
            let asked: Vec<u8> = (0..STREAMS / 2).flat_map(asked).collect();
            http2.send([setting(INITIAL_WINDOW, 0), asked].concat()).await;
            http2.send(get(2 * STREAMS + 1, "/version")).await;
            let outcome = http2.outcome(&[2 * STREAMS + 1]).await;
            assert!(outcome.statuses.contains_key(&(2 * STREAMS + 1)) || outcome.goaway.is_some(), "{outcome:?}");
            Box::new(http2) as Held
        })
        .await;
    siege.end().await;
}

fn head(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &request("POST", path))
}

/// They take what was sent, as long as it is waited for, and no more.
#[tokio::test]
async fn bodies_of_which_the_last_byte_is_missing() {
    /// Just below what a put may have: what is announced to be more is refused by that.
    const LENGTH: u32 = 1_500_000;
    const STREAMS: u32 = 15;
    let siege = Siege::start();
    let message = [&[0][..], &LENGTH.to_be_bytes(), &vec![0; LENGTH as usize - 1]].concat();
    for path in ["/etcdserverpb.KV/Put", "/etcdserverpb.Lease/LeaseGrant", "/etcdserverpb.Watch/Watch"] {
        siege
            .row(&format!("messages but for a byte, at {path}"), async |server| {
                let mut http2 = Http2::open(server.addr()).await;
                for n in 0..STREAMS {
                    http2.send(grpc(2 * n + 1, path)).await;
                    assert!(http2.send_data(2 * n + 1, &message).await, "{path}: {n}");
                }
                Box::new(http2) as Held
            })
            .await;
    }
    siege.end().await;
}
