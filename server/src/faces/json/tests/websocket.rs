use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::{Member, grant, nobody_watches, options};
use crate::faces::json::GatewayOptions;

pub(super) type Socket = WebSocketStream<TcpStream>;

pub(super) const CREATE: &str = "{\"create_request\":{\"key\":\"Zm9v\",\"watch_id\":3}}";

async fn open(
    options: GatewayOptions,
    path: &str,
    headers: &[(&'static str, &str)],
) -> (Member, Socket, Option<String>) {
    let member = Member::start().await;
    let (socket, protocol) = dial(&member, options, path, headers).await;
    (member, socket, protocol)
}

pub(super) async fn dial(
    member: &Member,
    options: GatewayOptions,
    path: &str,
    headers: &[(&'static str, &str)],
) -> (Socket, Option<String>) {
    let address = member.serve(options);
    let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let tcp = TcpStream::connect(address).await.unwrap();
    let (socket, answer) = tokio_tungstenite::client_async(request, tcp).await.unwrap();
    let protocol = answer.headers().get("sec-websocket-protocol").map(|value| value.to_str().unwrap().to_owned());
    (socket, protocol)
}

async fn frame(socket: &mut Socket) -> Message {
    tokio::time::timeout(Duration::from_secs(10), socket.next()).await.expect("no frame").unwrap().unwrap()
}

pub(super) async fn message(socket: &mut Socket) -> Value {
    let frame = frame(socket).await;
    let text = frame.to_text().unwrap();
    assert!(!text.ends_with('\n'));
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {frame:?}"))
}

pub(super) async fn say(socket: &mut Socket, text: &str) {
    socket.send(Message::text(text)).await.unwrap();
}

async fn close_code(socket: &mut Socket) -> u16 {
    match frame(socket).await {
        Message::Close(Some(close)) => close.code.into(),
        other => panic!("not a close frame: {other:?}"),
    }
}

/// Many small ones make many times the bytes of their frame: no more are read than there is room for.
#[tokio::test]
async fn the_messages_of_a_frame_are_read_one_by_one() {
    let (_member, mut socket, _) = open(options(), "/v3/watch", &[]).await;
    let create = "{\"create_request\":{\"key\":\"Zm9v\"}}";
    say(&mut socket, &format!("{} nonsense", create.repeat(100))).await;
    assert_eq!(message(&mut socket).await["result"]["created"], true);
    let refused = loop {
        let message = message(&mut socket).await;
        if message["error"].is_object() {
            break message;
        }
    };
    assert_eq!(refused["error"]["code"], 3);
}

#[tokio::test]
async fn a_watch_is_a_frame_a_message() {
    let (member, mut socket, protocol) = open(options(), "/v3/watch", &[]).await;
    assert_eq!(protocol, None);
    say(&mut socket, CREATE).await;
    assert_eq!(message(&mut socket).await["result"]["created"], true);
    member.commit(&[(b"foo", Some(b"bar"))]).await;
    assert_eq!(message(&mut socket).await["result"]["watch_id"], "3");
    say(&mut socket, "{\"progress_request\":{}} {\"cancel_request\":{\"watch_id\":\"3\"}}").await;
    assert_eq!(message(&mut socket).await["result"]["watch_id"], "-1");
    assert_eq!(message(&mut socket).await["result"]["canceled"], true);
    say(&mut socket, CREATE).await;
    assert_eq!(message(&mut socket).await["result"]["created"], true);
    socket.close(None).await.unwrap();
}

#[tokio::test]
async fn a_subprotocol_that_carries_a_token_is_agreed_to() {
    for (headers, expected) in
        [(vec![("sec-websocket-protocol", "Bearer, t1")], Some("Bearer")), (vec![("cookie", "a=b; token=t2")], None)]
    {
        let (_member, mut socket, protocol) = open(options(), "/v3/watch", &headers).await;
        assert_eq!(protocol.as_deref(), expected);
        say(&mut socket, CREATE).await;
        assert_eq!(message(&mut socket).await["result"]["created"], true);
    }
}

#[tokio::test]
async fn the_other_streams_are_there_too() {
    let (member, mut socket, _) = open(options(), "/v3beta/lease/keepalive", &[]).await;
    grant(&member, &[5, 6]).await;
    for id in [5, 6] {
        say(&mut socket, &json!({"ID": id}).to_string()).await;
        let answer = message(&mut socket).await;
        assert_eq!((&answer["result"]["ID"], &answer["result"]["TTL"]), (&json!(id.to_string()), &json!("30")));
    }
    let (mut socket, _) = dial(&member, options(), "/v3/maintenance/snapshot", &[]).await;
    say(&mut socket, "{}").await;
    let mut blobs = 0;
    let code = loop {
        match frame(&mut socket).await {
            Message::Text(text) => {
                assert!(text.contains("\"blob\""));
                blobs += 1;
            }
            Message::Close(Some(close)) => break u16::from(close.code),
            other => panic!("neither a blob nor the end: {other:?}"),
        }
    };
    assert_eq!((blobs > 1, code), (true, 1000));
}

#[tokio::test]
async fn a_stream_that_fails_says_why() {
    let (member, mut socket, _) = open(options(), "/v3/watch", &[]).await;
    say(&mut socket, CREATE).await;
    message(&mut socket).await;
    member.node.stopping().raise();
    assert_eq!(message(&mut socket).await["error"]["grpc_code"], 14);
    assert_eq!(close_code(&mut socket).await, 1011);
    let member = Member::start().await;
    member.admissions.refuse(Some(keyport_api::error::Error::PermissionDenied));
    let (mut socket, _) = dial(&member, options(), "/v3/watch", &[]).await;
    assert_eq!(message(&mut socket).await["error"]["grpc_code"], 7);
    assert_eq!(close_code(&mut socket).await, 1008);
}

#[tokio::test]
async fn a_deadline_ends_a_socket() {
    let (_member, mut socket, _) = open(options(), "/v3/watch", &[("grpc-timeout", "100m")]).await;
    assert_eq!(message(&mut socket).await["error"]["http_code"], 504);
    assert_eq!(close_code(&mut socket).await, 1008);
}

#[tokio::test]
async fn nonsense_is_answered_and_ends_the_socket() {
    for text in ["oops", "{\"create_request\":", "[]", "{\"create_request\":{\"key\":1}}"] {
        let (_member, mut socket, _) = open(options(), "/v3/watch", &[]).await;
        say(&mut socket, text).await;
        assert_eq!(message(&mut socket).await["error"]["grpc_code"], 3, "{text}");
        assert_eq!(close_code(&mut socket).await, 1007);
    }
    let (_member, mut socket, _) = open(options(), "/v3/watch", &[]).await;
    say(&mut socket, &" ".repeat(1_000_000)).await;
    assert_eq!(message(&mut socket).await["error"]["grpc_code"], 8);
    assert_eq!(close_code(&mut socket).await, 1009);
}

#[tokio::test]
async fn a_server_that_stops_says_so() {
    let options = options();
    let (_member, mut socket, _) = open(options.clone(), "/v3/watch", &[]).await;
    options.stop.cancel();
    assert_eq!(message(&mut socket).await["error"]["http_code"], 503);
    assert_eq!(close_code(&mut socket).await, 1001);
}

#[tokio::test]
async fn idle_sockets_are_pinged_and_dead_ones_closed() {
    let options = GatewayOptions { ping_interval: Duration::from_millis(30), ..options() };
    let (member, mut socket, _) = open(options, "/v3/watch", &[]).await;
    // Reading answers pings, so the socket lives for many intervals.
    for _ in 0..6 {
        assert!(matches!(frame(&mut socket).await, Message::Ping(_)));
    }
    say(&mut socket, CREATE).await;
    while !matches!(frame(&mut socket).await, Message::Text(_)) {}
    // Without reading nothing is answered.
    nobody_watches(&member).await;
}
