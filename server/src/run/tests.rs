use std::path::Path;

use http::{HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tower_http::set_header::SetResponseHeaderLayer;

use super::*;
use crate::testing::config;

#[test]
fn the_address_to_open() {
    let plain = Url::parse("http://127.0.0.1:1").unwrap();
    let url = |address: &str| page_url(&plain, Some(address.parse().unwrap()), "docs").unwrap();
    assert_eq!(url("127.0.0.1:2379"), "http://127.0.0.1:2379/docs");
    assert_eq!(url("[::1]:2379"), "http://[::1]:2379/docs");
    assert_eq!(url("0.0.0.0:2379"), "http://localhost:2379/docs");
    assert_eq!(url("[::]:2379"), "http://localhost:2379/docs");
    let console = page_url(&plain, Some("127.0.0.1:2379".parse().unwrap()), "ui/");
    assert_eq!(console.as_deref(), Some("http://127.0.0.1:2379/ui/"));
    assert_eq!(page_url(&plain, None, "docs"), None);
}

#[tokio::test]
async fn a_duty_that_panics_is_noticed_and_one_that_is_done_is_not() {
    let mut duties = JoinSet::new();
    duties.spawn(async {});
    duties.spawn(std::future::pending());
    duties.spawn(async { panic!("out of duty") });
    let error = panicked(&mut duties).await;
    assert!(error.is_panic() && error.to_string().contains("out of duty"), "{error}");
}

/// Asks as soon as somebody listens.
async fn ask(socket: &Path, request: &str) -> String {
    let mut stream = loop {
        match UnixStream::connect(socket).await {
            Ok(stream) => break stream,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_layer_around_a_member_sees_every_answer() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("clients");
    let settings = [
        format!("--data-dir={}", dir.path().join("data").display()),
        format!("--listen-client-urls=unix://{}", socket.display()),
        "--advertise-client-urls=http://localhost:1".to_owned(),
        "--listen-peer-urls=http://127.0.0.1:0".to_owned(),
        "--initial-advertise-peer-urls=http://localhost:1".to_owned(),
        "--initial-cluster=default=http://localhost:1".to_owned(),
        "--unsafe-no-fsync".to_owned(),
    ];
    let around =
        SetResponseHeaderLayer::overriding(HeaderName::from_static("x-around"), HeaderValue::from_static("yes"));
    let (stop, stopped) = oneshot::channel::<()>();
    let member = tokio::spawn(run_within(config(&settings), async { _ = stopped.await }, around));
    let put = "{\"key\":\"aw==\",\"value\":\"dg==\"}";
    // The second is refused before any face hears of it.
    for (host, status) in [("host: localhost\r\n", 200), ("", 400)] {
        let length = put.len();
        let request =
            format!("POST /v3/kv/put HTTP/1.1\r\n{host}connection: close\r\ncontent-length: {length}\r\n\r\n{put}");
        let answer = timeout(Duration::from_secs(30), ask(&socket, &request)).await.expect("no answer");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains("\r\nx-around: yes\r\n"), "{answer}");
    }
    stop.send(()).unwrap();
    member.await.unwrap().unwrap();
}
