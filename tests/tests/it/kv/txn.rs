//! Transactions: what is compared with what, which state an operation sees, what the answer says.

use keyport_api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use keyport_api::etcdserverpb::{Compare, PutRequest, RangeRequest, RangeResponse, RequestOp, TxnRequest, response_op};
use keyport_tests::Server;
use keyport_tests::grpc::{Grpc, IntoOp, all, bytes, delete, get, put, refused, revision, text, values};
use tonic::Code;

fn compare(key: &str, result: CompareResult, union: TargetUnion) -> Compare {
    let target = match union {
        TargetUnion::Version(_) => CompareTarget::Version,
        TargetUnion::CreateRevision(_) => CompareTarget::Create,
        TargetUnion::ModRevision(_) => CompareTarget::Mod,
        TargetUnion::Value(_) => CompareTarget::Value,
        TargetUnion::Lease(_) => CompareTarget::Lease,
    };
    Compare {
        key: bytes(key),
        result: result.into(),
        target: target.into(),
        target_union: Some(union),
        ..Compare::default()
    }
}

/// Whether the comparisons hold.
async fn holds(c: &mut Grpc, compare: Vec<Compare>) -> bool {
    c.txn(TxnRequest { compare, ..TxnRequest::default() }).await.succeeded
}

fn then(ops: Vec<RequestOp>) -> TxnRequest {
    TxnRequest { success: ops, ..TxnRequest::default() }
}

fn ranged(response: &keyport_api::etcdserverpb::ResponseOp) -> &RangeResponse {
    match response.response.as_ref() {
        Some(response_op::Response::ResponseRange(range)) => range,
        other => panic!("not a range: {other:?}"),
    }
}

#[tokio::test]
async fn every_target_and_result() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let lease = c.grant(100).await;
    c.put("k", "a").await; // 2
    c.put_of(PutRequest { lease, ..put("k", "m") }).await; // 3
    use TargetUnion::{CreateRevision, Lease, ModRevision, Value, Version};
    let cases: [fn(i64) -> TargetUnion; 4] = [Version, CreateRevision, ModRevision, Lease];
    for (make, is) in cases.into_iter().zip([2, 2, 3, lease]) {
        for (result, below, equal, above) in [
            (CompareResult::Equal, false, true, false),
            (CompareResult::NotEqual, true, false, true),
            (CompareResult::Greater, true, false, false),
            (CompareResult::Less, false, false, true),
        ] {
            for (with, want) in [(is - 1, below), (is, equal), (is + 1, above)] {
                assert_eq!(
                    holds(&mut c, vec![compare("k", result, make(with))]).await,
                    want,
                    "{result:?} {:?}",
                    make(with)
                );
            }
        }
    }
    for (result, want) in [
        (CompareResult::Equal, [false, true, false]),
        (CompareResult::NotEqual, [true, false, true]),
        (CompareResult::Greater, [true, false, false]),
        (CompareResult::Less, [false, false, true]),
    ] {
        for (with, want) in ["lz", "m", "m\0"].into_iter().zip(want) {
            assert_eq!(
                holds(&mut c, vec![compare("k", result, Value(bytes(with)))]).await,
                want,
                "{result:?} {with:?}"
            );
        }
    }
}

#[tokio::test]
async fn comparisons_of_missing_keys() {
    let server = Server::start();
    let mut c = server.grpc().await;
    use TargetUnion::{CreateRevision, Lease, ModRevision, Value, Version};
    for make in [Version, CreateRevision, ModRevision, Lease] as [fn(i64) -> TargetUnion; 4] {
        assert!(holds(&mut c, vec![compare("no", CompareResult::Equal, make(0))]).await, "counts as 0");
        assert!(!holds(&mut c, vec![compare("no", CompareResult::Greater, make(0))]).await);
        assert!(holds(&mut c, vec![compare("no", CompareResult::Less, make(1))]).await);
    }
    for result in [CompareResult::Equal, CompareResult::NotEqual, CompareResult::Greater, CompareResult::Less] {
        for value in ["", "x"] {
            let never = compare("no", result, Value(bytes(value)));
            assert!(
                !holds(&mut c, vec![never]).await,
                "{result:?}: a missing key has no value, not even a different one"
            );
        }
    }
}

