//! Asks one server and brings its answer into a form that two servers must agree on.

use std::fmt::Debug;

use http::Method;
use keyport_api::etcdserverpb::range_request::{SortOrder, SortTarget};
use keyport_api::etcdserverpb::{
    HashKvRequest, LeaseLeasesRequest, RangeRequest, RangeResponse, RequestOp, ResponseHeader, ResponseOp, TxnRequest,
    TxnResponse, request_op, response_op,
};
use keyport_api::mvccpb::KeyValue;
use serde_json::{Value, json};
use tonic::{Request, Response, Status};

use crate::grpc::Grpc;
use crate::http::Http;
use crate::random::Op;
use crate::wait::within;

/// What must be equal.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    /// The revision of the header, and the rest as text.
    Done { revision: i64, body: String },
    /// The code and the message.
    Refused(i32, String),
}

/// How to read answers, given the releases of both servers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// Whether both leave the lease out of `keys_only` answers (or both show it).
    pub(super) leases_of_keys_only: bool,
    /// Whether both serve HashKV where releases since 3.6 do.
    pub(super) hash_has_a_path: bool,
}

impl Reading {
    /// JSON answers are compared as they are: only for requests whose answer is the same to the last byte.
    pub(super) fn comparable_as_json(self, op: &Op) -> bool {
        match op {
            Op::Range(r) => self.exact(r),
            Op::Txn(t) => self.exact_txn(t),
            Op::TimeToLive(_) | Op::Leases | Op::Watch(_) => false,
            Op::Hash(_) => self.hash_has_a_path,
            _ => true,
        }
    }

    fn exact(self, r: &RangeRequest) -> bool {
        r.sort_target == i32::from(SortTarget::Key)
            && (self.leases_of_keys_only || !r.keys_only)
            && (0..3).contains(&r.sort_order)
    }

    fn exact_txn(self, t: &TxnRequest) -> bool {
        t.success.iter().chain(&t.failure).all(|op| match &op.request {
            Some(request_op::Request::RequestRange(r)) => self.exact(r),
            Some(request_op::Request::RequestTxn(t)) => self.exact_txn(t),
            _ => true,
        })
    }

    /// Equal sort values come in any order, so that order is taken out.
    fn settle(self, request: &RangeRequest, answer: &mut RangeResponse) {
        if request.keys_only && !self.leases_of_keys_only {
            answer.kvs.iter_mut().for_each(|kv| kv.lease = 0);
        }
        let target = request.sort_target;
        if target == i32::from(SortTarget::Key) {
            return;
        }
        let mut sorted_by = answer.kvs.iter().map(|kv| sort_value(target, kv)).collect::<Vec<_>>();
        if request.sort_order == i32::from(SortOrder::Descend) {
            sorted_by.reverse();
        }
        if !sorted_by.is_sorted() && !request.keys_only {
            answer.count = -1; // never equal to a right answer
        }
        if request.limit > 0 {
            // Which of the equal ones the limit cuts off is open as well.
            for kv in &mut answer.kvs {
                *kv = KeyValue { value: sort_value(target, kv).into(), ..KeyValue::default() };
            }
        }
        answer.kvs.sort_by(|x, y| (&x.key, &x.value).cmp(&(&y.key, &y.value)));
    }

    fn settle_txn(self, request: &TxnRequest, answer: &mut TxnResponse) {
        let branch: &[RequestOp] = if answer.succeeded { &request.success } else { &request.failure };
        for (op, ResponseOp { response }) in branch.iter().zip(&mut answer.responses) {
            match (&op.request, response) {
                (Some(request_op::Request::RequestRange(r)), Some(response_op::Response::ResponseRange(a))) => {
                    self.settle(r, a);
                }
                (Some(request_op::Request::RequestTxn(t)), Some(response_op::Response::ResponseTxn(a))) => {
                    self.settle_txn(t, a);
                }
                _ => {}
            }
        }
    }
}

/// What an answer is sorted by, as bytes in the same order.
fn sort_value(target: i32, kv: &KeyValue) -> Vec<u8> {
    match SortTarget::try_from(target) {
        Ok(SortTarget::Version) => kv.version.to_be_bytes().to_vec(),
        Ok(SortTarget::Create) => kv.create_revision.to_be_bytes().to_vec(),
        Ok(SortTarget::Mod) => kv.mod_revision.to_be_bytes().to_vec(),
        Ok(SortTarget::Value) => kv.value.to_vec(),
        _ => kv.key.to_vec(),
    }
}

/// Ids and terms are each server's own.
pub(super) fn own(header: &mut Option<ResponseHeader>) -> i64 {
    let Some(header) = header else { return 0 };
    (header.cluster_id, header.member_id, header.raft_term) = (0, 0, 0);
    header.revision
}

