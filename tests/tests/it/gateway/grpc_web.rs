//! gRPC-Web with frames made by hand, over HTTP/1.1.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;
use keyport_api::etcdserverpb::{PutResponse, RangeResponse};
use keyport_tests::Server;
use keyport_tests::grpc::{self, get, put};
use prost::Message;

fn frame(message: &impl Message) -> Bytes {
    grpc::frame(&message.encode_to_vec()).into()
}

/// The message frames and the trailers.
fn parts(mut body: &[u8]) -> (Vec<Vec<u8>>, String) {
    let (mut messages, mut trailers) = (Vec::new(), String::new());
    while let Some((kind, rest)) = body.split_first() {
        let (len, rest) = rest.split_first_chunk::<4>().expect("a length");
        let (data, rest) = rest.split_at(u32::from_be_bytes(*len) as usize);
        if kind & 0x80 == 0 {
            messages.push(data.to_vec());
        } else {
            trailers.push_str(&String::from_utf8_lossy(data).to_lowercase());
        }
        body = rest;
    }
    (messages, trailers)
}

#[tokio::test]
async fn binary_and_text() {
    let server = Server::start();
    if server.is_etcd() {
        return; // has no gRPC-Web
    }
    let http = server.http();
    let headers = [("content-type", "application/grpc-web+proto"), ("x-grpc-web", "1")];
    let answer = http.send(Method::POST, "/etcdserverpb.KV/Put", &headers, frame(&put("k", "v"))).await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").starts_with("application/grpc-web"));
    let (messages, trailers) = parts(&answer.body);
    assert_eq!(PutResponse::decode(&messages[0][..]).unwrap().header.unwrap().revision, 2);
    assert!(trailers.contains("grpc-status:0") || trailers.contains("grpc-status: 0"), "{trailers}");

    let headers = [("content-type", "application/grpc-web-text"), ("accept", "application/grpc-web-text")];
    let body = STANDARD.encode(frame(&get("k")));
    let answer = http.send(Method::POST, "/etcdserverpb.KV/Range", &headers, body).await;
    // Padded wherever the server has cut it: every four characters stand for themselves.
    let text = answer.text();
    let decoded: Vec<u8> = text.trim().as_bytes().chunks(4).flat_map(|four| STANDARD.decode(four).unwrap()).collect();
    let (messages, _) = parts(&decoded);
    assert_eq!(RangeResponse::decode(&messages[0][..]).unwrap().kvs[0].value, "v");
}

#[tokio::test]
async fn errors_and_origins() {
    let server = Server::builder().args(["--cors=*"]).start();
    if server.is_etcd() {
        return; // has no gRPC-Web
    }
    let http = server.http();
    let headers = [("content-type", "application/grpc-web"), ("origin", "http://page.example")];
    let answer = http.send(Method::POST, "/etcdserverpb.KV/Put", &headers, frame(&put("", "v"))).await;
    let trailers = format!("{}{:?}", parts(&answer.body).1, answer.headers);
    assert!(trailers.contains("key is not provided") || trailers.contains("key%20is%20not%20provided"), "{trailers}");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    let exposed = answer.header("access-control-expose-headers").to_lowercase();
    assert!(exposed == "*" || (exposed.contains("grpc-status") && exposed.contains("grpc-message")), "{exposed}");
    let preflight = [
        ("origin", "http://page.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type,x-grpc-web,x-user-agent,grpc-timeout"),
    ];
    let answer = http.send(Method::OPTIONS, "/etcdserverpb.KV/Put", &preflight, "").await;
    assert_eq!(answer.status, 200);
    let allowed = answer.header("access-control-allow-headers").to_lowercase();
    for name in ["x-grpc-web", "x-user-agent", "grpc-timeout", "content-type"] {
        assert!(allowed == "*" || allowed.contains(name), "{name}: {allowed}");
    }
}
