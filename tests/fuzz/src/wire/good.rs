//! What is understood behind sockets.

use std::sync::Arc;

use bytes::Bytes;
use keyport_api::etcdserverpb::RangeRequest;
use prost::Message as _;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

fn all(texts: &[&[u8]]) -> Vec<Bytes> {
    texts.iter().map(|text| Bytes::copy_from_slice(text)).collect()
}

pub fn http1() -> Vec<Bytes> {
    all(&[
        b"GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /health?serializable=true&exclude=NOSPACE HTTP/1.0\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\nAccept: application/openmetrics-text\r\n\r\n",
        b"POST /v3/kv/range HTTP/1.1\r\nHost: [::1]:2379\r\nContent-Length: 14\r\nConnection: close\r\n\r\n{\"key\":\"aw==\"}",
        b"POST /v3/kv/put HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n\
          d;a=b\r\n{\"key\":\"aw==\"\r\n1\r\n}\r\n0\r\nx: y\r\n\r\nGET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /v3/kv/put HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
        b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    ])
}

/// Verb, path, headers, body.
pub fn requests() -> Vec<Bytes> {
    all(&[
        b"\x01v3/kv/range\nAuthorization: Basic cm9vdDpyb290\nOrigin: http://localhost\n\n{\"key\":\"aw==\",\"range_end\":\"AA==\"}",
        b"\x01v3/kv/txn\nContent-Type: application/json; charset=utf-8\nGrpc-Metadata-Token: abc.1\ngrpc-timeout: 5S\n\n\
          {\"compare\":[{\"key\":\"aw==\",\"version\":\"0\"}],\"success\":[{\"request_put\":{\"key\":\"aw==\",\"value\":\"eA==\"}}]}",
        b"\x01v3/watch\n\n{\"create_request\":{\"key\":\"aw==\"}}{\"progress_request\":{}}",
        b"\x01v3/lease/grant\n\n{\"TTL\":\"60\"}",
        b"\x01v3/auth/authenticate\n\n{\"name\":\"root\",\"password\":\"root\"}",
        b"\x01v3/lock/lock\n\n{\"name\":\"aw==\"}",
        b"\x01v3/session\n\n{\"name\":\"root\",\"password\":\"root\"}",
        b"\0v3/watch?key=a&prefix=b%00&range_end=c&filters=noput&since=3.1&heartbeat=1\nLast-Event-ID: 4.0.2\nAccept: text/event-stream",
        b"\0v3/watch?key_b64=aw&initial=true&access_token=abc&_=1\nCookie: __Host-keyport=x; keyport=y; token=z",
        b"\x02v3/keys/a%2fb?ttl=60&prev\nIf-Match: \"2\", W/\"3j\"\nPrefer: return=minimal\nAuthorization: Bearer abc.1\n\nvalue",
        b"\x02v3/keys/?key_b64=AAE&cas=0&lease=7\nContent-Range: bytes 0-1/2\n\nvalue",
        b"\x06v3/keys/k?increment=-5&update\n\n",
        b"\x06v3/keys/k\nContent-Type: application/json-patch+json\n\n[{\"op\":\"test\",\"path\":\"/a~1b/0\",\"value\":1e3},{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/b/-\"}]",
        b"\x06v3/keys/k\nContent-Type: application/merge-patch+json; charset=utf-8\n\n{\"a\":{\"b\":null,\"c\":[1.5]}}",
        b"\x01v3/keys/jobs/?ttl=1\nPrefer: return=representation\n\nx",
        b"\x03v3/keys?prefix_b64=aw==\n\n",
        b"\0v3/keys?prefix=a&separator=%2F&counts&keys_only=true&limit=1&after=AAAAAAAAAAEBawJrMQ&rev=2\nAccept: application/json;q=0.5, application/x-ndjson",
        b"\0v3/keys/k?consistency=serializable&rev=1\nRange: bytes=-1\nIf-Range: \"2\"\nIf-None-Match: *\nAccept: text/plain",
        b"\0v3/keys/k?wait=1s\nIf-None-Match: \"1\"",
        b"\x01v3/leases\n\n{\"ttl\":\"60\",\"id\":7}",
        b"\x01v3/leases/0x7/keepalive\n\n",
        b"\0health?serializable=1\nIf-None-Match: \"x\", W/\"y\"\nAccept-Encoding: gzip;q=0.5, br",
        b"\0openapi.json\nRange: bytes=0-10",
        b"\0//v3/./kv/../kv/range?a=%2f",
        b"\x04v3/kv/put\nOrigin: http://elsewhere\nAccess-Control-Request-Method: POST\nAccess-Control-Request-Headers: a, b",
        b"\x01etcdserverpb.KV/Range\nContent-Type: application/grpc-web+proto\nX-Request-Id: abc\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n\n\0\0\0\0\x03\n\x01a",
        b"\x01etcdserverpb.KV/Range\nContent-Type: application/grpc-web-text\ngrpc-encoding: gzip\n\nAAAAAAMKAWE=",
    ])
}

