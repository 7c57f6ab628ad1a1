//! Requests that would be many times as large in memory as they are on the wire: they are refused while they are read.

use http::Method;
use keyport_api::etcdserverpb::{RequestOp, TxnRequest};
use keyport_tests::Server;
use keyport_tests::grpc::{IntoOp, all, frame, put};
use keyport_tests::http::Answer;
use prost::Message;

const TXN: &str = "/etcdserverpb.KV/Txn";
const TOO_MANY: &str = "etcdserver: too many operations in txn request";
/// What a server may take for a moment that answers such a request, in MiB. Without a bound it is 260 to 450.
const ROOM: u64 = 100;

/// The most memory that the server has had so far.
fn peak(server: &Server) -> u64 {
    server.memory_mib("VmHWM")
}

async fn grpc(server: &Server, message: &[u8]) -> Answer {
    let headers = [("content-type", "application/grpc"), ("te", "trailers")];
    server.http2().send(Method::POST, TXN, &headers, frame(message)).await
}

fn refused_over_grpc(answer: &Answer) {
    assert_eq!(answer.header("grpc-status"), "3");
    assert_eq!(answer.header("grpc-message").replace("%20", " "), TOO_MANY);
}

fn refused_in_json(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.json()["message"].as_str()), (400, Some(TOO_MANY)));
}

#[tokio::test]
async fn a_million_empty_operations() {
    let server = Server::start();
    server.grpc().await.put("k", "v").await;
    let before = peak(&server);
    for (tag, name) in [(0x0a, "compare"), (0x12, "success"), (0x1a, "failure")] {
        let message = [tag, 0].repeat(1_000_000);
        refused_over_grpc(&grpc(&server, &message).await);
        let text = format!("{{\"{name}\":[{}]}}", vec!["{}"; 1_000_000].join(","));
        refused_in_json(&server.http().post("/v3/kv/txn", text).await);
        if !server.is_etcd() {
            let headers = [("content-type", "application/grpc-web+proto")];
            let answer = server.http().send(Method::POST, TXN, &headers, frame(&message)).await;
            refused_over_grpc(&answer);
        }
    }
    let after = peak(&server);
    assert!(server.is_etcd() || after < before + ROOM, "{before} MiB became {after} MiB");
    assert_eq!(server.grpc().await.get("k").await.unwrap().value, "v");
}

/// Each list is short enough, but there are many.
#[tokio::test]
async fn trees_of_transactions() {
    let server = Server::start();
    if server.is_etcd() {
        return; // reads all of it
    }
    let txn = |success| TxnRequest { success, ..TxnRequest::default() };
    let mut tree = txn(vec![RequestOp::default()]);
    for _ in 0..3 {
        tree = txn(vec![tree.op(); 42]);
    }
    let before = peak(&server);
    refused_over_grpc(&grpc(&server, &tree.encode_to_vec()).await);
    refused_in_json(&server.http().post("/v3/kv/txn", serde_json::to_string(&tree).unwrap()).await);
    let after = peak(&server);
    assert!(after < before + ROOM, "{before} MiB became {after} MiB");
}

/// What the operator allows is taken, however little each operation says.
#[tokio::test]
async fn large_transactions_that_are_allowed() {
    let server = Server::builder().args(["--max-txn-ops", "20000"]).start();
    let puts = |count: usize| {
        let ops = (0..count).map(|i| put(&format!("{i:05}"), "x").op()).collect();
        TxnRequest { success: ops, ..TxnRequest::default() }
    };
    let mut c = server.grpc().await;
    c.txn(puts(20_000)).await;
    assert_eq!(c.range(all()).await.count, 20_000);
    let text = serde_json::to_string(&puts(20_000)).unwrap();
    let answer = server.http().post("/v3/kv/txn", text).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    refused_over_grpc(&grpc(&server, &puts(20_001).encode_to_vec()).await);
    let text = serde_json::to_string(&puts(20_001)).unwrap();
    refused_in_json(&server.http().post("/v3/kv/txn", text).await);
    assert_eq!(c.range(all()).await.count, 20_000);
}