pub(super) fn settled<T: Debug>(answer: Result<Response<T>, Status>, settle: impl FnOnce(&mut T) -> i64) -> Answer {
    match answer {
        Err(status) => Answer::Refused(status.code().into(), status.message().into()),
        Ok(answer) => {
            let mut answer = answer.into_inner();
            let revision = settle(&mut answer);
            Answer::Done { revision, body: format!("{answer:?}") }
        }
    }
}

/// A message of whoever holds a token; of anybody if there is none.
pub(super) fn by<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    if let (false, Ok(token)) = (token.is_empty(), token.parse()) {
        request.metadata_mut().insert("token", token);
    }
    request
}

/// Asks over gRPC, by a token.
pub(super) async fn grpc(client: &Grpc, token: &str, op: &Op, reading: Reading) -> Answer {
    let mut c = client.clone();
    let ask = async {
        match op.clone() {
            Op::Range(r) => settled(c.kv.range(by(token, r.clone())).await, |a| {
                reading.settle(&r, a);
                own(&mut a.header)
            }),
            Op::Txn(t) => settled(c.kv.txn(by(token, t.clone())).await, |a| {
                reading.settle_txn(&t, a);
                own(&mut a.header)
            }),
            Op::Put(r) => settled(c.kv.put(by(token, r)).await, |a| own(&mut a.header)),
            Op::Delete(r) => settled(c.kv.delete_range(by(token, r)).await, |a| own(&mut a.header)),
            Op::Compact(r) => settled(c.kv.compact(by(token, r)).await, |a| own(&mut a.header)),
            Op::Grant(r) => settled(c.lease.lease_grant(by(token, r)).await, |a| own(&mut a.header)),
            Op::Revoke(r) => settled(c.lease.lease_revoke(by(token, r)).await, |a| own(&mut a.header)),
            Op::TimeToLive(r) => settled(c.lease.lease_time_to_live(by(token, r)).await, |a| {
                a.ttl = a.ttl.signum(); // time passes
                a.keys.sort();
                own(&mut a.header)
            }),
            Op::Leases => settled(c.lease.lease_leases(by(token, LeaseLeasesRequest {})).await, |a| {
                a.leases.sort_by_key(|l| l.id);
                own(&mut a.header)
            }),
            Op::Hash(revision) => settled(c.maintenance.hash_kv(by(token, HashKvRequest { revision })).await, |a| {
                a.hash_revision = 0; // not told by releases before 3.6
                own(&mut a.header)
            }),
            Op::Watch(_) => unreachable!("watchers are not asked"),
        }
    };
    within("an answer", ask).await
}

/// Asks over the JSON gateway, by a token.
pub(super) async fn json(http: &Http, token: &str, op: &Op) -> Answer {
    let body = |message: serde_json::Result<Value>| message.unwrap_or_default();
    let (path, body) = match op {
        Op::Range(r) => ("/v3/kv/range", body(serde_json::to_value(r))),
        Op::Txn(t) => ("/v3/kv/txn", body(serde_json::to_value(t))),
        Op::Put(r) => ("/v3/kv/put", body(serde_json::to_value(r))),
        Op::Delete(r) => ("/v3/kv/deleterange", body(serde_json::to_value(r))),
        Op::Compact(r) => ("/v3/kv/compaction", body(serde_json::to_value(r))),
        Op::Grant(r) => ("/v3/lease/grant", body(serde_json::to_value(r))),
        Op::Revoke(r) => ("/v3/lease/revoke", body(serde_json::to_value(r))),
        Op::Hash(revision) => ("/v3/maintenance/hashkv", json!({ "revision": revision })),
        Op::TimeToLive(_) | Op::Leases | Op::Watch(_) => unreachable!("not comparable as JSON"),
    };
    json_call(http, token, path, body).await
}

/// Makes a call over the JSON gateway.
pub(super) async fn json_call(http: &Http, token: &str, path: &str, body: Value) -> Answer {
    let mut headers = vec![("content-type", "application/json")];
    headers.extend((!token.is_empty()).then_some(("authorization", token)));
    let answer = http.send(Method::POST, path, &headers, body.to_string()).await;
    let mut value = answer.json();
    if answer.status != 200 {
        let code = value["code"].as_i64().and_then(|c| i32::try_from(c).ok()).unwrap_or(-1);
        return Answer::Refused(code, format!("{}: {}", answer.status, value["message"].as_str().unwrap_or("")));
    }
    let revision = value["header"]["revision"].as_str().and_then(|r| r.parse().ok()).unwrap_or(0);
    if let Some(header) = value["header"].as_object_mut() {
        for id in ["cluster_id", "member_id", "raft_term"] {
            header.remove(id);
        }
    }
    if let Some(top) = value.as_object_mut() {
        top.remove("hash_revision");
    }
    Answer::Done { revision, body: value.to_string() }
}
