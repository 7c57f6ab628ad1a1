//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a request that is sent again is not done again.
//!
//! What came of it is a record in the store, written by the same transaction: so a retry may come to another member, after a
//! restart, or while the first is under way. The record is behind a key that the resource says, named by a hash of whose it is
//! and what it is called, and has a lease of its own that takes it away. The quota of the database bounds how many there are.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use keyport_api::error::Error;
use keyport_api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use keyport_api::etcdserverpb::request_op::Request;
use keyport_api::etcdserverpb::{Compare, PutRequest, RangeRequest, RequestOp, TxnRequest};
use keyport_storage::Record;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::failure::Failure;
use crate::calls::{Caller, Calls, OpReply};

/// What keys begin with that are beside those that somebody has asked for.
pub(super) const BESIDE: &[u8] = b"__";
/// How long a request is remembered, in seconds.
const REMEMBERED: i64 = 3600;
/// Bytes of such a key.
const MOST_BYTES: usize = 255;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Beside an answer that is not the first to its request.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// A request that may come again.
#[derive(Clone, Debug)]
pub(super) struct Once {
    /// Where it is written down what came of it.
    pub(super) at: Bytes,
    /// What it is, in short: another one has to have another name.
    request: String,
}

/// What is written down of a request, and what came of it.
#[derive(Serialize, Deserialize)]
struct Written<T> {
    request: String,
    #[serde(flatten)]
    done: T,
}

impl Once {
    /// By the header, if it is there. `request` is what makes it the same one.
    ///
    /// # Errors
    /// `Malformed`.
    pub(super) fn of(
        headers: &HeaderMap,
        caller: &Caller,
        beside: &[u8],
        request: &[&[u8]],
    ) -> Result<Option<Once>, Failure> {
        let mut given = headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(name) = given.next() else { return Ok(None) };
        let malformed = |detail: &str| Failure::Malformed(format!("Idempotency-Key {detail}"));
        if given.next().is_some() {
            return Err(malformed("is there twice"));
        }
        let name = name.to_str().map_err(|_| malformed("is no text"))?.trim();
        // A string of structured fields, or the same without quotes.
        let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name);
        if name.is_empty() || name.len() > MOST_BYTES {
            return Err(malformed("has from 1 to 255 characters"));
        }
        let author = caller.author();
        let user = author.as_ref().map_or(&b""[..], |author| author.user.as_bytes());
        let slash: &[u8] = if beside.ends_with(b"/") { b"" } else { b"/" };
        let own = hash(&[user, name.as_bytes()]);
        let at = Bytes::from([beside, slash, b"once/", own.as_bytes()].concat());
        Ok(Some(Once { at, request: hash(request) }))
    }

    /// Does it, unless it had been done before. `attempt` writes down with it that it is done; if it is not, the lease goes
    /// that would have taken this away.
    ///
    /// # Errors
    /// Those of `attempt`, and as the RPCs that read and that grant leases.
    pub(super) async fn run<'a, T, F>(
        &'a self,
        calls: &Calls,
        caller: &Caller,
        attempt: impl FnOnce(Noted<'a>) -> F,
    ) -> Result<Outcome<T>, Failure>
    where
        F: Future<Output = Result<Outcome<T>, Failure>>,
    {
        let found = calls.kv.page(caller, self.look()).await?.reply.records;
        if let Some(record) = found.into_iter().next() {
            return Ok(Outcome::Before(record));
        }
        let lease = calls.lease.new_for_key(caller, &self.at, REMEMBERED).await?;
        let done = attempt(Noted { once: self, lease: lease.id }).await;
        if !matches!(done, Ok(Outcome::Now(_))) {
            calls.lease.let_go(caller, lease).await;
        }
        done
    }

    /// How it is looked up.
    pub(super) fn look(&self) -> RangeRequest {
        RangeRequest { key: self.at.clone(), ..RangeRequest::default() }
    }

    /// That it has not been done yet.
    pub(super) fn is_new(&self) -> Compare {
        Compare {
            result: CompareResult::Equal.into(),
            target: CompareTarget::Create.into(),
            key: self.at.clone(),
            range_end: Bytes::new(),
            target_union: Some(TargetUnion::CreateRevision(0)),
        }
    }

    /// How it is written down, with a lease that takes it away.
    pub(super) fn write<T: Serialize>(&self, done: T, lease: i64) -> PutRequest {
        let written = Written { request: self.request.clone(), done };
        // Of texts and numbers: there always is a form.
        let value = serde_json::to_vec(&written).unwrap_or_default().into();
        PutRequest { key: self.at.clone(), value, lease, ..PutRequest::default() }
    }

    /// What came of it the first time, by what was written down then.
    ///
    /// # Errors
    /// `Reused`, where that was another request.
    pub(super) fn done<T: DeserializeOwned>(&self, record: &Record) -> Result<T, Failure> {
        let Written { request, done } = serde_json::from_slice(record.value()).map_err(|_| Failure::Reused)?;
        if request == self.request { Ok(done) } else { Err(Failure::Reused) }
    }
}

