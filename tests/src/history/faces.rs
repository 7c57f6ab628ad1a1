//! The two faces of the key-value service that the clients of a history use: gRPC and JSON. The requests are the same messages.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use keyport_api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use keyport_api::etcdserverpb::{
    Compare, DeleteRangeRequest, DeleteRangeResponse, LeaseGrantRequest, LeaseGrantResponse, LeaseKeepAliveRequest,
    LeaseKeepAliveResponse, LeaseRevokeRequest, LeaseRevokeResponse, LeaseTimeToLiveRequest, LeaseTimeToLiveResponse,
    PutRequest, PutResponse, RangeRequest, RangeResponse, RequestOp, ResponseHeader, ResponseOp, TxnRequest,
    TxnResponse, request_op, response_op,
};
use keyport_api::json::{FromJson, Reader, ToJson};
use keyport_api::mvccpb::KeyValue;
use keyport_api::v3electionpb::{
    CampaignRequest, CampaignResponse, LeaderRequest, LeaderResponse, ProclaimRequest, ProclaimResponse, ResignRequest,
    ResignResponse,
};
use keyport_api::v3lockpb::{LockRequest, LockResponse, UnlockRequest, UnlockResponse};
use keyport_raft::sim::history::kv::{Answer, Guard, Key, Keys, Outcome, Pair, Txn};

use crate::grpc::{Grpc, IntoOp, bytes, text};

/// Why a client knows nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The request was never sent.
    NotSent,
    /// It may have been carried out.
    Unknown(String),
}

