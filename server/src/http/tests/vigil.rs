//! Connections that keep the server waiting: for a request, or for the rest of one.

use super::*;

const PREFACE: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A server that waits a moment for heads, and for ever for everything else.
fn strict(face: Face) -> Server {
    let (first, head, idle) = (Duration::from_millis(100), Duration::from_millis(100), Duration::from_secs(3600));
    let deadlines = Deadlines { first, head, idle };
    start(Setup { face, deadlines, ..Setup::default() })
}

/// Lets more time pass than there is for a head.
async fn let_a_head_be_overdue(server: &Server) {
    assert_eq!(rest(&mut connect(server, "").await).await, "");
}

#[tokio::test]
async fn who_sends_nothing_or_half_a_head_is_let_go() {
    let server = strict(Face::All);
    assert_eq!(rest(&mut connect(&server, "").await).await, "", "nobody has asked for anything");
    for preface in ["P", "PRI * HTTP/2.0\r\n"] {
        assert_eq!(rest(&mut connect(&server, preface).await).await, "", "{preface:?}");
    }
    let settings = rest(&mut connect(&server, PREFACE).await).await;
    assert!(!settings.is_empty() && !settings.contains("HTTP/1.1"), "{settings:?}");
    for head in ["G", "POST", "GET /hello HTTP/1.1\r\nHost: localhost\r\n"] {
        let answer = Answer::parse(&rest(&mut connect(&server, head).await).await);
        assert_eq!((answer.status, answer.header("connection")), (408, Some("close")), "{head:?}");
    }
    // Nothing but HTTP/2 is spoken here, and nothing else is answered.
    let server = strict(Face::Grpc);
    for first in ["", "PRI * H", "GET"] {
        let heard = rest(&mut connect(&server, first).await).await;
        assert!(!heard.contains("HTTP/1.1"), "{first:?} {heard:?}");
    }
}

#[tokio::test]
async fn who_waits_for_an_answer_or_has_had_one_stays() {
    let server = strict(Face::All);
    let mut idle = connect(&server, "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let mut buffer = [0; 1024];
    assert!(idle.read(&mut buffer).await.unwrap() > 0);
    let mut waiting = connect(&server, "GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    timeout(LONG, server.app.0.arrived.notified()).await.unwrap();
    let (mut streaming, mut http2) = (
        connect(&server, "POST /v3/watch HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nx").await,
        grpc::client(&server).await,
    );
    let_a_head_be_overdue(&server).await;
    let_a_head_be_overdue(&server).await;
    server.app.0.release.notify_one();
    assert!(waiting.read(&mut buffer).await.unwrap() > 0);
    idle.write_all(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert!(idle.read(&mut buffer).await.unwrap() > 0);
    streaming.write_all(b"x").await.unwrap();
    assert!(streaming.read(&mut buffer).await.unwrap() > 0);
    http2.put(PutRequest::default()).await.unwrap();
    // The next head has as long as the first one.
    idle.write_all(b"GET").await.unwrap();
    assert_eq!(Answer::parse(&rest(&mut idle).await).status, 408);
}

#[tokio::test]
async fn who_does_not_come_again_is_let_go() {
    let (hour, idle) = (Duration::from_secs(3600), Duration::from_millis(50));
    let deadlines = Deadlines { first: hour, head: hour, idle };
    let server = start(Setup { deadlines, ..Setup::default() });
    let mut stream = connect(&server, "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let answer = Answer::parse(&rest(&mut stream).await);
    assert_eq!((answer.status, answer.body.as_str()), (200, "hello"));
}

/// Over HTTP/2 a connection may be idle for ever, as long as somebody is there.
#[tokio::test]
async fn who_does_not_answer_pings_is_let_go() {
    let args = ["--grpc-keepalive-interval=50ms", "--grpc-keepalive-timeout=50ms"].map(str::to_owned).to_vec();
    let server = start(Setup { args, ..Setup::default() });
    let mut there = grpc::client(&server).await;
    let settings = "\0\0\0\u{4}\0\0\0\0\0";
    let gone = rest(&mut connect(&server, &format!("{PREFACE}{settings}")).await).await;
    assert!(gone.contains("\0\0\u{8}\u{6}\0"), "it was asked: {gone:?}");
    there.put(PutRequest::default()).await.unwrap();
}
