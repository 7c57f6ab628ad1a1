//! How long a caller waits (`grpc-timeout`) holds for every call that may take long, whatever is spoken: status 4 when that
//! time is over, and what waited is gone. Without it, each of these would last for ever, or for the server's own seven
//! seconds and end with another status.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use http_body_util::BodyExt;
use keyport_api::etcdserverpb::{
    CompactionRequest, LeaseGrantRequest, LeaseKeepAliveRequest, MemberListRequest, WatchRequest,
    watch_request::RequestUnion,
};
use keyport_api::v3electionpb::{CampaignRequest, LeaderRequest};
use keyport_api::v3lockpb::LockRequest;
use keyport_tests::grpc::{Grpc, bytes, frame, list, put, watch};
use keyport_tests::http::{Http, b64};
use keyport_tests::raw::Raw;
use keyport_tests::wait::{eventually, within};
use keyport_tests::{Cluster, Server};
use prost::Message;
use serde_json::{Value, json};
use std::net::SocketAddr;

const TIMEOUT: &str = "300m";
const OVER: &str = "4";

/// A call in all its spellings.
struct Call {
    method: &'static str,
    message: Vec<u8>,
    /// Its path on the gateway and what is posted there.
    json: (&'static str, Value),
}

impl Call {
    fn new(method: &'static str, message: &impl Message, path: &'static str, body: Value) -> Call {
        Call { method, message: frame(&message.encode_to_vec()), json: (path, body) }
    }

    /// The status in gRPC.
    async fn grpc(&self, http: &Http) -> String {
        let headers = [("content-type", "application/grpc"), ("te", "trailers"), ("grpc-timeout", TIMEOUT)];
        let answer = http.post_open(self.method, &headers, self.message.clone()).await;
        let status = answer.headers().get("grpc-status").cloned();
        let rest = within(self.method, answer.into_body().collect()).await.expect("a whole answer");
        let status = status.or_else(|| rest.trailers().and_then(|trailers| trailers.get("grpc-status").cloned()));
        status.expect("a status").to_str().unwrap().to_owned()
    }

    /// The status in gRPC-Web.
    async fn web(&self, http: &Http, text: bool) -> String {
        let (kind, message) = match text {
            true => ("application/grpc-web-text", STANDARD.encode(&self.message).into_bytes()),
            false => ("application/grpc-web", self.message.clone()),
        };
        let headers = [("content-type", kind), ("accept", kind), ("grpc-timeout", TIMEOUT)];
        let answer = http.send(Method::POST, self.method, &headers, message).await;
        if !answer.header("grpc-status").is_empty() {
            return answer.header("grpc-status").to_owned();
        }
        let body = match text {
            // Padded wherever it was cut.
            true => answer.body.chunks(4).flat_map(|four| STANDARD.decode(four).expect("base64")).collect(),
            false => answer.body.to_vec(),
        };
        let body = String::from_utf8_lossy(&body).into_owned();
        let (_, status) = body.rsplit_once("grpc-status:").unwrap_or_else(|| panic!("{}: {body:?}", self.method));
        status.trim().chars().take_while(char::is_ascii_digit).collect()
    }

    /// The code on the gateway.
    async fn gateway(&self, http: &Http) -> String {
        let (path, body) = &self.json;
        let headers = [("grpc-timeout", TIMEOUT)];
        let answer = http.send(Method::POST, path, &headers, body.to_string()).await.text();
        let last: Value = serde_json::from_str(answer.lines().last().unwrap_or_default()).unwrap();
        let code = if last["error"].is_object() { &last["error"]["code"] } else { &last["code"] };
        assert!(code.is_number(), "{path}: {answer}");
        code.to_string()
    }

