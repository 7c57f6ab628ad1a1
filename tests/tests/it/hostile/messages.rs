//! Bodies and messages: larger than they look, deeper than anybody reads, or never there.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::Method;
use keyport_api::etcdserverpb::{WatchCancelRequest, WatchRequest, watch_request::RequestUnion};
use keyport_tests::Server;
use keyport_tests::frames::kind::DATA;
use keyport_tests::frames::{Http2, frame, grpc};
use keyport_tests::grpc::{self, get, watch};
use keyport_tests::http::{Answer, b64};
use prost::Message as _;

use super::{Held, Siege, nothing};

const RANGE: &str = "/etcdserverpb.KV/Range";
const TXN: &str = "/etcdserverpb.KV/Txn";

/// One call over gRPC with exactly this body: its status if it is refused, else nothing.
async fn call(server: &Server, path: &str, body: Vec<u8>) -> (u16, String) {
    let headers = [("content-type", "application/grpc"), ("te", "trailers")];
    let answer = server.http2().send(Method::POST, path, &headers, body).await;
    (answer.status.as_u16(), answer.header("grpc-status").to_owned())
}

/// A field that holds bytes.
fn nested(tag: u8, inside: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    prost::encoding::encode_varint(inside.len() as u64, &mut out);
    out.extend(inside);
    out
}

