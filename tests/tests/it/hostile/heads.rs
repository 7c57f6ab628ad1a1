//! Heads of requests over HTTP/2: too large, packed too tightly, or no heads at all.

use keyport_api::etcdserverpb::{WatchRequest, watch_request::RequestUnion};
use keyport_tests::frames::flag::{END_HEADERS, END_STREAM};
use keyport_tests::frames::kind::{CONTINUATION, DATA, HEADERS, RST_STREAM};
use keyport_tests::frames::reason::{ENHANCE_YOUR_CALM, PROTOCOL_ERROR};
use keyport_tests::frames::{Http2, block, field, frame, grpc, request};
use keyport_tests::grpc::{self, watch_all};
use prost::Message as _;

use super::http2::{Expect, table};
use super::{Held, Siege};

/// The largest frame that may be sent unasked.
const LARGEST: usize = 16_384;

/// A GET with more in its head, in as many frames as that takes.
fn whole(stream: u32, block: &[u8]) -> Vec<u8> {
    let mut pieces = block.chunks(LARGEST).peekable();
    let mut out = Vec::new();
    let mut kind = HEADERS;
    while let Some(piece) = pieces.next() {
        let end = if pieces.peek().is_none() { END_HEADERS } else { 0 };
        let flags = if kind == HEADERS { end | END_STREAM } else { end };
        out.extend(frame(kind, flags, stream, piece));
        kind = CONTINUATION;
    }
    out
}

fn with(fields: &[(&str, &str)]) -> Vec<u8> {
    whole(1, &[request("GET", "/version"), block(fields)].concat())
}

/// One large field in the table, and so many times the byte that stands for it.
fn bomb(times: usize) -> Vec<u8> {
    let mut fields = request("GET", "/version");
    field(&mut fields, 0x40, b"a", &[b'x'; 4000]);
    fields.extend(vec![0xbe; times]);
    whole(1, &fields)
}

#[tokio::test]
async fn too_much_in_a_head() {
    let (large, huge) = ("x".repeat(80_000), "x".repeat(1 << 20));
    let few = [("a", "")].repeat(2_500);
    let many = [("a", "")].repeat(50_000);
    let too_large = Expect::Status(431);
    let calm = Expect::Ends(ENHANCE_YOUR_CALM);
    table(
        Siege::start(),
        vec![
            ("a header of 80 kB", with(&[("a", &large)]), too_large),
            ("a header of a megabyte", with(&[("a", &huge)]), calm),
            ("2,500 headers", with(&few), too_large),
            ("50,000 headers", with(&many), calm),
            ("twenty times one of four kilobytes, by its number", bomb(20), too_large),
            ("15,000 times one of four kilobytes, by its number", bomb(15_000), calm),
            ("a path of 70 kB", whole(1, &request("GET", &format!("/{}", "p".repeat(70_000)))), too_large),
        ],
    )
    .await;
}

