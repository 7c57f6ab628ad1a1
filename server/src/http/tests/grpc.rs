use super::*;
use hyper_util::rt::{TokioExecutor, TokioIo};
use keyport_api::etcdserverpb::kv_client::KvClient;
use tonic::Code;
use tonic::transport::Channel;

pub(super) async fn client(server: &Server) -> KvClient<Channel> {
    KvClient::connect(format!("http://{}", server.addr)).await.unwrap()
}

fn key(key: &'static [u8]) -> RangeRequest {
    RangeRequest { key: Bytes::from_static(key), ..RangeRequest::default() }
}

/// One request over HTTP/2 without encryption.
pub(super) async fn h2(server: &Server, request: Request<Full<Bytes>>) -> (http::response::Parts, Bytes) {
    let stream = TcpStream::connect(server.addr).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
    (parts, body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default())
}

pub(super) fn post(server: &Server, path: &str, content_type: &str) -> http::request::Builder {
    let uri = format!("http://{}{path}", server.addr);
    Request::builder().method("POST").uri(uri).header("content-type", content_type)
}

#[tokio::test]
async fn calls_and_what_is_counted_of_them() {
    let server = start(Setup::default());
    let mut client = client(&server).await;
    assert_eq!(client.range(key(b"a")).await.unwrap().into_inner().count, 7);
    let failed = client.range(key(b"")).await.unwrap_err();
    assert_eq!((failed.code(), failed.message()), (Code::InvalidArgument, "etcdserver: key is not provided"));
    let panicked = client.range(key(b"panic")).await.unwrap_err();
    assert_eq!((panicked.code(), panicked.message()), (Code::Internal, "internal error"));
    let mut stream = client.range_stream(key(b"a")).await.unwrap().into_inner();
    while stream.message().await.is_ok_and(|m| m.is_some()) {}
    let cancelled = tokio::time::timeout(Duration::from_millis(50), client.delete_range(DeleteRangeRequest::default()));
    assert!(cancelled.await.is_err());
    // An answered call behind the cancelled one shows that the server has seen the reset.
    client.put(PutRequest::default()).await.unwrap();

    let series = |name: &str, method: &str, kind: &str, code: &str| {
        format!(
            "grpc_server_{name}{{{code}grpc_method=\"{method}\",grpc_service=\"etcdserverpb.KV\",grpc_type=\"{kind}\"}}"
        )
    };
    for (name, method, kind, code, value) in [
        ("started_total", "Range", "unary", "", 3),
        ("handled_total", "Range", "unary", "grpc_code=\"OK\",", 1),
        ("handled_total", "Range", "unary", "grpc_code=\"InvalidArgument\",", 1),
        ("handled_total", "Range", "unary", "grpc_code=\"Internal\",", 1),
        ("msg_received_total", "Range", "unary", "", 3),
        ("msg_sent_total", "Range", "unary", "", 1),
        ("msg_sent_total", "RangeStream", "server_stream", "", 2),
        ("handled_total", "RangeStream", "server_stream", "grpc_code=\"Aborted\",", 1),
        ("handled_total", "DeleteRange", "unary", "grpc_code=\"Canceled\",", 1),
    ] {
        let line = format!("{} {value}", series(name, method, kind, code));
        assert!(server.metric(&line), "{line}\n{}", server.metrics.render().unwrap());
    }
    assert!(server.metric("etcd_server_client_requests_total{client_api_version=\"unknown\",type=\"unary\"} 5"));
    assert!(server.metric("etcd_network_client_grpc_received_bytes_total 13"));
}

#[tokio::test]
async fn a_message_too_large_is_refused_by_its_length() {
    let server = start(Setup::default());
    let mut client = client(&server).await;
    let big = PutRequest { value: vec![0; MAX_MESSAGE].into(), ..PutRequest::default() };
    let status = client.put(big).await.unwrap_err();
    let text = format!("grpc: received message larger than max ({} vs. {MAX_MESSAGE})", MAX_MESSAGE + 4);
    assert_eq!((status.code(), status.message()), (Code::ResourceExhausted, text.as_str()));
    client.put(PutRequest { value: vec![0; MAX_MESSAGE - 4].into(), ..PutRequest::default() }).await.unwrap();
}

#[tokio::test]
async fn json_over_http2() {
    let server = start(Setup::default());
    let (parts, body) =
        h2(&server, post(&server, "/echo", "application/json").body(Full::from("12345")).unwrap()).await;
    assert_eq!((parts.status.as_u16(), &body[..]), (200, &b"5"[..]));
    assert_eq!(parts.headers["access-control-allow-origin"], "*");
}

#[tokio::test]
async fn grpc_web() {
    let server = start(Setup::default());
    let message: &[u8] = b"\0\0\0\0\x03\x0a\x01a";
    let request = post(&server, "/etcdserverpb.KV/Range", "application/grpc-web+proto").header("origin", "http://page");
    let (parts, body) = h2(&server, request.body(Full::from(message)).unwrap()).await;
    assert_eq!(parts.headers["content-type"], "application/grpc-web+proto");
    assert_eq!(parts.headers["access-control-allow-origin"], "*");
    assert!(body.starts_with(b"\0\0\0\0\x02\x20\x07\x80"), "{body:?}");
    assert!(body.windows(13).any(|w| w == b"grpc-status:0"), "{body:?}");
    let line = "grpc_server_handled_total{grpc_code=\"OK\",grpc_method=\"Range\",grpc_service=\"etcdserverpb.KV\",grpc_type=\"unary\"} 1";
    assert!(server.metric(line));
}
