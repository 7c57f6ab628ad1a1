//! How often may be asked. What comes back of these rates while a test runs is less than it asks for.

use http::{Method, StatusCode};
use keyport_api::etcdserverpb::{LeaseGrantRequest, MemberListRequest, StatusRequest, TxnRequest};
use keyport_api::v3electionpb::{LeaderKey, ProclaimRequest, ResignRequest};
use keyport_api::v3lockpb::{LockRequest, UnlockRequest};
use keyport_tests::grpc::{IntoOp as _, get, list, put, refused, watch};
use keyport_tests::http::{Answer, b64};
use keyport_tests::wait::eventually;
use serde_json::json;
use tonic::{Code, Status};

use super::{counted, server};

const BY_USER: &str = "keyport: too many requests of this user";
const BY_ADDRESS: &str = "keyport: too many requests from this address";
const BY_KEYS: &str = "keyport: too many requests for these keys";
/// More than this come neither at once nor back.
const MANY: usize = 500;

/// Asks until it is refused, which has to be soon.
async fn until_refused(mut ask: impl AsyncFnMut() -> Answer) -> Answer {
    for _ in 0..MANY {
        let answer = ask().await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            return answer;
        }
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    panic!("nobody counts");
}

async fn until_refused_by_grpc<T>(mut ask: impl AsyncFnMut() -> Result<T, Status>) -> Status {
    for _ in 0..MANY {
        if let Err(status) = ask().await {
            return status;
        }
    }
    panic!("nobody counts");
}

fn says_when_to_come_back(status: &Status, message: &str) {
    assert_eq!((status.code(), status.message()), (Code::ResourceExhausted, message));
    assert_eq!(status.metadata().get("grpc-retry-pushback-ms").unwrap(), "1000");
}

#[tokio::test]
async fn an_address_is_refused_in_the_words_of_what_it_speaks() {
    let Some(server) = server(["--rate-limit-per-address=1:5"]) else { return };
    let (http, http2, mut grpc) = (server.http(), server.http2(), server.grpc().await);
    let range = json!({ "key": b64("k") }).to_string();
    let answer = until_refused(async || http.post("/v3/kv/range", range.clone()).await).await;
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(answer.json(), json!({ "error": BY_ADDRESS, "code": 8, "message": BY_ADDRESS }));
    let answer = until_refused(async || http2.get("/").await).await;
    assert_eq!((answer.header("retry-after"), answer.header("content-type")), ("1", "application/problem+json"));
    assert_eq!((answer.json()["status"].clone(), answer.json()["detail"].clone()), (json!(429), json!(BY_ADDRESS)));
    says_when_to_come_back(&until_refused_by_grpc(async || grpc.kv.range(get("k")).await).await, BY_ADDRESS);
    assert!(counted(&http, "keyport_rate_limited_total{by=\"address\"}").await >= 3);

    // What keeps others alive is let through, and so is who looks after the server.
    let lease = grpc.grant(60).await;
    for _ in 0..20 {
        for path in ["/health", "/livez", "/readyz?verbose", "/metrics", "/version"] {
            assert_eq!(http.get(path).await.status, 200, "{path}");
        }
        assert_eq!(grpc.keep_alive(lease).await.id, lease);
        grpc.lease.lease_grant(LeaseGrantRequest { ttl: 60, id: 0 }).await.unwrap();
        grpc.maintenance.status(StatusRequest {}).await.unwrap();
        grpc.cluster.member_list(MemberListRequest::default()).await.unwrap();
    }
    // And it comes back.
    eventually("a place comes back", async || grpc.kv.range(get("k")).await.ok()).await;
}

#[tokio::test]
async fn a_user_keeps_nobody_else_from_asking() {
    let Some(server) = server(["--rate-limit-per-user=1:20", "--bcrypt-cost=4"]) else { return };
    let (http, mut grpc) = (server.http(), server.grpc().await);
    for (path, body) in [
        ("role/add", json!({ "name": "reads" })),
        ("role/grant", json!({ "name": "reads", "perm": { "permType": "READWRITE", "key": b64("k") } })),
        ("user/add", json!({ "name": "root", "password": "root" })),
        ("user/grant", json!({ "user": "root", "role": "root" })),
        ("user/add", json!({ "name": "alice", "password": "alice" })),
        ("user/grant", json!({ "user": "alice", "role": "reads" })),
        ("user/add", json!({ "name": "bob", "password": "bob" })),
        ("user/grant", json!({ "user": "bob", "role": "reads" })),
        ("enable", json!({})),
    ] {
        http.call(&format!("/v3/auth/{path}"), body).await;
    }
    let token = async |user: &str| {
        let answer = http.call("/v3/auth/authenticate", json!({ "name": user, "password": user })).await;
        answer["token"].as_str().unwrap().to_owned()
    };
    let (alice, bob) = (token("alice").await, token("bob").await);
    let ask = async |token: &str, path: &str, body: serde_json::Value| {
        http.send(Method::POST, path, &[("authorization", token)], body.to_string()).await
    };
    let range = async |token: &str| ask(token, "/v3/kv/range", json!({ "key": b64("k") })).await;
    let answer = until_refused(async || range(&alice).await).await;
    assert_eq!((answer.header("retry-after"), answer.json()["message"].clone()), ("1", json!(BY_USER)));
    let events = http.send(Method::GET, "/v3/watch?key=k", &[("authorization", &alice)], "").await;
    assert_eq!((events.status.as_u16(), events.header("retry-after")), (429, "1"));
    assert_eq!(events.json()["detail"], BY_USER);
    // A watch is refused on its stream.
    let watching = ask(&alice, "/v3/watch", json!({ "create_request": { "key": b64("k") } })).await;
    let told = format!("rpc error: code = ResourceExhausted desc = {BY_USER}");
    assert_eq!(watching.json()["result"]["cancel_reason"], json!(told), "{}", watching.text());

    assert_eq!(range(&bob).await.status, 200);
    assert!(!token("alice").await.is_empty(), "logging in is no request of a user");
    assert_eq!(ask(&alice, "/v3/lease/grant", json!({ "TTL": 60 })).await.status, 200);
    // Nobody is no user: he is refused for that.
    refused(grpc.kv.range(get("k")).await, Code::InvalidArgument, "etcdserver: user name is empty");
    assert!(counted(&http, "keyport_rate_limited_total{by=\"user\"}").await >= 3);
    assert_eq!(counted(&http, "keyport_rate_limited_total{by=\"prefix\"}").await, 0);
}