#[tokio::test]
async fn messages_of_grpc() {
    let siege = Siege::start();
    let deep = (0..2_000).fold(Vec::new(), |inside, _| nested(0x12, &nested(0x22, &inside)));
    let groups = [vec![0x0b; 100_000], vec![0x0c; 100_000]].concat();
    let unknown = nested(0x7a, b"x").repeat(300_000);
    let numbers: Vec<u8> = [0xf8, 0x7f, 1].repeat(300_000);
    let again = nested(0x0a, b"k").repeat(400_000);
    let long = [&[0x0a][..], &[0xff; 9], &[1], b"k"].concat();
    // What is harmless is passed over, and has no answer but the usual one.
    let fine = "";
    for (name, path, message, expected) in [
        ("2,000 transactions, each in the other", TXN, deep, "13"),
        ("groups in groups", RANGE, groups.clone(), "13"),
        ("groups without an end", RANGE, vec![0x0b; 100_000], "13"),
        ("the end of no group", RANGE, vec![0x0c], "13"),
        ("300,000 fields that nobody knows", RANGE, [unknown, get("k").encode_to_vec()].concat(), fine),
        ("300,000 numbers that nobody knows", RANGE, [numbers, get("k").encode_to_vec()].concat(), fine),
        ("one field 400,000 times", RANGE, again, fine),
        ("a length above every message", RANGE, long, "13"),
        ("a field without a number", RANGE, vec![0x02, 0x00], "13"),
    ] {
        siege
            .row(name, async |server| {
                let (http, status) = call(server, path, grpc::frame(&message)).await;
                siege
                    .expect((http, &*status) == (200, expected), || format!("{name}: {expected}, but {http} {status}"));
                nothing()
            })
            .await;
    }
    for (name, prefix) in [
        ("four gigabytes announced, then nothing", [0, 0xff, 0xff, 0xff, 0xff]),
        ("the same, compressed", [1, 0xff, 0xff, 0xff, 0xff]),
    ] {
        for path in
            [RANGE, "/etcdserverpb.Lease/LeaseGrant", "/etcdserverpb.Watch/Watch", "/etcdserverpb.Lease/LeaseKeepAlive"]
        {
            siege
                .row(&format!("{name}, at {path}"), async |server| {
                    let mut http2 = Http2::open(server.addr()).await;
                    http2.send([grpc(1, path), frame(DATA, 0, 1, &prefix)].concat()).await;
                    // It is refused by what it announces, though the stream stays open.
                    let outcome = http2.outcome(&[1]).await;
                    assert!(!outcome.ended && outcome.statuses.contains_key(&1), "{path}: {outcome:?}");
                    Box::new(http2) as Held
                })
                .await;
        }
    }
    siege.end().await;
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn bodies_that_are_compressed() {
    let siege = Siege::start();
    let bomb = gzip(&vec![b' '; 1 << 20]);
    for encoding in ["gzip", "deflate", "br", "zstd", "x-gzip", "gzip, gzip", "snappy"] {
        siege
            .row(&format!("a body of JSON in {encoding}"), async |server| {
                for (path, method) in
                    [("/v3/kv/range", Method::POST), ("/v3/session", Method::POST), ("/v3/watch", Method::POST)]
                {
                    let headers = [("content-encoding", encoding), ("content-type", "application/json")];
                    let answer = server.http().send(method.clone(), path, &headers, bomb.clone()).await;
                    let is_met = answer.status == 415 && answer.header("accept-encoding") == "identity";
                    siege.expect(is_met, || format!("{encoding} at {path}: {}: {}", answer.status, answer.text()));
                }
                nothing()
            })
            .await;
    }
    siege
        .row("a body in no encoding", async |server| {
            for encoding in ["identity", "Identity", ""] {
                let headers = [("content-encoding", encoding)];
                let answer = server.http().send(Method::POST, "/v3/kv/range", &headers, r#"{"key":"aw=="}"#).await;
                siege.expect(answer.status == 200, || format!("{encoding}: {}", answer.text()));
            }
            nothing()
        })
        .await;
    siege.end().await;
}

#[tokio::test]
async fn json_that_is_hard_to_read() {
    let siege = Siege::start();
    let many = 300_000;
    let object = |inside: &str| format!(r#"{{"key":"aw==","x":{inside}}}"#);
    for (name, body, expected) in [
        ("arrays in arrays", object(&"[".repeat(many)), 400),
        ("arrays in arrays, to their end", object(&("[".repeat(many) + &"]".repeat(many))), 400),
        ("objects in objects", object(&(r#"{"a":"#.repeat(many) + "1" + &"}".repeat(many))), 400),
        ("transactions in transactions", r#"{"success":[{"request_txn":"#.repeat(20_000), 400),
        ("a number of a million digits", format!(r#"{{"key":"aw==","limit":{}}}"#, "9".repeat(1 << 20)), 400),
        ("an exponent beyond all numbers", r#"{"key":"aw==","limit":1e999999999999}"#.into(), 400),
        ("a small number with a large exponent", r#"{"key":"aw==","limit":0.00000000000000000000001e400}"#.into(), 400),
        ("a number that is none", r#"{"key":"aw==","limit":NaN}"#.into(), 400),
        ("a number with a zero before it", r#"{"key":"aw==","limit":012}"#.into(), 400),
        ("a name twice", r#"{"key":"aw==","key":"YQ=="}"#.into(), 400),
        ("a name twice, spelt otherwise", r#"{"key":"aw==","\u006bey":"YQ=="}"#.into(), 400),
        ("half a surrogate", r#"{"name":"\ud800","password":"x"}"#.into(), 400),
        ("two halves in the wrong order", r#"{"name":"\udc00\ud800","password":"x"}"#.into(), 400),
        ("a name of half a surrogate", r#"{"\ud800":1,"key":"aw=="}"#.into(), 400),
        ("no UTF-8", "{\"name\":\"\u{0}\"}".into(), 400),
        (
            "300,000 names that nobody knows",
            format!("{{{}\"key\":\"aw==\"}}", (0..many).map(|n| format!("\"{n}\":0,")).collect::<String>()),
            200,
        ),
        ("a megabyte of blanks", format!("{}{{\"key\":\"aw==\"}}", " ".repeat(1 << 20)), 200),
        ("more in a text than a key may have", format!(r#"{{"key":"{}"}}"#, "\\u0041".repeat(400_000)), 200),
    ] {
        let path = if body.contains("\"name\"") { "/v3/auth/authenticate" } else { "/v3/kv/range" };
        siege
            .row(name, async |server| {
                let answer: Answer = server.http().post(path, body).await;
                let is_met = answer.status == expected && answer.body.len() < 2_000;
                siege.expect(is_met, || format!("{name}: {expected}, but {}: {}", answer.status, answer.text()));
                nothing()
            })
            .await;
    }
    siege.end().await;
}

#[tokio::test]
async fn watches_without_number() {
    const MANY: i64 = 10_000;
    let siege = Siege::start();
    let create = |key: &str| Some(RequestUnion::CreateRequest(watch(key)));
    let stream = |requests: Vec<RequestUnion>| -> Vec<u8> {
        let messages =
            requests.into_iter().map(|request| WatchRequest { request_union: Some(request) }.encode_to_vec());
        messages.flat_map(|message| frame(DATA, 0, 1, &grpc::frame(&message))).collect()
    };
    siege
        .row("watchers that are cancelled at once", async |server| {
            let mut http2 = Http2::open(server.addr()).await;
            http2.send(grpc(1, "/etcdserverpb.Watch/Watch")).await;
            for first in (0..MANY).step_by(500) {
                let both = (first..first + 500).flat_map(|watch_id| {
                    [create("k"), Some(RequestUnion::CancelRequest(WatchCancelRequest { watch_id }))]
                        .into_iter()
                        .flatten()
                });
                http2.send(stream(both.collect())).await;
            }
            Box::new(http2) as Held
        })
        .await;
    siege
        .row("watchers that stay", async |server| {
            let mut http2 = Http2::open(server.addr()).await;
            http2.send(grpc(1, "/etcdserverpb.Watch/Watch")).await;
            http2.send(stream((0..MANY).filter_map(|n| create(&format!("k{n}"))).collect())).await;
            Box::new(http2) as Held
        })
        .await;
    siege
        .row("watches of the past and of the future", async |server| {
            let http = server.http();
            for start in ["1", "-1", "9223372036854775807"] {
                let body = format!(r#"{{"create_request":{{"key":"{}","start_revision":"{start}"}}}}"#, b64("k"));
                let mut lines = http.stream("/v3/watch", body.repeat(200)).await;
                lines.json().await;
            }
            nothing()
        })
        .await;
    siege.end().await;
}
