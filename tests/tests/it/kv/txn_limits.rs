//! Transactions: how many operations, which keys may meet.

use keyport_api::etcdserverpb::{Compare, DeleteRangeRequest, RequestOp, TxnRequest};
use keyport_tests::Server;
use keyport_tests::grpc::{IntoOp, bytes, delete, delete_all, get, list, put, refused, revision};
use tonic::Code;

const TOO_MANY: &str = "etcdserver: too many operations in txn request";
const DUPLICATE: &str = "etcdserver: duplicate key given in txn request";

fn then(ops: Vec<RequestOp>) -> TxnRequest {
    TxnRequest { success: ops, ..TxnRequest::default() }
}

fn puts(n: usize) -> Vec<RequestOp> {
    (0..n).map(|i| put(&format!("k{i}"), "").op()).collect()
}

#[tokio::test]
async fn operations_are_counted_by_the_longest_list() {
    let server = Server::start();
    let mut c = server.grpc().await;
    c.txn(TxnRequest { success: puts(128), failure: puts(128), compare: vec![] }).await;
    refused(c.kv.txn(then(puts(129))).await, Code::InvalidArgument, TOO_MANY);
    refused(
        c.kv.txn(TxnRequest { failure: puts(129), ..TxnRequest::default() }).await,
        Code::InvalidArgument,
        TOO_MANY,
    );
    let compare = vec![Compare { key: bytes("k"), ..Compare::default() }; 129];
    refused(c.kv.txn(TxnRequest { compare, ..TxnRequest::default() }).await, Code::InvalidArgument, TOO_MANY);
}

#[tokio::test]
async fn nested_ones_get_what_is_left() {
    let server = Server::builder().args(["--max-txn-ops", "10"]).start();
    let mut c = server.grpc().await;
    refused(c.kv.txn(then(puts(11))).await, Code::InvalidArgument, TOO_MANY);
    let nest = |inner: usize| {
        let mut ops: Vec<RequestOp> = (0..3).map(|i| put(&format!("outer{i}"), "").op()).collect();
        ops.push(then(puts(inner)).op()); // four outer operations leave six
        then(ops)
    };
    c.txn(nest(6)).await;
    refused(c.kv.txn(nest(7)).await, Code::InvalidArgument, TOO_MANY);
    // Counts come before keys: a bad key in a transaction that is too long.
    let mut ops = puts(10);
    ops.push(put("", "").op());
    refused(c.kv.txn(then(ops)).await, Code::InvalidArgument, TOO_MANY);
}

#[tokio::test]
async fn an_operation_that_is_not_set() {
    let server = Server::start();
    let mut c = server.grpc().await;
    refused(
        c.kv.txn(then(vec![RequestOp { request: None }])).await,
        Code::InvalidArgument,
        "etcdserver: key not found",
    );
}

#[tokio::test]
async fn keys_that_must_not_meet() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let nest = |ops: Vec<RequestOp>| then(ops).op();
    let duplicates = [
        ("two puts", vec![put("a", "").op(), put("a", "").op()]),
        ("put and delete", vec![put("a", "").op(), delete("a").op()]),
        ("delete and put", vec![delete("a").op(), put("a", "").op()]),
        ("put inside a deleted range", vec![put("p/a", "").op(), delete_all("p/").op()]),
        ("the other order", vec![delete_all("p/").op(), put("p/a", "").op()]),
        ("put and nested put", vec![put("a", "").op(), nest(vec![put("a", "").op()])]),
        ("put and nested delete", vec![put("a", "").op(), nest(vec![delete("a").op()])]),
        ("puts in two nested ones", vec![nest(vec![put("a", "").op()]), nest(vec![put("a", "").op()])]),
        ("nested delete, then nested put", vec![nest(vec![delete("a").op()]), nest(vec![put("a", "").op()])]),
    ];
    for (what, ops) in duplicates {
        let answer = c.kv.txn(then(ops.clone())).await;
        assert!(answer.is_err(), "{what}: {answer:?}");
        refused(answer, Code::InvalidArgument, DUPLICATE);
        // The branch that is not taken is checked as well.
        let other = TxnRequest { failure: ops, ..TxnRequest::default() };
        refused(c.kv.txn(other).await, Code::InvalidArgument, DUPLICATE);
    }
    assert_eq!(c.revision().await, 1);
}

#[tokio::test]
async fn keys_that_may_meet() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let nest = |ops: Vec<RequestOp>| then(ops).op();
    let branches = TxnRequest { success: vec![put("a", "").op()], failure: vec![put("a", "").op()], compare: vec![] };
    let fine = [
        ("both branches of a nested one", vec![branches.op()]),
        ("overlapping deletes", vec![delete_all("p/").op(), delete("p/a").op(), delete_all("p").op()]),
        ("nested put, then nested delete", vec![nest(vec![put("a", "").op()]), nest(vec![delete("a").op()])]),
        ("ranges", vec![get("a").op(), put("a", "").op(), list("a").op()]),
        (
            "a range that ends before",
            vec![put("b", "").op(), DeleteRangeRequest { range_end: bytes("b"), ..delete("a") }.op()],
        ),
    ];
    for (what, ops) in fine {
        let answer = c.kv.txn(then(ops)).await;
        assert!(answer.is_ok(), "{what}: {answer:?}");
    }
}

/// A deletion "from this key on" is not seen to overlap: both happen, in one revision, and watchers see two events.
#[tokio::test]
async fn deleting_from_a_key_on_and_putting_it() {
    let server = Server::start();
    let mut c = server.grpc().await;
    c.put("k", "old").await;
    let mut watch = c.watch();
    watch.create(keyport_tests::grpc::watch("k")).await;
    let from = DeleteRangeRequest { range_end: bytes("\0"), ..delete("a") };
    let answer = c.txn(then(vec![from.op(), put("k", "new").op()])).await;
    assert_eq!(revision(&answer.header), 3);
    let kv = c.get("k").await.unwrap();
    assert_eq!((kv.version, kv.create_revision), (1, 3));
    let events = watch.events(2).await;
    assert_eq!(events.iter().map(|e| e.r#type).collect::<Vec<_>>(), [1, 0]);
}