#[tokio::test]
async fn keys_are_counted_by_their_prefix_whatever_asks_for_them() {
    let Some(server) = server(["--rate-limit-prefix=/busy/=1:40", "--rate-limit-prefix=/none/=1:1"]) else { return };
    let (http, mut grpc) = (server.http(), server.grpc().await);
    let ops_of = |under: &str| TxnRequest {
        success: (0..20).map(|i| put(&format!("{under}{i}"), "v").op()).collect(),
        ..TxnRequest::default()
    };
    // Twice twenty, and of the third there is not enough.
    let mut transactions = 0;
    let told = until_refused_by_grpc(async || {
        transactions += 1;
        grpc.kv.txn(ops_of("/busy/")).await
    });
    says_when_to_come_back(&told.await, BY_KEYS);
    assert!((3..10).contains(&transactions), "{transactions}");
    says_when_to_come_back(&until_refused_by_grpc(async || grpc.kv.put(put("/busy/x", "v")).await).await, BY_KEYS);
    // A list of all keys has them, too.
    says_when_to_come_back(&until_refused_by_grpc(async || grpc.kv.range(list("/")).await).await, BY_KEYS);
    let mut stream = grpc.watch();
    let told = loop {
        let told = stream.create(watch("/busy/x")).await;
        if told.canceled {
            break told;
        }
    };
    assert_eq!(told.cancel_reason, format!("rpc error: code = ResourceExhausted desc = {BY_KEYS}"));
    // The stream goes on, and other keys are nobody's business.
    assert!(!stream.create(watch("/other/x")).await.canceled);
    for _ in 0..50 {
        grpc.kv.put(put("/busy", "v")).await.unwrap();
        grpc.kv.txn(ops_of("/other/")).await.unwrap();
    }
    assert!(counted(&http, "keyport_rate_limited_total{by=\"prefix\"}").await >= 4);

    // A lock is one request, however much there is to do for it; and whoever has it can give it back.
    let lock = LockRequest { name: "/none/lock".into(), lease: grpc.grant(60).await };
    let held = grpc.lock.lock(lock).await.unwrap().into_inner();
    says_when_to_come_back(&until_refused_by_grpc(async || grpc.kv.put(put("/none/x", "v")).await).await, BY_KEYS);
    grpc.lock.unlock(UnlockRequest { key: held.key.clone() }).await.unwrap();
    // What is no place any more, or never was, is a key like others, whatever else the request names.
    let leader = LeaderKey { name: "/other/x".into(), key: "/none/x".into(), ..LeaderKey::default() };
    let proclaim = ProclaimRequest { leader: Some(leader.clone()), ..ProclaimRequest::default() };
    for key in ["/none/x".into(), held.key] {
        let leave = async || grpc.lock.clone().unlock(UnlockRequest { key: key.clone() }).await;
        says_when_to_come_back(&until_refused_by_grpc(leave).await, BY_KEYS);
    }
    let told = until_refused_by_grpc(async || match grpc.election.proclaim(proclaim.clone()).await {
        // There is no such leader; but it was asked.
        Err(status) if status.code() != Code::ResourceExhausted => Ok(()),
        answer => answer.map(drop),
    });
    says_when_to_come_back(&told.await, BY_KEYS);
    let resign = ResignRequest { leader: Some(leader) };
    let told = until_refused_by_grpc(async || grpc.election.resign(resign.clone()).await).await;
    says_when_to_come_back(&told, BY_KEYS);
}

/// As draft-ietf-httpapi-ratelimit-headers has it: what there is, and what is left of it.
#[tokio::test]
async fn what_is_left_is_told() {
    let Some(server) = server(["--rate-limit-per-address=1:100", "--rate-limit-prefix=p=1:3"]) else { return };
    let http = server.http();
    let told = |answer: &Answer| (answer.header("ratelimit-policy").to_owned(), answer.header("ratelimit").to_owned());
    let left = |answer: &Answer| {
        let (policy, left) = told(answer);
        assert_eq!(policy, "\"address\";q=100;w=100");
        let left = left.strip_prefix("\"address\";r=").and_then(|rest| rest.split_once(";t=")).unwrap();
        (left.0.parse::<u64>().unwrap(), left.1.parse::<u64>().unwrap())
    };
    let (first, second) = (http.get("/v3/keys/a").await, http.get("/v3/keys/a").await);
    assert!(left(&first).0 > left(&second).0 && left(&second).0 > 90, "{:?} {:?}", told(&first), told(&second));
    assert!((1..=100).contains(&left(&second).1));
    let mut refused = http.get("/v3/keys/p").await;
    while refused.status != 429 {
        refused = http.get("/v3/keys/p").await;
    }
    assert_eq!(told(&refused).1, "\"prefix\";r=0;t=1");
    let unlimited = keyport_tests::Server::start();
    assert_eq!(told(&unlimited.http().get("/v3/keys/a").await), (String::new(), String::new()));
}
