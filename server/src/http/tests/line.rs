//! More requests on one HTTP/2 connection than are worked on at once.

use super::*;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use keyport_api::methods::Method;

type Client = SendRequest<Full<Bytes>>;

async fn client(server: &Server) -> Client {
    let stream = TcpStream::connect(server.addr).await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// Begins a request; its answer's text.
fn ask(server: &Server, client: &Client, method: &str, path: &str) -> JoinHandle<String> {
    let request = Request::builder().method(method).uri(format!("http://{}{path}", server.addr));
    let request = request.body(Full::default()).unwrap();
    let mut client = client.clone();
    tokio::spawn(async move {
        let body = client.send_request(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
        String::from_utf8_lossy(&body).into_owned()
    })
}

async fn answer(asked: JoinHandle<String>) -> String {
    timeout(LONG, asked).await.expect("no answer").unwrap()
}

async fn arrived(server: &Server) {
    timeout(LONG, server.app.0.arrived.notified()).await.expect("nobody comes");
}

fn narrow() -> Server {
    start(Setup { args: vec!["--max-concurrent-requests=2".to_owned()], ..Setup::default() })
}

#[tokio::test]
async fn they_stand_in_line_and_a_reset_makes_room() {
    let server = narrow();
    let client = client(&server).await;
    // Waiting for others is no work.
    let lock = ask(&server, &client, "POST", "/v3/lock/lock");
    arrived(&server).await;
    let first = ask(&server, &client, "GET", "/wait");
    arrived(&server).await;
    let second = ask(&server, &client, "GET", "/wait");
    arrived(&server).await;
    let (third, fourth) = (ask(&server, &client, "GET", "/hello"), ask(&server, &client, "GET", "/wait"));
    // A stream goes past them, and shows that they are there by now.
    let mut watching = client.clone();
    let watch = Request::post(format!("http://{}/v3/election/observe", server.addr)).body(Full::default()).unwrap();
    let watch = watching.send_request(watch).await.unwrap();
    assert!(!third.is_finished() && !fourth.is_finished());
    // Others have lines of their own.
    let other = self::client(&server).await;
    assert_eq!(answer(ask(&server, &other, "GET", "/hello")).await, "hello");
    second.abort();
    assert_eq!(answer(third).await, "hello");
    arrived(&server).await;
    for waiting in [first, fourth] {
        assert_eq!(released(&server, answer(waiting)).await, "waited");
    }
    drop((watch, lock));
    assert_eq!(answer(ask(&server, &client, "GET", "/hello")).await, "hello");
}

/// The caller's time goes on while it waits.
#[tokio::test]
async fn who_waits_too_long_leaves_the_line() {
    let server = narrow();
    let client = client(&server).await;
    let working = [ask(&server, &client, "GET", "/wait"), ask(&server, &client, "GET", "/wait")];
    arrived(&server).await;
    arrived(&server).await;
    let request = Request::post(format!("http://{}{}", server.addr, Method::Put.path()));
    let request = request.header("content-type", "application/grpc").header("grpc-timeout", "50m");
    let mut impatient = client.clone();
    let refused = impatient.send_request(request.body(Full::default()).unwrap());
    let refused = timeout(LONG, refused).await.expect("no answer").unwrap();
    assert_eq!(refused.headers()["grpc-message"], "context%20deadline%20exceeded");
    for asked in working {
        assert_eq!(released(&server, answer(asked)).await, "waited");
    }
}
