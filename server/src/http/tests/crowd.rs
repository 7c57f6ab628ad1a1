//! More connections of one address than there may be.

use super::*;

const HELLO: &str = "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n";
const WAIT: &str = "GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn small(face: Face) -> Server {
    let args = vec!["--max-connections-per-address=2".to_owned()];
    start(Setup { face, args, ..Setup::default() })
}

fn closed(server: &Server, which: &str, count: u32) -> bool {
    server.metric(&format!("keyport_address_connections_closed_total{{which=\"{which}\"}} {count}"))
}

/// Asks, and reads the answer, after which the connection is idle.
async fn greet(server: &Server) -> TcpStream {
    let mut stream = connect(server, HELLO).await;
    let mut answer = Vec::new();
    while !answer.ends_with(b"hello") {
        assert!(timeout(LONG, stream.read_buf(&mut answer)).await.expect("no answer").unwrap() > 0);
    }
    stream
}

#[tokio::test]
async fn who_is_idle_makes_room_and_who_is_served_does_not() {
    let server = small(Face::All);
    let mut idle = greet(&server).await;
    let mut waiting = connect(&server, WAIT).await;
    timeout(LONG, server.app.0.arrived.notified()).await.unwrap();
    let mut third = greet(&server).await;
    assert_eq!(rest(&mut idle).await, "", "it is closed without a word");
    // One that has not asked anything so far is idle, too.
    drop(connect(&server, "").await);
    assert_eq!(rest(&mut third).await, "");
    let mut other = connect(&server, WAIT).await;
    timeout(LONG, server.app.0.arrived.notified()).await.unwrap();
    let refused = Answer::parse(&rest(&mut connect(&server, HELLO).await).await);
    assert_eq!((refused.status, refused.header("connection")), (429, Some("close")));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert!(closed(&server, "new", 1));
    let mut buffer = [0; 1024];
    for stream in [&mut waiting, &mut other] {
        assert!(released(&server, stream.read(&mut buffer)).await.unwrap() > 0, "both are answered");
    }
    greet(&server).await;
}

#[tokio::test]
async fn over_http2_a_stream_keeps_its_connection_and_an_idle_client_comes_again() {
    let server = small(Face::All);
    let mut client = grpc::client(&server).await;
    client.put(PutRequest::default()).await.unwrap();
    let (_first, _second) = (greet(&server).await, greet(&server).await);
    assert!(closed(&server, "idle", 1));
    // What was sent while it was closed may be lost.
    timeout(LONG, async { while client.put(PutRequest::default()).await.is_err() {} }).await.unwrap();
    let pending = tokio::spawn({
        let mut client = client.clone();
        async move { client.delete_range(DeleteRangeRequest::default()).await }
    });
    // An answer behind it shows that the call has begun.
    client.put(PutRequest::default()).await.unwrap();
    for _ in 0..5 {
        greet(&server).await;
    }
    client.put(PutRequest::default()).await.unwrap();
    assert!(!pending.is_finished());
    assert!(closed(&server, "new", 0));
    pending.abort();
}

#[tokio::test]
async fn who_looks_at_the_metrics_gets_in() {
    let server = small(Face::Metrics);
    let mut all = Vec::new();
    for _ in 0..5 {
        all.push(greet(&server).await);
    }
    assert!(closed(&server, "idle", 0) && closed(&server, "new", 0));
}