/// Kind, flags, stream, length, payload.
pub fn http2() -> Vec<Bytes> {
    fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).expect("short");
        [&[kind, flags, stream, length], payload].concat()
    }
    /// Headers by name and value, none of them indexed.
    fn block(headers: &[(&str, &str)]) -> Vec<u8> {
        let text = |text: &str| [&[u8::try_from(text.len()).expect("short")], text.as_bytes()].concat();
        headers.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
    }
    let call = |path, kind| {
        block(&[
            (":method", "POST"),
            (":scheme", "http"),
            (":path", path),
            (":authority", "a"),
            ("content-type", kind),
            ("te", "trailers"),
        ])
    };
    let message = RangeRequest { key: "a".into(), ..RangeRequest::default() }.encode_to_vec();
    let grpc = [&[0, 0, 0, 0, u8::try_from(message.len()).expect("short")], &message[..]].concat();
    let range = call("/etcdserverpb.KV/Range", "application/grpc");
    let watch = call("/etcdserverpb.Watch/Watch", "application/grpc");
    let get = block(&[(":method", "GET"), (":scheme", "http"), (":path", "/version"), (":authority", "a")]);
    [
        [frame(1, 4, 1, &range), frame(0, 1, 1, &grpc)].concat(),
        [frame(1, 5, 1, &get), frame(6, 0, 0, &[7; 8]), frame(3, 0, 1, &[0, 0, 0, 8]), frame(7, 0, 0, &[0; 8])]
            .concat(),
        [frame(1, 4, 1, &watch), frame(0, 0, 1, &[0, 0, 0, 0, 5, 10, 3, 10, 1, 97]), frame(0, 1, 1, &[])].concat(),
        [frame(1, 0, 1, &get[..9]), frame(9, 4, 1, &get[9..]), frame(8, 0, 0, &[0, 1, 0, 0]), frame(2, 0, 1, &[0; 5])]
            .concat(),
        [frame(4, 0, 0, &[0, 4, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0]), frame(1, 5, 1, &[0x82, 0x86, 0x84, 0x41, 1, 97])]
            .concat(),
        [frame(1, 0x2c, 1, &[&[2, 0, 0, 0, 0, 16], &get[..], &[0, 0]].concat()), frame(0, 9, 1, &[1, b'x', 0])]
            .concat(),
    ]
    .map(Bytes::from)
    .into()
}

/// A head, a length, and a payload.
pub fn websocket() -> Vec<Bytes> {
    let frame = |head: u8, payload: &[u8]| [&[head, u8::try_from(payload.len()).expect("short")], payload].concat();
    [
        [frame(0x81, br#"{"create_request":{"key":"aw=="}}"#), frame(0x89, b"ping"), frame(0x88, &[3, 0xe8])].concat(),
        [frame(0x01, br#"{"create_req"#), frame(0x8a, b""), frame(0x80, br#"uest":{}}"#)].concat(),
        [frame(0x82, br#"{"progress_request":{}}{"cancel_request":{"watch_id":"0"}}"#), frame(0x88, b"")].concat(),
    ]
    .map(Bytes::from)
    .into()
}

/// Header and claims.
pub fn tokens() -> Vec<Bytes> {
    all(&[
        b"{\"alg\":\"HS256\",\"typ\":\"JWT\"}\n{\"username\":\"root\",\"revision\":5,\"exp\":99999999999}",
        b"{\"alg\":\"HS256\"}\n{\"username\":\"a\",\"revision\":1e3,\"nbf\":0.5,\"exp\":1,\"aud\":[\"x\",{\"y\":null}]}",
        b"{\"alg\":\"none\",\"crit\":[\"b64\"]}\n{}",
    ])
}

pub fn peer_port() -> Vec<Bytes> {
    all(&[
        b"GET /members HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /members/hashkv HTTP/1.1\r\nHost: a\r\nContent-Length: 14\r\n\r\n{\"revision\":0}",
        b"POST /members/promote/123 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        b"POST /leases HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n\x08\x07",
        b"POST /leases/internal HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n\x0a\x04\x08\x07\x10\x01",
        b"GET /downgrade/enabled HTTP/1.1\r\nHost: a\r\n\r\nGET /version HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /raft/probing HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /raft/stream HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: keyport-raft/1\r\nX-Server-From: 1\r\n\
          X-Server-Version: 3.7.0\r\nX-Min-Cluster-Version: 3.0.0\r\nX-Etcd-Cluster-Id: 2\r\nX-Raft-To: 3\r\nX-PeerURLs: http://a:1\r\n\r\n",
    ])
}

/// What a client begins with.
pub fn tls() -> Vec<Bytes> {
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let config = config.with_safe_default_protocol_versions().expect("versions");
    let mut config = config.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    let hello = |config: &ClientConfig| {
        let name = "localhost".try_into().expect("a name");
        let mut client = ClientConnection::new(Arc::new(config.clone()), name).expect("a client");
        let mut hello = Vec::new();
        client.write_tls(&mut hello).expect("written");
        Bytes::from(hello)
    };
    let plain = hello(&config);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    vec![plain, hello(&config), Bytes::from_static(b"GET / HTTP/1.1\r\n\r\n")]
}