#[tokio::test]
async fn what_is_no_head() {
    let malformed = Expect::Reset(PROTOCOL_ERROR);
    // What cannot be unpacked, or is no name and no value, ends the connection with its table.
    let packed = Expect::Ends(PROTOCOL_ERROR);
    let raw = |block: &[u8]| whole(1, block);
    let get = |path: &str| raw(&request("GET", path));
    let sized = |lengths: &[(&str, &str)], body: &[u8]| {
        let head = frame(HEADERS, END_HEADERS, 1, &[request("POST", "/v3/kv/range"), block(lengths)].concat());
        [head, frame(DATA, END_STREAM, 1, body)].concat()
    };
    table(
        Siege::start(),
        vec![
            ("an entry that the table has not", raw(&[0xff, 0xff, 0x7f]), packed),
            ("a number without an end", raw(&[0xff; 30]), packed),
            ("a table larger than was allowed", raw(&[0x3f, 0xff, 0xff, 0x7f]), packed),
            (
                "a table whose size changes 10,000 times",
                raw(&[&[0x20; 10_000][..], &request("GET", "/version")].concat()),
                Expect::ServedOrCalmed,
            ),
            ("a text that is no Huffman code", raw(&[0, 0x81, 0xff, 0x81, 0xff]), packed),
            ("nothing", raw(&[0x20]), malformed),
            ("no path", raw(&block(&[(":method", "GET"), (":scheme", "http"), (":authority", "a")])), malformed),
            ("two paths", raw(&[request("GET", "/version"), block(&[(":path", "/health")])].concat()), malformed),
            ("two methods", raw(&[block(&[(":method", "PUT")]), request("GET", "/version")].concat()), malformed),
            ("an unknown pseudo header", raw(&[block(&[(":a", "b")]), request("GET", "/version")].concat()), packed),
            ("a status", raw(&[block(&[(":status", "200")]), request("GET", "/version")].concat()), malformed),
            (
                "a pseudo header behind a header",
                raw(&[block(&[("a", "b")]), request("GET", "/version")].concat()),
                malformed,
            ),
            ("a name in capitals", with(&[("A", "b")]), packed),
            ("a name with a blank", with(&[("a b", "b")]), packed),
            ("no name", with(&[("", "b")]), packed),
            ("a value with a line's end", with(&[("a", "b\r\nc: d")]), packed),
            ("a value with a zero", with(&[("a", "b\0c")]), packed),
            ("another host in a header", with(&[("host", "elsewhere.example")]), Expect::Status(400)),
            ("the same host twice", with(&[("host", "localhost"), ("host", "localhost")]), Expect::Served),
            ("headers of a connection", with(&[("connection", "close")]), malformed),
            ("an encoding of the transfer", with(&[("transfer-encoding", "chunked")]), malformed),
            ("another te than trailers", with(&[("te", "gzip")]), malformed),
            ("an upgrade", with(&[("upgrade", "h2c")]), malformed),
            ("a path without a slash", get("version"), malformed),
            ("a path that is another URL", get("http://elsewhere.example/version"), malformed),
            ("an empty path", get(""), malformed),
            ("a method without a path", get("*"), Expect::Status(404)),
            ("no method that there is", raw(&request("EAT", "/version")), Expect::Status(405)),
            (
                "a name that is no host",
                raw(&block(&[(":method", "GET"), (":scheme", "http"), (":path", "/version"), (":authority", "a b")])),
                malformed,
            ),
            (
                "a tunnel",
                raw(&block(&[(":method", "CONNECT"), (":authority", "elsewhere.example:80")])),
                Expect::Served,
            ),
            ("two lengths", sized(&[("content-length", "2"), ("content-length", "3")], b"{}"), malformed),
            ("a length that is none", sized(&[("content-length", "-2")], b"{}"), malformed),
            ("a length above what comes", sized(&[("content-length", "3")], b"{}"), malformed),
            ("a length below what comes", sized(&[("content-length", "1")], b"{}"), malformed),
            ("one length twice", sized(&[("content-length", "2"), ("content-length", "2")], b"{}"), Expect::Served),
            ("an integer above every table", raw(&[0x7f, 0xff, 0xff, 0xff, 0xff, 0x0f]), packed),
        ],
    )
    .await;
}

/// Metadata that is too large costs its own call alone.
#[tokio::test]
async fn too_much_metadata_leaves_other_streams() {
    let siege = Siege::start();
    siege
        .row("metadata of 80 kB", async |server| {
            let mut http2 = Http2::open(server.addr()).await;
            let create = WatchRequest { request_union: Some(RequestUnion::CreateRequest(watch_all("k"))) };
            let create = grpc::frame(&create.encode_to_vec());
            http2.send([grpc(1, "/etcdserverpb.Watch/Watch"), frame(DATA, 0, 1, &create)].concat()).await;
            while http2.next().await.expect("the watch begins").kind != DATA {}
            let large = "x".repeat(80_000);
            let call = block(&[("content-type", "application/grpc"), ("te", "trailers"), ("a", &large)]);
            http2.send(whole(3, &[request("POST", "/etcdserverpb.KV/Range"), call].concat())).await;
            let refused = http2.outcome(&[3]).await;
            assert!(!refused.ended && refused.goaway.is_none(), "{refused:?}");
            server.grpc().await.put("k1", "v").await;
            loop {
                let frame = http2.next().await.expect("the connection goes on");
                assert!(frame.stream != 1 || frame.kind != RST_STREAM, "the watch was ended");
                if frame.stream == 1 && frame.kind == DATA && frame.payload.windows(2).any(|two| two == b"k1") {
                    break;
                }
            }
            Box::new(http2) as Held
        })
        .await;
    siege.end().await;
}
