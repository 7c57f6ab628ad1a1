//! Clients that ask too often whether the server is there.

use super::*;
use crate::http::frames::{self, Frames, HEADERS, Head};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0pingpong";
/// Its head, then no stream, the reason, and why.
const GOAWAY: &[u8] = b"\0\0\x16\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0btoo_many_pings";

/// A connection that has been greeted, and what walks over what comes back.
async fn greeted(server: &Server) -> (TcpStream, Frames) {
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream.write_all(PREFACE).await.unwrap();
    let mut frames = Frames::default();
    frames.walk(frames::PREFACE, |_| ());
    (stream, frames)
}

/// Sends a ping; whether there is an answer.
async fn ping(stream: &mut TcpStream, frames: &mut Frames) -> bool {
    stream.write_all(PING).await.unwrap();
    comes(stream, frames, |head| (head.kind, head.flags) == (frames::PING, frames::ACK)).await
}

/// All that still comes.
async fn last_words(stream: &mut TcpStream) -> Vec<u8> {
    let mut words = Vec::new();
    timeout(LONG, stream.read_to_end(&mut words)).await.expect("it goes on").unwrap();
    words
}

#[tokio::test]
async fn three_too_soon_end_the_connection() {
    let server = start(Setup::default());
    let (mut stream, mut frames) = greeted(&server).await;
    for time in 0..3 {
        assert!(ping(&mut stream, &mut frames).await, "{time}");
    }
    stream.write_all(PING).await.unwrap();
    let words = last_words(&mut stream).await;
    assert!(words.ends_with(GOAWAY), "{words:?}");
    // Of many at once most are not answered, wherever they are cut.
    let (mut stream, _) = greeted(&server).await;
    stream.write_all(&PING.repeat(10_000)).await.unwrap();
    stream.shutdown().await.unwrap();
    let words = last_words(&mut stream).await;
    assert!(words.ends_with(GOAWAY) && words.len() < 100_000, "{}", words.len());
}

/// Browsers and proxies have no such rule, and neither has etcd for them.
#[tokio::test]
async fn who_asks_for_something_else_than_grpc_may_ping() {
    let server = start(Setup::default());
    let (mut stream, mut frames) = greeted(&server).await;
    // GET / over http, by the static table.
    stream.write_all(b"\0\0\x03\x01\x05\0\0\0\x01\x82\x84\x86").await.unwrap();
    for time in 0..20 {
        assert!(ping(&mut stream, &mut frames).await, "{time}");
    }
}

/// A call that is answered makes up for a ping.
#[tokio::test]
async fn who_is_answered_may_ping() {
    let server = start(Setup::default());
    let (mut stream, mut frames) = greeted(&server).await;
    for id in (1..40_u8).step_by(2) {
        stream.write_all(&put(id)).await.unwrap();
        let ends = |head: Head| (head.kind, head.flags & 1, head.stream) == (HEADERS, 1, u32::from(id));
        assert!(comes(&mut stream, &mut frames, ends).await, "{id}");
        assert!(ping(&mut stream, &mut frames).await, "{id}");
    }
}

/// A whole call of gRPC.
fn put(id: u8) -> Vec<u8> {
    // POST over http, by the static table; the rest as it is, without Huffman.
    let mut block = b"\x83\x86".to_vec();
    for (name, value) in
        [(&b"\x04"[..], "/etcdserverpb.KV/Put"), (b"\x01", "localhost"), (b"\x0f\x10", "application/grpc")]
    {
        block.extend([name, &[u8::try_from(value.len()).unwrap()], value.as_bytes()].concat());
    }
    let length = u8::try_from(block.len()).unwrap();
    let head = [0, 0, length, HEADERS, 4, 0, 0, 0, id];
    let message = [0, 0, 5, 0, 1, 0, 0, 0, id, 0, 0, 0, 0, 0];
    [&head[..], &block, &message].concat()
}

/// Reads until such a frame has come; whether it has.
async fn comes(stream: &mut TcpStream, frames: &mut Frames, is_wanted: impl Fn(Head) -> bool) -> bool {
    let mut has_come = false;
    while !has_come {
        let mut data = [0; 4096];
        match timeout(LONG, stream.read(&mut data)).await.expect("nothing comes") {
            Ok(read) if read > 0 => frames.walk(&data[..read], |head| has_come |= is_wanted(head)),
            _ => return false,
        }
    }
    true
}