#[tokio::test]
async fn comparisons_are_a_conjunction() {
    let server = Server::start();
    let mut c = server.grpc().await;
    c.put("k", "v").await;
    let yes = || compare("k", CompareResult::Equal, TargetUnion::Version(1));
    let no = || compare("k", CompareResult::Equal, TargetUnion::Version(2));
    assert!(holds(&mut c, vec![]).await, "nothing to compare is true");
    assert!(holds(&mut c, vec![yes(), yes()]).await);
    assert!(!holds(&mut c, vec![yes(), no()]).await);
    let empty = compare("", CompareResult::Equal, TargetUnion::Version(1));
    refused(
        c.kv.txn(TxnRequest { compare: vec![empty], ..TxnRequest::default() }).await,
        Code::InvalidArgument,
        "etcdserver: key is not provided",
    );
}

#[tokio::test]
async fn comparisons_of_ranges() {
    let server = Server::start();
    let mut c = server.grpc().await;
    c.put("p/a", "x").await;
    c.put("p/b", "x").await;
    let over =
        |key: &str, end: &str, union| Compare { range_end: bytes(end), ..compare(key, CompareResult::Equal, union) };
    assert!(holds(&mut c, vec![over("p/", "p0", TargetUnion::Value(bytes("x")))]).await, "all keys match");
    c.put("p/b", "y").await;
    assert!(!holds(&mut c, vec![over("p/", "p0", TargetUnion::Value(bytes("x")))]).await, "one does not");
    assert!(holds(&mut c, vec![over("q/", "q0", TargetUnion::Version(0))]).await, "an empty range is as a missing key");
    assert!(!holds(&mut c, vec![over("q/", "q0", TargetUnion::Value(bytes("x")))]).await);
}

#[tokio::test]
async fn odd_comparisons() {
    let server = Server::start();
    let mut c = server.grpc().await;
    c.put("k", "v").await;
    let base = compare("k", CompareResult::Equal, TargetUnion::Version(1));
    let mismatched = Compare { target: CompareTarget::Mod.into(), ..base.clone() };
    assert!(!holds(&mut c, vec![mismatched.clone()]).await, "the number of another target counts as 0");
    let mismatched = Compare { result: CompareResult::Greater.into(), ..mismatched };
    assert!(holds(&mut c, vec![mismatched]).await);
    let unset = Compare { target_union: None, result: CompareResult::Greater.into(), ..base.clone() };
    assert!(holds(&mut c, vec![unset]).await, "an unset number counts as 0");
    assert!(
        holds(&mut c, vec![Compare { result: 7, target_union: Some(TargetUnion::Version(9)), ..base.clone() }]).await
    );
    assert!(holds(&mut c, vec![Compare { target: 9, ..base.clone() }]).await, "an unknown target is equal");
    assert!(!holds(&mut c, vec![Compare { target: 9, result: CompareResult::NotEqual.into(), ..base }]).await);
}

#[tokio::test]
async fn branches_and_answers() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let request = TxnRequest {
        compare: vec![compare("k", CompareResult::Equal, TargetUnion::CreateRevision(0))],
        success: vec![put("k", "created").op(), get("k").op()],
        failure: vec![get("k").op(), delete("k").op(), get("k").op()],
    };
    let answer = c.txn(request.clone()).await;
    assert!(answer.succeeded);
    assert_eq!((answer.responses.len(), revision(&answer.header)), (2, 2));
    assert_eq!(values(ranged(&answer.responses[1])), ["created"], "later operations see earlier ones");
    let answer = c.txn(request).await;
    assert!(!answer.succeeded);
    assert_eq!((answer.responses.len(), revision(&answer.header)), (3, 3));
    assert_eq!(ranged(&answer.responses[0]).count, 1);
    assert_eq!(ranged(&answer.responses[2]).count, 0);
    match answer.responses[1].response.as_ref().unwrap() {
        response_op::Response::ResponseDeleteRange(deleted) => assert_eq!(deleted.deleted, 1),
        other => panic!("{other:?}"),
    }
}

