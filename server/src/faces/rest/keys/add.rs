//! `POST /v3/keys/{prefix}`: a key behind a prefix whose name says when it came.
//!
//! The number is the store's next revision. Each addition touches a key beside the prefix, on the condition that nobody has
//! touched it at that revision or later: so numbers only rise, also when those before are removed, and who reads keys in their
//! order reads all that came before. The recipes of etcd's own client have the same key for the same.

use bytes::Bytes;
use http::header::{IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, Response};
use keyport_api::error::Error;
use keyport_api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use keyport_api::etcdserverpb::{Compare, PutRequest, RangeRequest};
use keyport_storage::{Record, Versions};
use serde::{Deserialize, Serialize};

use super::ask::{Ask, Hold};
use super::condition::as_seen;
use super::put::{Return, told};
use super::swap::put_of;
use crate::calls::{Caller, Calls, KeyLease, OpReply, PutReply};
use crate::faces::rest::failure::Failure;
use crate::faces::rest::once::{self, BESIDE, Once, Outcome, Plainly, Way};
use crate::faces::text::GatewayBody;

/// How often others, at other members, may have been quicker.
const MOST_TRIES: usize = 256;

/// What came of a request that may come again.
#[derive(Serialize, Deserialize)]
struct Done {
    key_b64: String,
    lease: i64,
}

pub(super) async fn answer(
    calls: &Calls,
    caller: &Caller,
    headers: &HeaderMap,
    ask: Ask,
    value: Bytes,
) -> Result<Response<GatewayBody>, Failure> {
    if [IF_MATCH, IF_NONE_MATCH].iter().any(|name| headers.contains_key(name)) {
        return Err(Failure::Malformed(
            "a key that gets its name is a new one: leave out If-Match and If-None-Match".into(),
        ));
    }
    let beside = Bytes::from([BESIDE, &ask.key].concat());
    let hold = match ask.hold {
        Hold::Nothing => String::new(),
        Hold::Lease(id) => format!("lease {id}"),
        Hold::Ttl(seconds) => format!("ttl {seconds}"),
    };
    let once = Once::of(headers, caller, &beside, &[hold.as_bytes(), &value])?;
    let addition = Addition { prefix: &ask.key, beside: &beside, value: &value, hold: ask.hold };
    let told = |(reply, lease): (PutReply, _)| told(Return::of(headers), &reply, lease, Return::Rest);
    let Some(once) = once else {
        let Outcome::Now(added) = add_for(calls, caller, addition, Plainly).await?;
        return Ok(told(added));
    };
    match once.run(calls, caller, |noted| add_for(calls, caller, addition, noted)).await? {
        Outcome::Now(added) => Ok(told(added)),
        Outcome::Before(record) => again(calls, headers, &once, &record, &value),
    }
}

/// Answers as the first time.
fn again(
    calls: &Calls,
    headers: &HeaderMap,
    once: &Once,
    record: &Record,
    value: &[u8],
) -> Result<Response<GatewayBody>, Failure> {
    let Done { key_b64, lease } = once.done(record)?;
    let key = base64_simd::STANDARD.decode_to_vec(&key_b64).map_err(|_| Failure::Reused)?;
    // They were written together.
    let revision = record.versions().create_revision;
    let versions = Versions { create_revision: revision, mod_revision: revision, version: 1, lease };
    let reply = PutReply { revision, record: Some(Record::new(&key, value, versions)), previous: None };
    let mut response = told(Return::of(headers), &reply, calls.lease.of_its_key(lease), Return::Rest);
    once::mark(&mut response);
    Ok(response)
}

/// What is to be added.
#[derive(Clone, Copy)]
struct Addition<'a> {
    prefix: &'a Bytes,
    beside: &'a Bytes,
    value: &'a Bytes,
    hold: Hold,
}

/// With a lease of its own, if that is asked for.
async fn add_for<W: Way>(
    calls: &Calls,
    caller: &Caller,
    addition: Addition<'_>,
    way: W,
) -> Result<Outcome<(PutReply, Option<KeyLease>), W::Before>, Failure> {
    let (id, lease) = match addition.hold {
        Hold::Nothing => (0, None),
        Hold::Lease(id) => (id, None),
        Hold::Ttl(seconds) => {
            let lease = calls.lease.new_for_key(caller, addition.prefix, seconds).await?;
            (lease.id, Some(lease))
        }
    };
    let added = add(calls, caller, addition, id, way).await;
    if !matches!(added, Ok(Outcome::Now(_)))
        && let Some(lease) = lease
    {
        calls.lease.let_go(caller, lease).await;
    }
    Ok(added?.map(|reply| (reply, lease)))
}

async fn add<W: Way>(
    calls: &Calls,
    caller: &Caller,
    Addition { prefix, beside, value, .. }: Addition<'_>,
    lease: i64,
    way: W,
) -> Result<Outcome<PutReply, W::Before>, Failure> {
    for _ in 0..MOST_TRIES {
        let look = RangeRequest { key: beside.clone(), keys_only: true, ..RangeRequest::default() };
        let found = calls.kv.page(caller, look).await?;
        let (number, is_there) = (found.header.revision + 1, !found.reply.records.is_empty());
        let key = Bytes::from([prefix, format!("{number:020}").as_bytes()].concat());
        // Whatever somebody has there stays.
        let touch =
            PutRequest { key: beside.clone(), ignore_value: is_there, ignore_lease: is_there, ..PutRequest::default() };
        let put = PutRequest { key: key.clone(), value: value.clone(), lease, ..PutRequest::default() };
        let done = Done { key_b64: base64_simd::STANDARD.encode_to_string(&key), lease };
        let compare = vec![untouched(beside, number), as_seen(&key, None)];
        match way.attempt(calls, caller, compare, vec![touch, put], done).await {
            Ok(Some(Outcome::Now(replies))) => {
                return Ok(Outcome::Now(put_of(replies.into_iter().nth(1).unwrap_or(OpReply::Nothing))?));
            }
            Ok(Some(Outcome::Before(before))) => return Ok(Outcome::Before(before)),
            // Somebody was quicker, or has removed the key beside.
            Ok(None) | Err(Failure::Refused(Error::KeyNotFound)) => {}
            Err(failure) => return Err(failure),
        }
    }
    Err(Failure::Contended)
}

/// A key that was not changed at this revision or later.
fn untouched(key: &Bytes, revision: i64) -> Compare {
    Compare {
        result: CompareResult::Less.into(),
        target: CompareTarget::Mod.into(),
        key: key.clone(),
        range_end: Bytes::new(),
        target_union: Some(TargetUnion::ModRevision(revision)),
    }
}
