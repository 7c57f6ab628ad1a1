//! What somebody wants to be done, as it is read.

use bytes::Bytes;
use keyport_api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use keyport_api::etcdserverpb::request_op::Request;
use keyport_api::etcdserverpb::{Compare, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest};
use keyport_storage::KeyRange;
use serde::Deserialize;

use crate::calls::MAX_TXN_LEVELS;
use crate::faces::fields::{self, Object, Whole};
use crate::faces::rest::failure::Failure;

/// If all guards hold, some operations, and otherwise others.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Transaction {
    #[serde(rename = "if", default, deserialize_with = "fields::list")]
    guards: Vec<Object<Guard>>,
    #[serde(default, deserialize_with = "fields::list")]
    then: Vec<Operation>,
    #[serde(rename = "else", default, deserialize_with = "fields::list")]
    otherwise: Vec<Operation>,
}

/// Operations that are done if all guards hold, and otherwise not.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Batch {
    #[serde(rename = "if", default, deserialize_with = "fields::list")]
    guards: Vec<Object<Guard>>,
    #[serde(deserialize_with = "fields::list")]
    operations: Vec<Change>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Operation {
    Get(Object<Get>),
    Put(Object<Put>),
    Delete(Object<Delete>),
    Transaction(Object<Transaction>),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Change {
    Put(Object<Put>),
    Delete(Object<Delete>),
}

/// What a key has to be, or all keys with a prefix: exactly one of the fields behind `op`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Guard {
    key: Option<String>,
    key_b64: Option<String>,
    prefix: Option<String>,
    prefix_b64: Option<String>,
    op: Option<Relation>,
    value: Option<String>,
    value_b64: Option<String>,
    exists: Option<bool>,
    version: Option<Whole>,
    create_revision: Option<Whole>,
    mod_revision: Option<Whole>,
    lease: Option<Whole>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum Relation {
    #[serde(rename = "=", alias = "==")]
    Equal,
    #[serde(rename = "!=")]
    NotEqual,
    #[serde(rename = "<")]
    Less,
    #[serde(rename = ">")]
    Greater,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Get {
    key: Option<String>,
    key_b64: Option<String>,
    prefix: Option<String>,
    prefix_b64: Option<String>,
    #[serde(default)]
    keys_only: bool,
    #[serde(default)]
    count_only: bool,
    limit: Option<Whole>,
    rev: Option<Whole>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Put {
    key: Option<String>,
    key_b64: Option<String>,
    value: Option<String>,
    value_b64: Option<String>,
    lease: Option<Whole>,
    #[serde(default)]
    prev: bool,
    #[serde(default)]
    keep_value: bool,
    #[serde(default)]
    keep_lease: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Delete {
    key: Option<String>,
    key_b64: Option<String>,
    prefix: Option<String>,
    prefix_b64: Option<String>,
    #[serde(default)]
    prev: bool,
}

impl Transaction {
    /// `levels` is how many transactions may be within one another.
    ///
    /// # Errors
    /// What of it makes no sense.
    pub(super) fn request(self, levels: usize) -> Result<TxnRequest, Failure> {
        let Some(inner) = levels.checked_sub(1) else {
            let detail = format!("more than {MAX_TXN_LEVELS} transactions are within one another");
            return Err(Failure::Malformed(detail));
        };
        let requests = |operations: Vec<Operation>| {
            operations.into_iter().map(|operation| operation.request(inner)).collect::<Result<_, _>>()
        };
        Ok(TxnRequest {
            compare: self.guards.into_iter().map(|Object(guard)| guard.compare()).collect::<Result<_, _>>()?,
            success: requests(self.then)?,
            failure: requests(self.otherwise)?,
        })
    }
}

impl Batch {
    /// # Errors
    /// What of it makes no sense.
    pub(super) fn request(self) -> Result<TxnRequest, Failure> {
        if self.operations.is_empty() {
            return Err(Failure::Malformed("operations is empty".into()));
        }
        let success = self.operations.into_iter().map(|change| match change {
            Change::Put(Object(put)) => put.request(),
            Change::Delete(Object(delete)) => delete.request(),
        });
        let guards = self.guards.into_iter().map(|Object(guard)| guard.compare());
        Ok(TxnRequest {
            compare: guards.collect::<Result<_, _>>()?,
            success: success.map(op).collect::<Result<_, _>>()?,
            failure: Vec::new(),
        })
    }
}

fn op(request: Result<Request, Failure>) -> Result<RequestOp, Failure> {
    Ok(RequestOp { request: Some(request?) })
}

impl Operation {
    fn request(self, levels: usize) -> Result<RequestOp, Failure> {
        op(match self {
            Operation::Get(Object(get)) => get.request(),
            Operation::Put(Object(put)) => put.request(),
            Operation::Delete(Object(delete)) => delete.request(),
            Operation::Transaction(Object(nested)) => nested.request(levels).map(Request::RequestTxn),
        })
    }
}

impl Guard {
    fn compare(self) -> Result<Compare, Failure> {
        let (key, range_end) = keys((self.key, self.key_b64), (self.prefix, self.prefix_b64))?;
        let value = fields::bytes("value", self.value, self.value_b64)?;
        let created = |Whole(revision)| (CompareTarget::Create, TargetUnion::CreateRevision(revision));
        let said = [
            value.map(|value| (CompareTarget::Value, TargetUnion::Value(value))),
            self.exists.map(|_| created(Whole(0))),
            self.create_revision.map(created),
            self.mod_revision.map(|Whole(revision)| (CompareTarget::Mod, TargetUnion::ModRevision(revision))),
            self.version.map(|Whole(version)| (CompareTarget::Version, TargetUnion::Version(version))),
            self.lease.map(|Whole(lease)| (CompareTarget::Lease, TargetUnion::Lease(lease))),
        ];
        let mut said = said.into_iter().flatten();
        let (Some((target, with)), None) = (said.next(), said.next()) else {
            let detail = "a condition says one of value, exists, version, create_revision, mod_revision and lease";
            return Err(Failure::Malformed(detail.into()));
        };
        let result = match (self.exists, self.op) {
            (Some(_), Some(_)) => return Err(Failure::Malformed("exists is true or false: leave out op".into())),
            (Some(true), None) => CompareResult::Greater,
            (Some(false), None) | (None, None | Some(Relation::Equal)) => CompareResult::Equal,
            (None, Some(Relation::NotEqual)) => CompareResult::NotEqual,
            (None, Some(Relation::Less)) => CompareResult::Less,
            (None, Some(Relation::Greater)) => CompareResult::Greater,
        };
        Ok(Compare { result: result.into(), target: target.into(), key, range_end, target_union: Some(with) })
    }
}

impl Get {
    fn request(self) -> Result<Request, Failure> {
        let (key, range_end) = keys((self.key, self.key_b64), (self.prefix, self.prefix_b64))?;
        Ok(Request::RequestRange(RangeRequest {
            key,
            range_end,
            limit: positive("limit", self.limit)?,
            revision: positive("rev", self.rev)?,
            keys_only: self.keys_only,
            count_only: self.count_only,
            ..RangeRequest::default()
        }))
    }
}

impl Put {
    fn request(self) -> Result<Request, Failure> {
        let (key, _) = keys((self.key, self.key_b64), (None, None))?;
        let value = fields::bytes("value", self.value, self.value_b64)?;
        if value.is_none() && !self.keep_value {
            return Err(Failure::Malformed("a put has no value".into()));
        }
        Ok(Request::RequestPut(PutRequest {
            key,
            value: value.unwrap_or_default(),
            lease: self.lease.map_or(0, |Whole(lease)| lease),
            prev_kv: self.prev,
            ignore_value: self.keep_value,
            ignore_lease: self.keep_lease,
        }))
    }
}

impl Delete {
    fn request(self) -> Result<Request, Failure> {
        let (key, range_end) = keys((self.key, self.key_b64), (self.prefix, self.prefix_b64))?;
        Ok(Request::RequestDeleteRange(DeleteRangeRequest { key, range_end, prev_kv: self.prev }))
    }
}

/// A field for text, and its twin.
type Twins = (Option<String>, Option<String>);

/// A key, or all keys with a prefix; an empty one stands for all keys there are.
fn keys(key: Twins, prefix: Twins) -> Result<(Bytes, Bytes), Failure> {
    match (fields::bytes("key", key.0, key.1)?, fields::bytes("prefix", prefix.0, prefix.1)?) {
        (Some(key), None) => Ok((key, Bytes::new())),
        (None, Some(prefix)) => Ok(KeyRange::prefix(&prefix).into_pair()),
        (Some(_), Some(_)) => Err(Failure::Malformed("only one of key and prefix makes sense".into())),
        (None, None) => Err(Failure::Malformed("an operation or a condition names no key".into())),
    }
}

fn positive(name: &str, number: Option<Whole>) -> Result<i64, Failure> {
    match number {
        None => Ok(0),
        Some(Whole(number @ 1..)) => Ok(number),
        Some(_) => Err(Failure::Malformed(format!("{name} is not a positive number"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn transaction(text: &Value) -> Result<TxnRequest, Failure> {
        fields::read::<Transaction>(text.to_string().as_bytes())?.request(MAX_TXN_LEVELS)
    }

    #[test]
    fn guards_say_what_etcds_compares_say() {
        let compare = |result: CompareResult, target: CompareTarget, with: TargetUnion| Compare {
            result: result.into(),
            target: target.into(),
            key: "a".into(),
            range_end: Bytes::new(),
            target_union: Some(with),
        };
        use {CompareResult::*, CompareTarget as On, TargetUnion as With};
        for (guard, expected) in [
            (json!({"value": "x"}), compare(Equal, On::Value, With::Value("x".into()))),
            (json!({"op": "==", "value_b64": "/w=="}), compare(Equal, On::Value, With::Value(b"\xff"[..].into()))),
            (json!({"exists": true}), compare(Greater, On::Create, With::CreateRevision(0))),
            (json!({"exists": false}), compare(Equal, On::Create, With::CreateRevision(0))),
            (json!({"op": "<", "mod_revision": "7"}), compare(Less, On::Mod, With::ModRevision(7))),
            (json!({"op": ">", "create_revision": 7}), compare(Greater, On::Create, With::CreateRevision(7))),
            (json!({"op": "!=", "version": 7}), compare(NotEqual, On::Version, With::Version(7))),
            (json!({"op": "=", "lease": 0}), compare(Equal, On::Lease, With::Lease(0))),
        ] {
            let mut guard = guard;
            guard["key"] = json!("a");
            assert_eq!(transaction(&json!({"if": [guard]})).unwrap().compare, [expected], "{guard}");
        }
        let of_many = transaction(&json!({"if": [{"prefix": "a/", "exists": false}]})).unwrap();
        assert_eq!((&of_many.compare[0].key[..], &of_many.compare[0].range_end[..]), (&b"a/"[..], &b"a0"[..]));
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        for (wish, part) in [
            (json!({"if": [{"value": "x"}]}), "names no key"),
            (json!({"if": [{"key": "a"}]}), "a condition says one of"),
            (json!({"if": [{"key": "a", "version": 1, "lease": 1}]}), "a condition says one of"),
            (json!({"if": [{"key": "a", "op": "=", "exists": true}]}), "leave out op"),
            (json!({"if": [{"key": "a", "op": "<=", "version": 1}]}), "unknown variant `<=`"),
            (json!({"then": [{"put": {"key": "a"}}]}), "a put has no value"),
            (json!({"then": [{"put": {"prefix": "a", "value": "x"}}]}), "unknown field `prefix`"),
            (json!({"then": [{"get": {"key": "a", "prefix": "a"}}]}), "only one of key and prefix"),
            (json!({"then": [{"get": {"key": "a", "limit": 0}}]}), "limit is not"),
            (json!({"then": [{"swap": {}}]}), "unknown variant `swap`"),
            (json!({"then": [{"put": {"key": "a", "value": 1}}]}), "expected a string"),
            (json!({"than": []}), "unknown field `than`"),
            (json!([]), "expected an object"),
            (json!({"then": [{"put": ["a", null, "x"]}]}), "expected an object"),
            (json!({"if": [["a"]]}), "expected an object"),
        ] {
            match transaction(&wish) {
                Err(Failure::Malformed(detail)) => assert!(detail.contains(part), "{wish}: {detail}"),
                other => panic!("{wish}: {other:?}"),
            }
        }
    }
}
