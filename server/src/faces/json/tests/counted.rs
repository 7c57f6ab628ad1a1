//! How streams are counted: begun when they are accepted, and ended with the code that they ended with.

use futures_util::StreamExt as _;
use keyport_api::error::Error;
use keyport_api::methods::Method;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::tungstenite::Message;

use super::websocket::{CREATE, dial, message, say};
use super::{Member, Raw, grant, options};
use crate::testing::counts::codes;

#[tokio::test]
async fn a_socket_lasts_until_it_ends() {
    let member = Member::start().await;
    let (mut socket, _) = dial(&member, options(), "/v3/watch", &[]).await;
    say(&mut socket, CREATE).await;
    message(&mut socket).await;
    assert_eq!((member.begun(Method::Watch), member.ended(Method::Watch)), (1, codes(&[])));
    say(&mut socket, "oops").await;
    assert_eq!(message(&mut socket).await["error"]["grpc_code"], 3);
    assert_eq!(member.ended(Method::Watch), codes(&[("InvalidArgument", 1)]));

    let (mut socket, _) = dial(&member, options(), "/v3/maintenance/snapshot", &[]).await;
    say(&mut socket, "{}").await;
    while !matches!(socket.next().await, Some(Ok(Message::Close(_)))) {}
    assert_eq!(member.ended(Method::Snapshot), codes(&[("OK", 1)]));

    member.admissions.refuse(Some(Error::PermissionDenied));
    let (mut socket, _) = dial(&member, options(), "/v3/lease/keepalive", &[("grpc-timeout", "100m")]).await;
    assert_eq!(message(&mut socket).await["error"]["grpc_code"], 7);
    assert_eq!(member.ended(Method::LeaseKeepAlive), codes(&[("PermissionDenied", 1)]));
}

#[tokio::test]
async fn a_socket_whose_caller_goes_away_is_cancelled() {
    let member = Member::start().await;
    let gateway = options();
    for (gone, how) in [(1, "a close frame"), (2, "the end of the connection"), (3, "a reset")] {
        let (mut socket, _) = dial(&member, gateway.clone(), "/v3/watch", &[]).await;
        say(&mut socket, CREATE).await;
        message(&mut socket).await;
        match how {
            "a close frame" => socket.close(None).await.unwrap(),
            "the end of the connection" => socket.get_mut().shutdown().await.unwrap(),
            _ => socket.get_ref().set_zero_linger().unwrap(),
        }
        drop(socket);
        member.wait_until_ended(Method::Watch, &[("Canceled", gone)]).await;
    }
    assert_eq!(member.begun(Method::Watch), 3);
}

#[tokio::test]
async fn lines_end_with_the_code_that_they_say() {
    let member = Member::start().await;
    grant(&member, &[7]).await;
    let gateway = options();
    let address = member.serve(gateway.clone());

    let mut raw = Raw::open(address).await;
    raw.request("POST", "/v3/watch", "grpc-timeout: 1S\r\n", CREATE).await;
    raw.head().await;
    raw.message().await;
    assert_eq!(raw.message().await["error"]["grpc_code"], 4);
    assert_eq!(member.ended(Method::Watch), codes(&[("DeadlineExceeded", 1)]));

    let mut raw = Raw::open(address).await;
    raw.begin("/v3/lease/keepalive").await;
    raw.send_chunk(json!({"ID": 7}).to_string()).await;
    raw.head().await;
    raw.message().await;
    raw.send_chunk("oops").await;
    assert_eq!(raw.message().await["error"]["grpc_code"], 3);
    assert_eq!(member.ended(Method::LeaseKeepAlive), codes(&[("InvalidArgument", 1)]));

    let mut raw = Raw::open(address).await;
    raw.request("POST", "/v3/lease/keepalive", "", json!({"ID": 7}).to_string()).await;
    let head = raw.head().await;
    raw.body(&head).await;
    assert_eq!(member.ended(Method::LeaseKeepAlive), codes(&[("OK", 1), ("InvalidArgument", 1)]));

    let mut raw = Raw::open(address).await;
    raw.request("POST", "/v3/watch", "", CREATE).await;
    raw.head().await;
    raw.message().await;
    gateway.stop.cancel();
    assert_eq!(raw.message().await["error"]["grpc_code"], 14);
    assert_eq!(member.ended(Method::Watch), codes(&[("DeadlineExceeded", 1), ("Unavailable", 1)]));
}

#[tokio::test]
async fn lines_whose_reader_goes_away_are_cancelled() {
    let member = Member::start().await;
    let address = member.serve(options());
    let mut raw = Raw::open(address).await;
    raw.request("POST", "/v3/watch", "", CREATE).await;
    raw.head().await;
    raw.message().await;
    drop(raw);
    member.wait_until_ended(Method::Watch, &[("Canceled", 1)]).await;
    // While its request is not over.
    let mut raw = Raw::open(address).await;
    raw.begin("/v3/watch").await;
    raw.send_chunk(CREATE).await;
    raw.head().await;
    raw.message().await;
    drop(raw);
    member.wait_until_ended(Method::Watch, &[("Canceled", 2)]).await;
}

/// The request of a page whether it may call is no call.
#[tokio::test]
async fn what_is_no_call_is_not_counted() {
    let member = Member::start().await;
    let mut raw = Raw::open(member.serve(options())).await;
    let page = "origin: http://page\r\naccess-control-request-method: POST\r\n";
    raw.request("OPTIONS", "/v3/kv/put", page, "").await;
    let head = raw.head().await;
    raw.body(&head).await;
    assert_eq!(head.status, 200);
    raw.call("PUT", "/v3/kv/put", "", "").await;
    assert_eq!(member.begun(Method::Put), 0);
}