    /// Makes it everywhere.
    async fn is_over_in_time(&self, addr: SocketAddr) {
        let (h1, h2) = (Http::new(addr), Http::h2c(addr));
        assert_eq!(self.grpc(&h2).await, OVER, "{} over gRPC", self.method);
        assert_eq!(self.gateway(&h1).await, OVER, "{} on the gateway", self.method);
        for text in [false, true] {
            assert_eq!(self.web(&h1, text).await, OVER, "{} over gRPC-Web, {text}", self.method);
        }
    }
}

/// The only one in line is who holds it.
async fn nobody_waits(c: &mut Grpc, name: &str) {
    eventually("who waited is gone", async || (c.range(list(name)).await.count == 1).then_some(())).await;
}

#[tokio::test]
async fn calls_that_wait_for_others() {
    let server = Server::start();
    if server.is_etcd() {
        return; // resets the stream of a call whose time is over
    }
    let mut c = server.grpc().await;
    let (holds, waits) = (c.grant(1000).await, c.grant(1000).await);
    c.lock.lock(LockRequest { name: bytes("l"), lease: holds }).await.unwrap();
    let campaign = |lease| CampaignRequest { name: bytes("e"), lease, value: bytes("v") };
    c.election.campaign(campaign(holds)).await.unwrap();
    let create = WatchRequest { request_union: Some(RequestUnion::CreateRequest(watch("k"))) };
    let calls = [
        Call::new(
            "/v3lockpb.Lock/Lock",
            &LockRequest { name: bytes("l"), lease: waits },
            "/v3/lock/lock",
            json!({ "name": b64("l"), "lease": waits.to_string() }),
        ),
        Call::new(
            "/v3electionpb.Election/Campaign",
            &campaign(waits),
            "/v3/election/campaign",
            json!({ "name": b64("e"), "lease": waits.to_string(), "value": b64("v") }),
        ),
        Call::new(
            "/v3electionpb.Election/Observe",
            &LeaderRequest { name: bytes("e") },
            "/v3/election/observe",
            json!({ "name": b64("e") }),
        ),
        Call::new("/etcdserverpb.Watch/Watch", &create, "/v3/watch", json!({ "create_request": { "key": b64("k") } })),
    ];
    for call in &calls {
        call.is_over_in_time(server.addr()).await;
    }
    nobody_waits(&mut c, "l/").await;
    nobody_waits(&mut c, "e/").await;
}

/// A stream that renews leases for as long as its client likes; on the gateway it ends with its request.
#[tokio::test]
async fn streams_of_renewals() {
    let server = Server::start();
    if server.is_etcd() {
        return;
    }
    let id = server.grpc().await.grant(1000).await;
    let renew = LeaseKeepAliveRequest { id };
    let call =
        Call::new("/etcdserverpb.Lease/LeaseKeepAlive", &renew, "/v3/lease/keepalive", json!({ "ID": id.to_string() }));
    assert_eq!(call.grpc(&server.http2()).await, OVER);
}

#[tokio::test]
async fn websockets() {
    let server = Server::start();
    if server.is_etcd() {
        return;
    }
    let mut raw = Raw::connect(server.addr()).await;
    let upgrade = format!(
        "GET /v3/watch HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\ngrpc-timeout: {TIMEOUT}\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    let create = r#"{"create_request":{"key":"aw=="}}"#.as_bytes();
    // A text, masked with zeros.
    let message = [&[0x81, 0x80 | create.len() as u8, 0, 0, 0, 0], create].concat();
    assert!(raw.send([upgrade.as_bytes(), &message].concat()).await);
    raw.read_until(br#""created":true"#).await.unwrap();
    let end = String::from_utf8_lossy(&raw.read_to_end().await).into_owned();
    assert!(end.contains(r#""grpc_code":4"#), "{end}");
}

/// What needs a majority, asked of a member that is alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_without_a_quorum() {
    let mut cluster = Cluster::of(3).start().await;
    if cluster.is_etcd() {
        return;
    }
    for _ in 0..3 {
        cluster.grpc(0).put("k", "v").await;
    }
    for member in [1, 2] {
        cluster.kill(member).await;
    }
    let calls = [
        Call::new("/etcdserverpb.KV/Put", &put("k", "v"), "/v3/kv/put", json!({ "key": b64("k"), "value": b64("v") })),
        Call::new(
            "/etcdserverpb.Lease/LeaseGrant",
            &LeaseGrantRequest { ttl: 100, id: 0 },
            "/v3/lease/grant",
            json!({ "TTL": "100" }),
        ),
        Call::new(
            "/etcdserverpb.Cluster/MemberList",
            &MemberListRequest { linearizable: true },
            "/v3/cluster/member/list",
            json!({ "linearizable": true }),
        ),
        Call::new(
            "/etcdserverpb.KV/Compact",
            &CompactionRequest { revision: 2, physical: false },
            "/v3/kv/compaction",
            json!({ "revision": "2" }),
        ),
    ];
    for call in &calls {
        call.is_over_in_time(cluster.members[0].addr()).await;
    }
}