/// The headers inside carry only a revision: the one visible at that operation.
#[tokio::test]
async fn inner_headers() {
    let server = Server::start();
    let mut c = server.grpc().await;
    c.put("a", "1").await; // 2
    let nested = then(vec![get("a").op()]);
    let ops = vec![get("a").op(), put("b", "2").op(), get("a").op(), delete("a").op(), nested.op()];
    let answer = c.txn(then(ops)).await;
    let mut seen = Vec::new();
    for response in &answer.responses {
        let header = match response.response.as_ref().unwrap() {
            response_op::Response::ResponseRange(r) => r.header,
            response_op::Response::ResponsePut(r) => r.header,
            response_op::Response::ResponseDeleteRange(r) => r.header,
            response_op::Response::ResponseTxn(r) => {
                assert_eq!(revision(&ranged(&r.responses[0]).header), 3);
                r.header
            }
        };
        let header = header.expect("present even if empty");
        assert_eq!((header.cluster_id, header.member_id, header.raft_term), (0, 0, 0));
        seen.push(header.revision);
    }
    assert_eq!(seen, [2, 3, 3, 3, 0], "the old revision until the first change; a nested transaction's own is empty");
    assert_eq!(revision(&answer.header), 3);
    assert!(answer.header.unwrap().member_id != 0);
}

#[tokio::test]
async fn revisions_of_ranges_inside() {
    let server = Server::start();
    let mut c = server.grpc().await;
    c.put("k", "one").await; // 2
    c.put("k", "two").await; // 3
    let at = |revision| RangeRequest { revision, ..get("k") }.op();
    let answer = c.txn(then(vec![put("k", "three").op(), at(0), at(3), at(2)])).await;
    let seen: Vec<_> = answer.responses[1..].iter().map(|r| values(ranged(r)).concat()).collect();
    assert_eq!(seen, ["three", "two", "one"], "an explicit revision does not see the transaction itself");
    let future = "etcdserver: mvcc: required revision is a future revision";
    let compacted = "etcdserver: mvcc: required revision has been compacted";
    refused(c.kv.txn(then(vec![put("k", "x").op(), at(5)])).await, Code::OutOfRange, future);
    refused(c.kv.txn(then(vec![at(5)])).await, Code::OutOfRange, future);
    // Unlike a plain range: "never compacted" counts as compacted at -1, what lies below is gone.
    refused(c.kv.txn(then(vec![put("k", "x").op(), at(-2)])).await, Code::OutOfRange, compacted);
    refused(c.kv.txn(then(vec![at(-2)])).await, Code::OutOfRange, compacted);
    c.compact(3).await;
    refused(c.kv.txn(then(vec![at(2), put("k", "x").op()])).await, Code::OutOfRange, compacted);
    refused(c.kv.txn(then(vec![at(-1), put("k", "x").op()])).await, Code::OutOfRange, compacted);
    assert_eq!(c.get("k").await.unwrap().mod_revision, 4, "none of the refused ones had an effect");
}