/// Plain HTTP that may fail.
#[derive(Clone, Debug)]
pub struct Wire {
    addr: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Wire {
    /// To a server; connects when it is used.
    pub fn new(addr: SocketAddr) -> Wire {
        Wire { addr, client: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// Sends a request; the head of the answer has come when this returns.
    ///
    /// # Errors
    /// If there is no answer, or one with another status than 200.
    pub async fn open(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Incoming, Failure> {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.addr));
        request = request.header(header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).map_err(|e| Failure::Unknown(e.to_string()))?;
        let answer = self.client.request(request).await.map_err(|e| match e.is_connect() {
            true => Failure::NotSent,
            false => Failure::Unknown(e.to_string()),
        })?;
        if answer.status() == 200 {
            return Ok(answer.into_body());
        }
        let status = answer.status();
        let body = answer.into_body().collect().await.map(|b| text(&b.to_bytes())).unwrap_or_default();
        Err(Failure::Unknown(format!("{status}: {body}")))
    }

    async fn call<Q: ToJson, A: FromJson>(&self, path: &str, request: &Q) -> Result<A, Failure> {
        let answer = self.call_raw(path, request).await?;
        parse(&answer).map_err(Failure::Unknown)
    }

    async fn call_raw<Q: ToJson>(&self, path: &str, request: &Q) -> Result<Bytes, Failure> {
        let unknown = |e: &dyn std::fmt::Display| Failure::Unknown(e.to_string());
        let mut body = Vec::new();
        request.write(&mut body).map_err(|e| unknown(&e))?;
        let answer = self.open(Method::POST, path, &[], body).await?;
        Ok(answer.collect().await.map_err(|e| unknown(&e))?.to_bytes())
    }
}

/// A message from JSON.
///
/// # Errors
/// If it is none.
pub fn parse<T: FromJson>(json: &[u8]) -> Result<T, String> {
    Reader::new(json).message().map_err(|e| format!("{e} in {}", text(json)))
}

/// A client of either kind.
#[derive(Clone, Debug)]
pub enum Face {
    /// Over HTTP/2, with protobuf.
    Grpc(Box<Grpc>),
    /// Over HTTP/1.1, with JSON.
    Json(Box<Wire>),
}

impl Face {
    /// What a transaction answers.
    ///
    /// # Errors
    /// Whatever goes wrong.
    pub async fn execute(&self, txn: &Txn) -> Result<Answer, Failure> {
        let plain = txn.guards.is_empty() && txn.otherwise.is_empty();
        match txn.then.as_slice() {
            [one] if plain => match operation(one).request {
                Some(request_op::Request::RequestRange(r)) => {
                    self.range(r).await.map(|a| answer(a.header, true, vec![range(&a)]))
                }
                Some(request_op::Request::RequestPut(r)) => {
                    self.put(r).await.map(|a| answer(a.header, true, vec![Outcome::Put]))
                }
                Some(request_op::Request::RequestDeleteRange(r)) => {
                    self.delete(r).await.map(|a| answer(a.header, true, vec![deleted(&a)]))
                }
                _ => unreachable!("a history has no other operations"),
            },
            _ => {
                let request = TxnRequest {
                    compare: txn.guards.iter().map(compare).collect(),
                    success: txn.then.iter().map(operation).collect(),
                    failure: txn.otherwise.iter().map(operation).collect(),
                };
                let a = self.txn(request).await?;
                Ok(answer(a.header, a.succeeded, a.responses.into_iter().map(outcome).collect()))
            }
        }
    }
}

macro_rules! calls {
    ($($name:ident: $request:ty => $answer:ty, $service:ident.$rpc:ident, $path:literal;)*) => {
        impl Face {$(
            pub(super) async fn $name(&self, request: $request) -> Result<$answer, Failure> {
                match self {
                    Face::Grpc(c) => c.$service.clone().$rpc(request).await.map(tonic::Response::into_inner).map_err(|status| refused(&status)),
                    Face::Json(wire) => wire.call($path, &request).await,
                }
            }
        )*}
    };
}
calls! {
    range: RangeRequest => RangeResponse, kv.range, "/v3/kv/range";
    put: PutRequest => PutResponse, kv.put, "/v3/kv/put";
    delete: DeleteRangeRequest => DeleteRangeResponse, kv.delete_range, "/v3/kv/deleterange";
    txn: TxnRequest => TxnResponse, kv.txn, "/v3/kv/txn";
    grant: LeaseGrantRequest => LeaseGrantResponse, lease.lease_grant, "/v3/lease/grant";
    revoke: LeaseRevokeRequest => LeaseRevokeResponse, lease.lease_revoke, "/v3/lease/revoke";
    time_to_live: LeaseTimeToLiveRequest => LeaseTimeToLiveResponse, lease.lease_time_to_live, "/v3/lease/timetolive";
    lock: LockRequest => LockResponse, lock.lock, "/v3/lock/lock";
    unlock: UnlockRequest => UnlockResponse, lock.unlock, "/v3/lock/unlock";
    campaign: CampaignRequest => CampaignResponse, election.campaign, "/v3/election/campaign";
    leader: LeaderRequest => LeaderResponse, election.leader, "/v3/election/leader";
    proclaim: ProclaimRequest => ProclaimResponse, election.proclaim, "/v3/election/proclaim";
    resign: ResignRequest => ResignResponse, election.resign, "/v3/election/resign";
}

impl Face {
    /// One renewal, on a stream of its own.
    pub(super) async fn keep_alive(&self, id: i64) -> Result<LeaseKeepAliveResponse, Failure> {
        let unknown = |what: &str| Failure::Unknown(what.to_owned());
        match self {
            Face::Grpc(c) => {
                let answer = c.clone().try_keep_alive(id).await.map_err(|status| refused(&status))?;
                answer.ok_or_else(|| unknown("no answer"))
            }
            Face::Json(wire) => {
                let line: serde_json::Value = wire
                    .call_raw("/v3/lease/keepalive", &LeaseKeepAliveRequest { id })
                    .await
                    .and_then(|line| serde_json::from_slice(&line).map_err(|e| unknown(&e.to_string())))?;
                let result = line.get("result").ok_or_else(|| unknown(&line.to_string()))?;
                parse(result.to_string().as_bytes()).map_err(|e| unknown(&e))
            }
        }
    }
}

fn refused(status: &tonic::Status) -> Failure {
    match status.message() {
        // There was no connection, so there was no request.
        "tcp connect error" | "error trying to connect: tcp connect error" => Failure::NotSent,
        _ => Failure::Unknown(format!("{:?}: {}", status.code(), status.message())),
    }
}

fn interval(keys: &Keys) -> (Bytes, Bytes) {
    (bytes(&keys.key), keys.end.as_deref().map(bytes).unwrap_or_default())
}

fn operation(request: &keyport_raft::sim::history::kv::Request) -> RequestOp {
    use keyport_raft::sim::history::kv::Request;
    match request {
        Request::Range(keys) => {
            let (key, range_end) = interval(keys);
            RangeRequest { key, range_end, ..RangeRequest::default() }.op()
        }
        Request::Put(key, value) => PutRequest { key: bytes(key), value: bytes(value), ..PutRequest::default() }.op(),
        Request::Delete(keys) => {
            let (key, range_end) = interval(keys);
            DeleteRangeRequest { key, range_end, ..DeleteRangeRequest::default() }.op()
        }
        Request::Count(_) => unreachable!("only leases are asked how many keys they have"),
    }
}

fn compare(guard: &Guard) -> Compare {
    let (key, target, union) = match guard {
        Guard::Value(key, value) => (key, CompareTarget::Value, TargetUnion::Value(bytes(value))),
        Guard::ModRevision(key, n) => (key, CompareTarget::Mod, TargetUnion::ModRevision(signed(*n))),
        Guard::CreateRevision(key, n) => (key, CompareTarget::Create, TargetUnion::CreateRevision(signed(*n))),
        Guard::Version(key, n) => (key, CompareTarget::Version, TargetUnion::Version(signed(*n))),
    };
    let (result, target) = (CompareResult::Equal.into(), target.into());
    Compare { result, target, key: bytes(key), target_union: Some(union), ..Compare::default() }
}

pub(super) fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

pub(super) fn answer(header: Option<ResponseHeader>, succeeded: bool, results: Vec<Outcome>) -> Answer {
    Answer { revision: unsigned(header.unwrap_or_default().revision), succeeded, results }
}

pub(super) fn pair(kv: &KeyValue) -> (Key, Pair) {
    let pair = Pair {
        value: text(&kv.value),
        create_revision: unsigned(kv.create_revision),
        mod_revision: unsigned(kv.mod_revision),
        version: unsigned(kv.version),
    };
    (text(&kv.key), pair)
}

fn range(answer: &RangeResponse) -> Outcome {
    Outcome::Range(answer.kvs.iter().map(pair).collect())
}

fn deleted(answer: &DeleteRangeResponse) -> Outcome {
    Outcome::Delete(unsigned(answer.deleted))
}

fn outcome(op: ResponseOp) -> Outcome {
    match op.response {
        Some(response_op::Response::ResponseRange(a)) => range(&a),
        Some(response_op::Response::ResponseDeleteRange(a)) => deleted(&a),
        _ => Outcome::Put,
    }
}
