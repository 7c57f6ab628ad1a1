//! Requests of HTTP/1.1 that two servers might read as different ones, heads without an end, and queues of requests.

use keyport_tests::raw::Raw;

use super::{Held, Siege};

/// Asks once more, and says that this is all.
const LAST: &str = "GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// What the answers on a connection were.
fn statuses(answers: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(answers).into_owned();
    text.match_indices("HTTP/1.1 ")
        .filter_map(|(at, begin)| text.get(at + begin.len()..)?.get(..3)?.parse().ok())
        .collect()
}

/// Sends each on a connection of its own, with a last request behind it, and looks at how many were answered, and how.
async fn table(rows: Vec<(&str, String, &[u16])>) {
    let siege = Siege::start();
    for (name, request, expected) in rows {
        siege
            .row(name, async |server| {
                let mut raw = Raw::connect(server.addr()).await;
                raw.send_reading(format!("{request}{LAST}")).await;
                let answers = raw.read_to_end().await;
                let found = statuses(&answers);
                let text = String::from_utf8_lossy(&answers);
                siege.expect(found == expected, || format!("{name}: {expected:?}, but {text}"));
                Box::new(raw) as Held
            })
            .await;
    }
    siege.end().await;
}

/// A call with these lines in its head and this body.
fn post(lines: &str, body: &str) -> String {
    format!("POST /v3/lease/leases HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n{body}")
}

fn get(lines: &str) -> String {
    format!("GET /version HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n")
}

/// A request that is read as a body, or the other way round, would be one more answer.
#[tokio::test]
async fn requests_that_can_be_read_in_two_ways() {
    let chunked = "Transfer-Encoding: chunked\r\n";
    // Refused, and nothing behind it is heard.
    let refused: &[u16] = &[400];
    let fine: &[u16] = &[200, 200];
    table(vec![
        ("a length and chunks", post(&format!("Content-Length: 4\r\n{chunked}"), "2\r\n{}\r\n0\r\n\r\n"), &[200]),
        ("chunks and a length", post(&format!("{chunked}Content-Length: 4\r\n"), "2\r\n{}\r\n0\r\n\r\n"), &[200]),
        ("two lengths", post("Content-Length: 2\r\nContent-Length: 4\r\n", "{}"), refused),
        ("two lengths in one line", post("Content-Length: 2, 4\r\n", "{}"), refused),
        ("one length twice", post("Content-Length: 2\r\nContent-Length: 2\r\n", "{}"), fine),
        ("a length with a sign", post("Content-Length: +2\r\n", "{}"), refused),
        ("a length in hexadecimal", post("Content-Length: 0x2\r\n", "{}"), refused),
        ("no length at all", post("Content-Length: \r\n", "{}"), refused),
        ("a length that no number holds", post("Content-Length: 99999999999999999999\r\n", "{}"), refused),
        ("a blank before the colon", post("Content-Length : 2\r\n", "{}"), refused),
        ("a folded line", post("Content-Length:\r\n 2\r\n", "{}"), refused),
        ("a folded line of no importance", get("A: b\r\n c\r\n"), refused),
        ("a line that begins with a blank", get(" A: b\r\n"), refused),
        ("a line without a colon", get("A\r\n"), refused),
        ("a lone carriage return", get("A: b\rc: d\r\n"), refused),
        ("a zero in a value", get("A: b\0\r\n"), refused),
        ("a zero in a name", get("A\0: b\r\n"), refused),
        ("chunks in capitals", post("Transfer-Encoding: CHUNKED\r\n", "2\r\n{}\r\n0\r\n\r\n"), fine),
        ("chunks that are none", post("Transfer-Encoding: xchunked\r\n", "2\r\n{}\r\n0\r\n\r\n"), refused),
        ("chunks by another name", post("Transfer-Encoding: \x0bchunked\r\n", "2\r\n{}\r\n0\r\n\r\n"), refused),
        ("chunks behind an identity", post("Transfer-Encoding: identity\r\n", "2\r\n{}\r\n0\r\n\r\n"), refused),
        ("chunks twice", post(&format!("{chunked}{chunked}"), "2\r\n{}\r\n0\r\n\r\n"), &[501, 200]),
        ("chunks within chunks", post("Transfer-Encoding: chunked, chunked\r\n", "2\r\n{}\r\n0\r\n\r\n"), &[501, 200]),
        (
            "chunks before chunks were known",
            "POST /v3/lease/leases HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n".into(),
            refused,
        ),
        ("a chunk with an extension", post(chunked, "2;a=b\r\n{}\r\n0\r\n\r\n"), fine),
        ("an extension with a line's end", post(chunked, "2;a\nb\r\n{}\r\n0\r\n\r\n"), refused),
        (
            "an extension without an end",
            post(chunked, &format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "a".repeat(100_000))),
            refused,
        ),
        ("chunks that end in half a line's end", post(chunked, "2\n{}\n0\n\n"), refused),
        ("a chunk that is shorter than it says", post(chunked, "1\r\n{}\r\n0\r\n\r\n"), refused),
        ("a chunk of more than a number holds", post(chunked, "fffffffffffffffff\r\n{}\r\n0\r\n\r\n"), refused),
        ("a chunk with a sign", post(chunked, "-2\r\n{}\r\n0\r\n\r\n"), refused),
        ("a chunk in decimal, with a prefix", post(chunked, "0x2\r\n{}\r\n0\r\n\r\n"), refused),
        ("a length behind chunks", post(chunked, "2\r\n{}\r\n0\r\nContent-Length: 5\r\n\r\n"), fine),
        ("lines that end in half", "GET /version HTTP/1.1\nHost: localhost\n\n".into(), fine),
        (
            "an upgrade to HTTP/2",
            get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"),
            fine,
        ),
        ("an upgrade to what nobody knows", get("Connection: Upgrade\r\nUpgrade: quux/7\r\n"), fine),
        (
            "a target on another host",
            "GET http://elsewhere.example/version HTTP/1.1\r\nHost: localhost\r\n\r\n".into(),
            &[400, 200],
        ),
        ("a tunnel", "CONNECT elsewhere.example:80 HTTP/1.1\r\nHost: elsewhere.example:80\r\n\r\n".into(), &[421, 200]),
        ("a version that nobody speaks", "GET /version HTTP/3.0\r\nHost: localhost\r\n\r\n".into(), refused),
        ("HTTP before it had versions", "GET /version\r\n\r\n".into(), refused),
        ("a line's end in the path", "GET /version\r\nX: y HTTP/1.1\r\nHost: localhost\r\n\r\n".into(), refused),
        ("two blanks in the first line", "GET  /version HTTP/1.1\r\nHost: localhost\r\n\r\n".into(), refused),
    ])
    .await;
}

