//! gRPC messages that clients compress.

use flate2::Compression;
use flate2::write::GzEncoder;
use http::Method;
use keyport_api::etcdserverpb::{LeaseGrantRequest, WatchRequest, watch_request::RequestUnion};
use keyport_tests::Server;
use keyport_tests::grpc::{frame, get, put, watch_all};
use keyport_tests::http::Answer;
use prost::Message;
use std::io::Write;
use tonic::Code;
use tonic::codec::CompressionEncoding::Gzip;

const PUT: &str = "/etcdserverpb.KV/Put";
const GRANT: &str = "/etcdserverpb.Lease/LeaseGrant";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A call with a message that is marked as compressed.
async fn marked(server: &Server, path: &str, encoding: Option<&str>, message: &[u8]) -> Answer {
    let mut headers = vec![("content-type", "application/grpc"), ("te", "trailers")];
    headers.extend(encoding.map(|name| ("grpc-encoding", name)));
    let mut body = frame(message);
    body[0] = 1;
    server.http2().send(Method::POST, path, &headers, body).await
}

/// Refusals have no body, and their status in the head; it is behind the message of any other answer.
fn status(answer: &Answer) -> Code {
    match answer.header("grpc-status") {
        "" if !answer.body.is_empty() => Code::Ok,
        code => Code::from_bytes(code.as_bytes()),
    }
}

#[tokio::test]
async fn gzip_on_every_kind_of_call() {
    let server = Server::start();
    let c = server.grpc().await;
    // Whether the answers are compressed is up to the server: etcd's are, as the requests were.
    let value = "x".repeat(100_000);
    let mut kv = c.kv.clone().send_compressed(Gzip).accept_compressed(Gzip);
    kv.put(put("k", &value)).await.unwrap();
    assert_eq!(kv.range(get("k")).await.unwrap().into_inner().kvs[0].value, value);
    let mut lease = c.lease.clone().send_compressed(Gzip).accept_compressed(Gzip);
    lease.lease_grant(LeaseGrantRequest { ttl: 60, id: 7 }).await.unwrap();
    let create = WatchRequest { request_union: Some(RequestUnion::CreateRequest(watch_all("k"))) };
    let requests = tokio_stream::iter([create]);
    let mut watch =
        c.watch.clone().send_compressed(Gzip).accept_compressed(Gzip).watch(requests).await.unwrap().into_inner();
    assert!(watch.message().await.unwrap().unwrap().created);
}

#[tokio::test]
async fn bombs_and_nonsense() {
    let server = Server::start();
    let request = put("k", &"x".repeat(200_000_000)).encode_to_vec();
    let bomb = gzip(&request);
    assert!(bomb.len() < 1_000_000);
    let before = server.memory_mib("VmHWM");
    for path in [PUT, GRANT] {
        assert_eq!(status(&marked(&server, path, Some("gzip"), &bomb).await), Code::ResourceExhausted, "{path}");
    }
    let after = server.memory_mib("VmHWM");
    assert!(server.is_etcd() || after < before + 50, "{before} MiB became {after} MiB");

    if server.older_than("3.6") {
        return; // has other codes for nonsense
    }
    for path in [PUT, GRANT] {
        assert_eq!(status(&marked(&server, path, Some("gzip"), b"no gzip").await), Code::Internal, "{path}");
        assert_eq!(status(&marked(&server, path, None, b"x").await), Code::Internal, "{path}");
        assert_eq!(status(&marked(&server, path, Some("snappy"), b"x").await), Code::Unimplemented, "{path}");
    }
    let whole = gzip(&put("k", "v").encode_to_vec());
    assert_eq!(status(&marked(&server, PUT, Some("gzip"), &whole[..whole.len() - 9]).await), Code::Internal);
    assert!(server.grpc().await.get("k").await.is_none());
    assert_eq!(status(&marked(&server, PUT, Some("gzip"), &whole).await), Code::Ok);
    assert_eq!(server.grpc().await.get("k").await.unwrap().value, "v");
}
