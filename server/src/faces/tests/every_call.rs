//! Every RPC on every face that leads to it passes the gate, as itself, and once.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use keyport_api::etcdserverpb::watch_request::RequestUnion;
use keyport_api::etcdserverpb::{LeaseKeepAliveRequest, WatchCreateRequest, WatchRequest};
use keyport_api::methods::Method;
use keyport_api::v3electionpb::{CampaignRequest, LeaderRequest};
use keyport_api::v3lockpb::LockRequest;
use prost::Message as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::testing::Member;
use crate::testing::h2::{H2, all, first};
use crate::testing::raw::Raw;

/// What a call asks for, in both forms: as little as is answered without waiting for others. It may be refused.
struct Asked {
    message: Vec<u8>,
    json: String,
}

/// `name` is that of an election, or with a mark that of a lock; nobody stands in the way there.
fn asked(method: Method, name: &str) -> Asked {
    let key = Bytes::from(if method == Method::Lock { format!("lock of {name}") } else { name.to_owned() });
    let named = format!("{{\"name\":\"{}\"}}", base64_simd::STANDARD.encode_to_string(&key));
    match method {
        Method::Lock => {
            Asked { message: LockRequest { name: key, ..LockRequest::default() }.encode_to_vec(), json: named }
        }
        Method::Campaign => {
            Asked { message: CampaignRequest { name: key, ..CampaignRequest::default() }.encode_to_vec(), json: named }
        }
        Method::Observe => Asked { message: LeaderRequest { name: key }.encode_to_vec(), json: named },
        Method::Watch => {
            let create = WatchCreateRequest { key, ..WatchCreateRequest::default() };
            let message = WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) }.encode_to_vec();
            Asked { message, json: "{\"create_request\":{\"key\":\"aw==\"}}".to_owned() }
        }
        Method::LeaseKeepAlive => {
            Asked { message: LeaseKeepAliveRequest { id: 1 }.encode_to_vec(), json: "{\"ID\":1}".to_owned() }
        }
        _ => Asked { message: Vec::new(), json: "{}".to_owned() },
    }
}

/// Whether the answer goes on for as long as its reader likes.
fn goes_on(method: Method) -> bool {
    method.info().is_endless() && method.info().kind.server_streams()
}

async fn over_grpc(client: &mut H2, content_type: &str, method: Method, name: &str) {
    let answer = client.call(method.path(), content_type, &[], &asked(method, name).message).await;
    assert_eq!(answer.status().as_u16(), 200, "{method}");
    if goes_on(method) {
        assert!(first(answer).await.is_some(), "{method} by {content_type} has nothing to say");
    } else {
        all(answer).await;
    }
}

async fn over_json(address: SocketAddr, route: &str, method: Method, name: &str) {
    let mut raw = Raw::open(address).await;
    raw.request("POST", route, "", asked(method, name).json).await;
    let head = raw.head().await;
    if head.header("content-length").is_some() {
        raw.body(&head).await;
    } else if goes_on(method) {
        raw.message().await;
    } else {
        while raw.chunk().await.is_some() {}
    }
}

async fn over_a_socket(address: SocketAddr, route: &str, method: Method, name: &str) {
    let tcp = TcpStream::connect(address).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(format!("ws://{address}{route}"), tcp).await.unwrap();
    socket.send(Message::text(asked(method, name).json)).await.unwrap();
    let frame = timeout(Duration::from_secs(20), socket.next()).await.expect("no frame").unwrap().unwrap();
    assert!(frame.is_text(), "{method}: {frame:?}");
}

#[tokio::test]
async fn passes_the_gate_once_on_every_face() {
    let member = Member::start().await;
    let address = member.serve(member.gateway());
    let mut client = H2::open(address).await;
    let passed_once = |method: Method, face: &str| assert_eq!(member.admissions.take(), [method], "{face}");
    let mut known = 0;
    for method in Method::ALL {
        let info = method.info();
        // Reflection tells what everybody may know.
        if method == Method::ServerReflectionInfo {
            continue;
        }
        known += 1;
        over_grpc(&mut client, "application/grpc", method, "grpc").await;
        passed_once(method, "gRPC");
        over_grpc(&mut client, "application/grpc-web+proto", method, "web").await;
        passed_once(method, "gRPC-Web");
        for (route, name) in info.routes.iter().zip(["json", "older", "oldest"]) {
            over_json(address, route, method, name).await;
            passed_once(method, route);
            if info.kind.server_streams() {
                over_a_socket(address, route, method, name).await;
                passed_once(method, "WebSocket");
            }
        }
    }
    assert_eq!(known, Method::COUNT - 1);
}

#[tokio::test]
async fn events_are_a_watch_and_a_state_is_read_besides() {
    let member = Member::start().await;
    let address = member.serve(member.gateway());
    for (query, admitted) in [("key=k", vec![Method::Watch]), ("key=k&initial", vec![Method::Watch, Method::Range])] {
        let mut raw = Raw::open(address).await;
        raw.request("GET", &format!("/v3/watch?{query}"), "", "").await;
        assert_eq!(raw.head().await.status, 200);
        raw.chunk().await.unwrap();
        assert_eq!(member.admissions.take(), admitted, "{query}");
    }
}