#[tokio::test]
async fn a_failed_check_undoes_everything() {
    let server = Server::start();
    let mut c = server.grpc().await;
    c.put("k", "v").await;
    let lease = "etcdserver: requested lease not found";
    let with = |op: RequestOp| then(vec![put("a", "1").op(), op]);
    refused(c.kv.txn(with(PutRequest { lease: 99, ..put("b", "2") }.op())).await, Code::NotFound, lease);
    let keep = PutRequest { ignore_value: true, ..put("missing", "") }.op();
    refused(c.kv.txn(with(keep)).await, Code::InvalidArgument, "etcdserver: key not found");
    let nested = then(vec![PutRequest { lease: 99, ..put("b", "2") }.op()]);
    refused(c.kv.txn(with(nested.op())).await, Code::NotFound, lease);
    assert_eq!((c.revision().await, c.range(all()).await.count), (2, 1));
    // What is put earlier in the same transaction does not count for the checks, which look at the state before it.
    let keep = PutRequest { ignore_value: true, ..put("a", "") };
    let first = then(vec![put("a", "1").op()]);
    refused(
        c.kv.txn(then(vec![first.op(), then(vec![keep.op()]).op()])).await,
        Code::InvalidArgument,
        "etcdserver: duplicate key given in txn request",
    );
}

#[tokio::test]
async fn the_branch_not_taken() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let request =
        |failure: RequestOp| TxnRequest { success: vec![put("k", "v").op()], failure: vec![failure], compare: vec![] };
    let unknown_lease = PutRequest { lease: 99, ..put("b", "2") }.op();
    assert!(c.txn(request(unknown_lease)).await.succeeded, "not checked against the state");
    assert!(c.txn(request(RangeRequest { revision: 99, ..get("k") }.op())).await.succeeded);
    refused(c.kv.txn(request(put("", "x").op())).await, Code::InvalidArgument, "etcdserver: key is not provided");
    refused(
        c.kv.txn(request(PutRequest { ignore_value: true, ..put("k", "x") }.op())).await,
        Code::InvalidArgument,
        "etcdserver: value is provided",
    );
}

#[tokio::test]
async fn nested_comparisons_see_the_state_before() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let inner = TxnRequest {
        compare: vec![compare("k", CompareResult::Equal, TargetUnion::Version(1))],
        success: vec![put("saw", "the put").op()],
        failure: vec![put("saw", "nothing").op()],
    };
    let answer = c.txn(then(vec![put("k", "v").op(), inner.op()])).await;
    let Some(response_op::Response::ResponseTxn(nested)) = &answer.responses[1].response else { panic!("{answer:?}") };
    assert!(!nested.succeeded);
    assert_eq!(text(&c.get("saw").await.unwrap().value), "nothing");
    assert_eq!(c.get("saw").await.unwrap().mod_revision, c.get("k").await.unwrap().mod_revision, "one revision");
}

#[tokio::test]
async fn no_change_no_revision() {
    let server = Server::start();
    let mut c = server.grpc().await;
    c.put("k", "v").await;
    for ops in [vec![get("k").op()], vec![delete("missing").op()], vec![], vec![then(vec![]).op()]] {
        let answer = c.txn(then(ops)).await;
        assert_eq!((revision(&answer.header), answer.succeeded), (2, true));
    }
    let answer = c.txn(then(vec![RangeRequest { serializable: true, ..get("k") }.op()])).await;
    assert_eq!(values(ranged(&answer.responses[0])), ["v"]);
}

#[tokio::test]
async fn previous_pairs_inside() {
    let server = Server::start();
    let mut c = server.grpc().await;
    c.put("k", "one").await;
    let again = PutRequest { prev_kv: true, ..put("k", "two") };
    let remove = keyport_api::etcdserverpb::DeleteRangeRequest { prev_kv: true, ..delete("k") };
    let answer = c.txn(then(vec![again.op()])).await;
    let Some(response_op::Response::ResponsePut(done)) = &answer.responses[0].response else { panic!("{answer:?}") };
    assert_eq!(text(&done.prev_kv.as_ref().unwrap().value), "one");
    let answer = c.txn(then(vec![remove.op()])).await;
    let Some(response_op::Response::ResponseDeleteRange(done)) = &answer.responses[0].response else { panic!() };
    assert_eq!(text(&done.prev_kvs[0].value), "two");
}