/// What came of a request that may come again.
#[derive(Clone, Debug)]
pub(super) enum Outcome<T, B = Record> {
    Now(T),
    /// It had been done before: what was written down of it.
    Before(B),
}

impl<T, B> Outcome<T, B> {
    pub(super) fn map<U>(self, of: impl FnOnce(T) -> U) -> Outcome<U, B> {
        match self {
            Outcome::Now(now) => Outcome::Now(of(now)),
            Outcome::Before(before) => Outcome::Before(before),
        }
    }
}

/// The answers to the puts, or to an earlier request; none where somebody was quicker.
pub(super) type Tried<B> = Option<Outcome<Vec<OpReply>, B>>;

/// How keys are written if they are what they have to be.
pub(super) trait Way: Sync {
    /// What is written down of it.
    type Before: Send;

    /// Puts, if the conditions hold. `done` is what is to be written down.
    ///
    /// # Errors
    /// As a transaction.
    fn attempt(
        &self,
        calls: &Calls,
        caller: &Caller,
        compare: Vec<Compare>,
        puts: Vec<PutRequest>,
        done: impl Serialize + Send,
    ) -> impl Future<Output = Result<Tried<Self::Before>, Failure>> + Send;
}

/// Without writing anything down.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plainly;

/// So that it is written down, with the id of the lease that takes this away.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noted<'a> {
    once: &'a Once,
    pub(super) lease: i64,
}

impl Way for Plainly {
    /// Nothing is, so that nothing was done before.
    type Before = Infallible;

    async fn attempt(
        &self,
        calls: &Calls,
        caller: &Caller,
        compare: Vec<Compare>,
        puts: Vec<PutRequest>,
        _: impl Serialize + Send,
    ) -> Result<Tried<Infallible>, Failure> {
        let success = puts.into_iter().map(put).collect();
        let reply = calls.kv.txn(caller, TxnRequest { compare, success, failure: Vec::new() }).await?.reply;
        Ok(reply.succeeded.then_some(Outcome::Now(reply.replies)))
    }
}

impl Way for Noted<'_> {
    type Before = Record;

    async fn attempt(
        &self,
        calls: &Calls,
        caller: &Caller,
        mut compare: Vec<Compare>,
        puts: Vec<PutRequest>,
        done: impl Serialize + Send,
    ) -> Result<Tried<Record>, Failure> {
        compare.push(self.once.is_new());
        let success = puts.into_iter().chain([self.once.write(done, self.lease)]).map(put).collect();
        let failure = vec![RequestOp { request: Some(Request::RequestRange(self.once.look())) }];
        let reply = calls.kv.txn(caller, TxnRequest { compare, success, failure }).await?.reply;
        if reply.succeeded {
            return Ok(Some(Outcome::Now(reply.replies)));
        }
        match reply.replies.into_iter().next() {
            Some(OpReply::Range(found, _)) => Ok(found.records.into_iter().next().map(Outcome::Before)),
            _ => Err(Error::ReplyMismatch.into()),
        }
    }
}

fn put(request: PutRequest) -> RequestOp {
    RequestOp { request: Some(Request::RequestPut(request)) }
}

/// Refuses the header where nothing is remembered: `instead` says what keeps such a request from being done twice.
///
/// # Errors
/// `Malformed`.
pub(super) fn refuse(headers: &HeaderMap, instead: &str) -> Result<(), Failure> {
    if headers.contains_key(IDEMPOTENCY_KEY) {
        return Err(Failure::Malformed(format!("Idempotency-Key is not taken here: {instead}")));
    }
    Ok(())
}

/// Says in an answer that it is not the first.
pub(super) fn mark<B>(response: &mut Response<B>) {
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
}

/// Of several parts, each with its length, so that they do not run into each other.
fn hash(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