#[tokio::test]
async fn heads_without_an_end() {
    let headers = |count: usize| get(&"A: b\r\n".repeat(count));
    table(vec![
        ("ninety headers", headers(90), &[200, 200]),
        ("a thousand headers", headers(1000), &[431]),
        ("a header of 200 kB", get(&format!("A: {}\r\n", "b".repeat(200_000))), &[431]),
        ("a name of 200 kB", get(&format!("{}: b\r\n", "a".repeat(200_000))), &[431]),
        ("ten megabytes of a head", get(&format!("A: {}\r\n", "b".repeat(10 << 20))), &[431]),
        ("a path of 70 kB", format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "p".repeat(70_000)), &[414]),
        ("a method of 200 kB", format!("{} / HTTP/1.1\r\n\r\n", "M".repeat(200_000)), &[431]),
        ("100,000 empty lines", "\r\n".repeat(100_000), &[431]),
        (
            "a megabyte behind the last chunk",
            post("Transfer-Encoding: chunked\r\n", &format!("0\r\nA: {}\r\n\r\n", "b".repeat(1 << 20))),
            &[400],
        ),
    ])
    .await;
}

#[tokio::test]
async fn thousands_of_requests_at_once() {
    const MANY: usize = 2_000;
    let siege = Siege::start();
    siege
        .row("thousands of requests, and their answers read", async |server| {
            let mut raw = Raw::connect(server.addr()).await;
            let requests: String = (0..MANY).map(|n| get(&format!("X-Request-Id: n{n}\r\n"))).collect();
            assert!(raw.send_reading(requests + LAST).await);
            let answers = raw.read_to_end().await;
            assert_eq!(statuses(&answers), [200; MANY + 1]);
            let text = String::from_utf8_lossy(&answers);
            let order = text.lines().filter_map(|line| line.strip_prefix("x-request-id: n")?.parse::<usize>().ok());
            assert!(order.eq(0..MANY), "answered in order");
            Box::new(raw) as Held
        })
        .await;
    siege
        .row("requests without end, and no answer read", async |server| {
            let requests = get("").repeat(1000);
            let mut raw = Raw::connect(server.addr()).await;
            let mut taken = 0;
            // More than kernels keep for two sockets, with answers several times as large.
            while taken < 30 << 20 && raw.send_while_taken(&requests).await {
                taken += requests.len();
            }
            assert!(taken < 30 << 20, "the server reads what it cannot answer");
            Box::new(raw) as Held
        })
        .await;
    siege.end().await;
}
