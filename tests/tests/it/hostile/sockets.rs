//! Frames of WebSocket that no browser would send.

use keyport_tests::http::b64;
use keyport_tests::raw::Raw;
use keyport_tests::websocket::opcode::{BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT};
use keyport_tests::websocket::{self, FIN, frame, head, text};

use super::{Held, Siege};

const PROTOCOL: u16 = 1002;
const TOO_LARGE: u16 = 1009;
const NOT_UNDERSTOOD: u16 = 1007;

async fn open(siege: &Siege) -> Raw {
    let (raw, head) = websocket::open(siege.server.addr(), "/v3/watch", "").await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    raw
}

fn create() -> String {
    format!(r#"{{"create_request":{{"key":"{}"}}}}"#, b64("k"))
}

#[tokio::test]
async fn frames_that_are_wrong() {
    let siege = Siege::start();
    let half = |kind: u8| frame(kind, b"{");
    for (name, bytes, expected) in [
        ("a text without a mask", [head(FIN | TEXT, 2, false), b"{}".to_vec()].concat(), PROTOCOL),
        (
            "a length that no number holds",
            vec![FIN | TEXT, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4],
            TOO_LARGE,
        ),
        (
            "eight exabytes announced",
            vec![FIN | TEXT, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4],
            TOO_LARGE,
        ),
        ("a gigabyte announced, then nothing", [head(FIN | TEXT, 1 << 30, true), vec![1, 2, 3, 4]].concat(), TOO_LARGE),
        ("a text that is no UTF-8", frame(FIN | TEXT, b"{\xff"), PROTOCOL),
        ("half a character at the end of a text", frame(FIN | TEXT, b"{\xe2\x82"), PROTOCOL),
        ("a kind that nobody knows", frame(FIN | 3, b""), PROTOCOL),
        ("a kind of control that nobody knows", frame(FIN | 0xb, b""), PROTOCOL),
        ("a bit for what was not agreed on", frame(FIN | 0x40 | TEXT, b"x"), PROTOCOL),
        ("the rest of nothing", frame(FIN | CONTINUATION, b"x"), PROTOCOL),
        ("a text within a text", [half(TEXT), half(TEXT)].concat(), PROTOCOL),
        ("half a ping", frame(PING, b""), PROTOCOL),
        ("a ping of 126 bytes", frame(FIN | PING, &[0; 126]), PROTOCOL),
        ("no JSON", text("x"), NOT_UNDERSTOOD),
        ("no JSON, as bytes", frame(FIN | BINARY, b"\0"), NOT_UNDERSTOOD),
        ("arrays in arrays", text(&"[".repeat(100_000)), NOT_UNDERSTOOD),
    ] {
        siege
            .row(name, async |_| {
                let mut raw = open(&siege).await;
                raw.send_reading(bytes).await;
                let found = websocket::closed(&mut raw).await;
                siege.expect(found == Some(expected), || format!("{name}: {expected}, but {found:?}"));
                Box::new(raw) as Held
            })
            .await;
    }
    siege.end().await;
}

#[tokio::test]
async fn messages_in_pieces() {
    let siege = Siege::start();
    let byte_by_byte = |text: &str, between: &[u8]| -> Vec<u8> {
        let last = text.len() - 1;
        let piece = |(at, byte): (usize, u8)| {
            let first = if at == 0 { TEXT } else { CONTINUATION } | if at == last { FIN } else { 0 };
            [between, &frame(first, &[byte])].concat()
        };
        text.bytes().enumerate().flat_map(piece).collect()
    };
    for (name, between) in [("byte by byte", Vec::new()), ("with a pong between each", frame(FIN | PONG, b"x"))] {
        siege
            .row(name, async |_| {
                let mut raw = open(&siege).await;
                raw.send_reading(byte_by_byte(&create(), &between)).await;
                assert_eq!(websocket::message(&mut raw).await["result"]["created"], true);
                Box::new(raw) as Held
            })
            .await;
    }
    siege
        .row("pieces without end", async |_| {
            let mut raw = open(&siege).await;
            raw.send_reading(frame(TEXT, b"{\"x\":\"")).await;
            let more = frame(CONTINUATION, &[b'x'; 10_000]);
            while raw.send_reading(&more).await {}
            // What was said last may be lost: more was under way.
            assert!([Some(TOO_LARGE), None].contains(&websocket::closed(&mut raw).await));
            Box::new(raw) as Held
        })
        .await;
    siege
        .row("a hundred thousand pieces without a byte", async |_| {
            let mut raw = open(&siege).await;
            let text = create();
            let (first, rest) = text.split_at(9);
            raw.send_reading(frame(TEXT, first.as_bytes())).await;
            raw.send_reading(frame(CONTINUATION, b"").repeat(100_000)).await;
            raw.send_reading(frame(FIN | CONTINUATION, rest.as_bytes())).await;
            assert_eq!(websocket::message(&mut raw).await["result"]["created"], true);
            Box::new(raw) as Held
        })
        .await;
    siege
        .row("farewells, and what comes behind them", async |_| {
            let mut raw = open(&siege).await;
            raw.send_reading([frame(FIN | CLOSE, &[3, 232]).repeat(1000), text(&create())].concat()).await;
            websocket::closed(&mut raw).await;
            Box::new(raw) as Held
        })
        .await;
    siege.end().await;
}

#[tokio::test]
async fn handshakes() {
    let siege = Siege::start();
    for (name, more, expected) in [
        (
            "compression is not agreed on",
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n".to_owned(),
            101,
        ),
        ("a thousand subprotocols", format!("Sec-WebSocket-Protocol: {}x\r\n", "a, ".repeat(1000)), 101),
        ("a page of somebody else's", "Origin: http://elsewhere.example\r\n".to_owned(), 403),
        ("a page from nowhere", "Origin: null\r\n".to_owned(), 403),
        ("two versions", "Sec-WebSocket-Version: 8\r\n".to_owned(), 101),
        ("more headers than there may be", "A: b\r\n".repeat(1000), 431),
    ] {
        siege
            .row(name, async |server| {
                let (raw, head) = websocket::open(server.addr(), "/v3/watch", &more).await;
                let is_plain = !head.to_lowercase().contains("sec-websocket-extensions");
                let is_met = is_plain && head.starts_with(&format!("HTTP/1.1 {expected}"));
                siege.expect(is_met, || format!("{name}: {expected}, but {head}"));
                Box::new(raw) as Held
            })
            .await;
    }
    siege.end().await;
}
