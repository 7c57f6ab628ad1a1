//! How long callers are attended to, before there is an answer, and while they send no more.

use super::grpc::{h2, post};
use super::*;

#[tokio::test]
async fn a_caller_whose_patience_ends_is_told_in_its_own_terms() {
    let server = start(Setup::default());
    for (content_type, answer_type) in
        [("application/grpc", "application/grpc"), ("application/grpc-web+proto", "application/grpc")]
    {
        let request = post(&server, "/etcdserverpb.KV/DeleteRange", content_type).header("grpc-timeout", "20m");
        let (parts, _) = h2(&server, request.body(Full::from(&b"\0\0\0\0\0"[..])).unwrap()).await;
        assert_eq!(
            (parts.status, parts.headers["grpc-status"].as_bytes()),
            (StatusCode::OK, &b"4"[..]),
            "{content_type}"
        );
        assert_eq!(parts.headers["grpc-message"], "context%20deadline%20exceeded");
        assert!(parts.headers["content-type"].to_str().unwrap().starts_with(answer_type), "{parts:?}");
    }
    let json = server.ask("POST", "/v3/kv/compaction", "grpc-timeout: 20m").await;
    assert_eq!((json.status, json.header("content-type")), (504, Some("application/json")));
    assert_eq!(json.body, r#"{"error":"context deadline exceeded","code":4,"message":"context deadline exceeded"}"#);
    let other = server.ask("GET", "/wait", "grpc-timeout: 20m").await;
    assert_eq!((other.status, other.header("content-type")), (504, Some("application/problem+json")));
    assert!(other.body.contains(r#""detail":"context deadline exceeded""#), "{other:?}");
    assert!(server.metric("grpc_server_handled_total{grpc_code=\"DeadlineExceeded\",grpc_method=\"Compact\",grpc_service=\"etcdserverpb.KV\",grpc_type=\"unary\"} 1"));
}

#[tokio::test]
async fn a_patience_that_is_none_or_cannot_be_read_ends_at_once() {
    let server = start(Setup::default());
    for (patience, code, status) in [("0n", "4", 504), ("5", "13", 400), ("fast", "13", 400)] {
        let request = post(&server, "/etcdserverpb.KV/Range", "application/grpc").header("grpc-timeout", patience);
        let (parts, _) = h2(&server, request.body(Full::from(&b"\0\0\0\0\x03\x0a\x01a"[..])).unwrap()).await;
        assert_eq!(parts.headers["grpc-status"], code, "{patience}");
        for path in ["/v3/kv/put", "/echo"] {
            let answer = server.ask("POST", path, &format!("grpc-timeout: {patience}")).await;
            assert_eq!(answer.status, status, "{path} {patience}");
        }
    }
    assert_eq!(server.ask("POST", "/echo", "grpc-timeout: 99999999H").await.status, 200);
}

#[tokio::test]
async fn whoever_has_said_all_it_has_to_say_gets_its_answer() {
    let server = start(Setup::default());
    for path in ["GET /wait", "POST /v3/kv/compaction"] {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream.write_all(format!("{path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        timeout(LONG, server.app.0.arrived.notified()).await.unwrap();
        server.app.0.release.notify_one();
        let answer = Answer::parse(&rest(&mut stream).await);
        assert_eq!((answer.status, answer.body.as_str()), (200, "waited"), "{path}");
    }
}

#[tokio::test]
async fn what_may_last_for_ever_ends_with_its_caller() {
    let server = start(Setup::default());
    // Before there is an answer,
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream.write_all(b"POST /v3/lock/lock HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    timeout(LONG, server.app.0.arrived.notified()).await.unwrap();
    stream.shutdown().await.unwrap();
    let answer = Answer::parse(&rest(&mut stream).await);
    assert_eq!((answer.status, answer.body.contains(r#""code":1,"#)), (499, true), "{answer:?}");
    // and in the middle of it.
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream.write_all(b"POST /v3/election/observe HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut buffer = Vec::new();
    while !buffer.ends_with(b"first\n\r\n") {
        assert!(timeout(LONG, stream.read_buf(&mut buffer)).await.unwrap().unwrap() > 0);
    }
    stream.shutdown().await.unwrap();
    timeout(LONG, stream.read_to_end(&mut buffer)).await.expect("the stream goes on").unwrap();
}

#[tokio::test]
async fn an_answer_is_there_though_the_client_writes_everything_first() {
    let server = start(Setup::default());
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let head = b"POST /nope HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let chunk = [&b"100000\r\n"[..], &vec![7; 1 << 20], b"\r\n"].concat();
    for _ in 0..20 {
        timeout(LONG, stream.write_all(&chunk)).await.unwrap().unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let answer = Answer::parse(&rest(&mut stream).await);
    assert_eq!((answer.status, answer.body.as_str()), (404, "404 page not found\n"));
}
