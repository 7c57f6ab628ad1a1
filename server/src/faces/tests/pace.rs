//! A body that does not come in is not waited for where it has one request, whatever the answer is; requests that are a
//! stream are left in peace.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_stream::wrappers::ReceiverStream;

use crate::http::Pace;
use crate::testing::Member;
use crate::testing::raw::Raw;

const CREATE: &[u8] = b"\x0a\x03\x0a\x01k";

async fn impatient() -> Member {
    let pace = Pace { grace: Duration::from_millis(100), bytes_per_second: 1 << 20 };
    let mut member = Member::start().await;
    member.pace = pace;
    member
}

#[tokio::test]
async fn over_the_gateway() {
    let member = impatient().await;
    let address = member.serve(member.gateway());
    let mut watch = Raw::open(address).await;
    watch.begin("/v3/watch").await;
    watch.send_chunk("{\"create_requ").await;
    let text = "the request body took too long";
    let slow = async |path, begins| {
        let mut slow = Raw::open(address).await;
        slow.begin(path).await;
        slow.send_chunk(begins).await;
        let head = slow.head().await;
        let body: Value = serde_json::from_slice(&slow.body(&head).await).unwrap();
        (head, body)
    };
    for path in ["/v3/kv/put", "/v3/lock/lock"] {
        let (head, body) = slow(path, "{\"key\":").await;
        assert_eq!((head.status, head.header("content-type")), (408, Some("application/json")), "{path}");
        assert_eq!(body, json!({"error": text, "code": 4, "message": text}));
    }
    for path in ["/v3/maintenance/snapshot", "/v3/election/observe"] {
        let (head, body) = slow(path, "{\"name\":").await;
        assert_eq!((head.status, head.header("connection")), (408, Some("close")), "{path}");
        let (code, status) = (408, "Request Timeout");
        let error = json!({"grpc_code": 4, "http_code": code, "http_status": status, "code": 4, "message": text});
        assert_eq!(body, json!({ "error": error }), "{path}");
    }
    // There is no request in it.
    let mut slow = Raw::open(address).await;
    slow.send("GET /v3/watch?key=x HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{").await;
    assert_eq!(slow.head().await.status, 408);
    watch.send_chunk("est\":{\"key\":\"aw==\"}}").await;
    assert_eq!(watch.head().await.status, 200);
    assert_eq!(watch.message().await["result"]["created"], true);
}

#[tokio::test]
async fn over_grpc() {
    let member = impatient().await;
    let address = member.serve(member.gateway());
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut begin = async |path: &str, part: &[u8]| {
        let (parts, body) = tokio::sync::mpsc::channel(1);
        parts.send(Ok::<_, Infallible>(Frame::data(Bytes::copy_from_slice(part)))).await.unwrap();
        let request = Request::post(format!("http://{address}{path}")).header("content-type", "application/grpc");
        let request = request.body(StreamBody::new(ReceiverStream::new(body))).unwrap();
        (parts, sender.send_request(request))
    };
    let length = u8::try_from(CREATE.len()).unwrap();
    let (watch, watching) = begin("/etcdserverpb.Watch/Watch", &[0, 0, 0, 0, length]).await;
    for path in [
        "/etcdserverpb.KV/Put",
        "/etcdserverpb.Lease/LeaseGrant",
        "/v3lockpb.Lock/Lock",
        "/etcdserverpb.KV/RangeStream",
        "/etcdserverpb.Maintenance/Snapshot",
        "/v3electionpb.Election/Observe",
    ] {
        let (_parts, answer) = begin(path, &[0, 0, 0, 0, 9, 1]).await;
        let headers = answer.await.unwrap().into_parts().0.headers;
        assert_eq!(headers["grpc-status"], "4", "{path}");
        assert_eq!(headers["grpc-message"], "the%20request%20body%20took%20too%20long", "{path}");
    }
    watch.send(Ok(Frame::data(Bytes::from_static(CREATE)))).await.unwrap();
    let created = watching.await.unwrap().into_body().frame().await.unwrap().unwrap();
    assert!(created.is_data());
}
