//! Bodies that nobody reads: what becomes of their connections.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use futures_util::FutureExt as _;
use http_body::Frame;
use http_body_util::StreamBody;
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::*;
use crate::http::unread::DRAIN_TIME;

const NEXT: &str = "GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// The head of a request to nobody, and a body of this size.
fn to_nobody(size: usize, announced: bool) -> (String, String) {
    let length = if announced { format!("Content-Length: {size}") } else { "Transfer-Encoding: chunked".to_owned() };
    let head = format!("POST /nope HTTP/1.1\r\nHost: localhost\r\n{length}\r\n\r\n");
    let body = "x".repeat(size);
    (head, if announced { body } else { format!("{size:x}\r\n{body}\r\n0\r\n\r\n") })
}

/// All that comes in answer to this, said bit by bit.
async fn answers(server: &Server, parts: &[&str]) -> Answer {
    let mut stream = connect(server, "").await;
    for part in parts {
        stream.write_all(part.as_bytes()).await.unwrap();
    }
    Answer::parse(&rest(&mut stream).await)
}

#[tokio::test]
async fn a_little_costs_no_connection() {
    let server = start(Setup::default());
    for size in [1, 100_000, 256 * 1024] {
        for announced in [true, false] {
            let (head, body) = to_nobody(size, announced);
            let answer = answers(&server, &[&head, &body, NEXT]).await;
            assert_eq!((answer.status, answer.header("connection")), (404, None), "{size} {announced}: {answer:?}");
            assert!(
                answer.body.starts_with("404 page not found\nHTTP/1.1 200 OK\r\n"),
                "{size} {announced}: {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn with_more_the_answer_says_that_it_is_the_last() {
    let server = start(Setup::default());
    for size in [256 * 1024 + 1, 4 << 20] {
        for announced in [true, false] {
            let (head, body) = to_nobody(size, announced);
            let answer = answers(&server, &[&head, &body]).await;
            assert_eq!((answer.status, answer.header("connection")), (404, Some("close")), "{size} {announced}");
            assert_eq!(answer.body, "404 page not found\n", "{size} {announced}");
        }
    }
}

#[tokio::test]
async fn what_is_announced_to_be_much_is_not_waited_for() {
    let server = start(Setup::default());
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream.write_all(to_nobody(1 << 20, true).0.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    timeout(LONG, stream.read_exact(&mut answer)).await.expect("no answer").unwrap();
    assert_eq!(&answer, b"HTTP/1.1 404");
}

#[tokio::test]
async fn nobody_is_told_to_go_on_for_nothing() {
    let server = start(Setup::default());
    let ask = "POST /nope HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n";
    let answer = answers(&server, &[ask]).await;
    assert_eq!((answer.status, answer.header("connection")), (404, Some("close")), "{answer:?}");
    let answer = answers(&server, &[&ask.replace("/nope", "/echo"), &"x".repeat(100), NEXT]).await;
    assert_eq!(answer.status, 100, "{answer:?}");
    assert!(answer.body.starts_with("HTTP/1.1 200 OK") && answer.body.ends_with("hello"), "{answer:?}");
}

#[tokio::test]
async fn what_makes_no_sense_ends_the_connection() {
    let server = start(Setup::default());
    let head = "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answer = answers(&server, &[head, "nonsense\r\n", &"x".repeat(4 << 20)]).await;
    assert_eq!((answer.status, answer.header("connection")), (400, Some("close")), "{answer:?}");
}

#[tokio::test]
async fn what_does_not_come_is_not_waited_for_long() {
    let server = start(Setup::default());
    let (head, body) = to_nobody(100, true);
    let answer = answers(&server, &[&head, &body[1..]]).await;
    assert_eq!((answer.status, answer.header("connection")), (404, Some("close")), "{answer:?}");
}

#[tokio::test]
async fn what_came_too_slowly_ends_the_connection() {
    let pace = Pace { grace: Duration::from_millis(50), bytes_per_second: 1 << 20 };
    let server = start(Setup { pace, ..Setup::default() });
    let answer = answers(&server, &["POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nx"]).await;
    assert_eq!((answer.status, answer.header("connection")), (400, Some("close")), "{answer:?}");
    assert!(answer.body.contains("the request body took too long"), "{answer:?}");
}

/// Curl before 8.0 throws away an answer whose stream is reset while it is still sending.
#[tokio::test]
async fn over_http2_the_answer_does_not_overtake_a_little() {
    let server = start(Setup::default());
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let pieces = tokio_stream::iter(0..10).then(move |_| {
        count.fetch_add(1, Relaxed);
        tokio::time::sleep(Duration::from_millis(2))
            .map(|()| Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"x"))))
    });
    let answer = send(&server, grpc::post(&server, "/nope", "application/json"), StreamBody::new(pieces)).await;
    assert_eq!((answer.status(), sent.load(Relaxed)), (StatusCode::NOT_FOUND, 10));
}

/// Its streams stay open for as long as the client likes.
#[tokio::test]
async fn grpc_is_refused_at_once() {
    let server = start(Setup::default());
    let never = StreamBody::new(tokio_stream::pending::<Result<Frame<Bytes>, Infallible>>());
    let answer = send(&server, grpc::post(&server, "/no.Such/Call", "application/grpc"), never).await;
    assert_eq!(answer.headers()["grpc-status"], "12");
}

async fn send<B>(server: &Server, request: http::request::Builder, body: B) -> Response<hyper::body::Incoming>
where
    B: http_body::Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let stream = TcpStream::connect(server.addr).await.unwrap();
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut client, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    timeout(DRAIN_TIME, client.send_request(request.body(Box::pin(body)).unwrap())).await.expect("no answer").unwrap()
}
