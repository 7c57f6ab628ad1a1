//! Holds what the proto files compile to against `data/wire-contract.json`, the facts of etcd's surface.
//!
//! Both sides are flattened into the same list of facts, `path -> what is so`, so that a difference of any kind (missing,
//! extra or changed) names the place it is in.
#![allow(clippy::unwrap_used)] // Test helpers, too, are tests.

use std::collections::BTreeMap;

use keyport_api::FILE_DESCRIPTOR_SET;
use prost_reflect::DescriptorPool;
use serde_json::Value;

#[path = "contract/built.rs"]
mod built;
#[path = "contract/expected.rs"]
mod expected;

/// A place in the surface, and what is true of it.
type Facts = BTreeMap<String, String>;

fn contract() -> Value {
    serde_json::from_str(include_str!("../data/wire-contract.json")).unwrap()
}

fn pool() -> DescriptorPool {
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap()
}

fn differences(expected: &Facts, built: &Facts) -> Vec<String> {
    let mut found = Vec::new();
    for (place, fact) in expected {
        match built.get(place) {
            None => found.push(format!("missing: {place}: {fact}")),
            Some(other) if other != fact => found.push(format!("different: {place}: {other}, not {fact}")),
            Some(_) => {}
        }
    }
    let extra = built.iter().filter(|(place, _)| !expected.contains_key(*place));
    found.extend(extra.map(|(place, fact)| format!("extra: {place}: {fact}")));
    found
}

#[test]
fn the_proto_files_keep_the_contract() {
    let found = differences(&expected::facts(&contract()), &built::facts(&pool()));
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}

#[test]
fn the_contract_is_read_whole() {
    let contract = contract();
    let facts = expected::facts(&contract);
    let count = |kind: &str| facts.keys().filter(|place| place.starts_with(kind)).count();
    let lengths = |lists: &[&Value]| lists.iter().map(|list| list.as_array().unwrap().len()).sum::<usize>();
    assert_eq!(count("message "), lengths(&[&contract["messages"], &contract["internal"]["messages"]]));
    assert_eq!(count("enum "), lengths(&[&contract["enums"], &contract["internal"]["enums"]]));
    assert_eq!(count("service "), lengths(&[&contract["services"]]));
    assert_eq!((count("field "), count("value "), count("rpc ")), (366, 67, 49));
}

/// Plants one difference of each kind in the contract and expects the comparison to name it, and nothing else.
#[test]
fn every_kind_of_difference_is_found() {
    let built = built::facts(&pool());
    let plant = |pointer: &str, value: Value| {
        let mut contract = contract();
        *contract.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} is not there")) = value;
        differences(&expected::facts(&contract), &built)
    };
    let message = |name: &str| position(&contract()["messages"], name);
    let put = format!("/messages/{}/fields", message("etcdserverpb.PutRequest"));
    let compare = format!("/messages/{}/fields", message("etcdserverpb.Compare"));
    let create = format!("/messages/{}/fields", message("etcdserverpb.WatchCreateRequest"));
    let conf_state = position(&contract()["internal"]["messages"], "raftpb.ConfState");

    for (pointer, value, expected) in [
        (format!("{put}/0/number"), 9.into(), "different: field etcdserverpb.PutRequest.key"),
        (format!("{put}/0/type"), "string".into(), "different: field etcdserverpb.PutRequest.key"),
        (format!("{put}/0/label"), "repeated".into(), "different: field etcdserverpb.PutRequest.key"),
        (format!("{put}/3/json_name"), "prev_kv".into(), "different: field etcdserverpb.PutRequest.prev_kv"),
        (format!("{compare}/3/oneof"), Value::Null, "different: field etcdserverpb.Compare.version"),
        (format!("{create}/4/packed"), false.into(), "different: field etcdserverpb.WatchCreateRequest.filters"),
        (
            format!("/internal/messages/{conf_state}/fields/0/packed"),
            true.into(),
            "different: field raftpb.ConfState.voters",
        ),
        ("/syntax/raft.proto".into(), "proto3".into(), "different: "),
        ("/enums/0/values/1/number".into(), 7.into(), "different: value mvccpb.Event.EventType.DELETE"),
        ("/services/0/rpcs/0/server_streaming".into(), true.into(), "different: rpc etcdserverpb.KV.Range"),
        ("/services/0/rpcs/0/http/0/path".into(), "/v3/kv/rang".into(), "different: rpc etcdserverpb.KV.Range"),
        (
            "/services/0/rpcs/1/http".into(),
            serde_json::json!([{"method": "POST", "path": "/x", "body": "*"}]),
            "different: rpc etcdserverpb.KV.RangeStream",
        ),
        ("/services/0/rpcs/2/request".into(), "etcdserverpb.RangeRequest".into(), "different: rpc etcdserverpb.KV.Put"),
    ] {
        let found = plant(&pointer, value);
        assert!(!found.is_empty(), "{pointer} went unnoticed");
        assert!(found.iter().all(|difference| difference.starts_with(expected)), "{pointer}: {found:#?}");
    }
}

#[test]
fn what_is_missing_or_extra_is_found() {
    let (expected, mut built) = (expected::facts(&contract()), built::facts(&pool()));
    let fact = built.remove("field etcdserverpb.PutRequest.lease").unwrap();
    built.insert("field etcdserverpb.PutRequest.leash".into(), fact);
    let found = differences(&expected, &built);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].starts_with("missing: field etcdserverpb.PutRequest.lease: "));
    assert!(found[1].starts_with("extra: field etcdserverpb.PutRequest.leash: "));
}

fn position(list: &Value, full_name: &str) -> usize {
    list.as_array().unwrap().iter().position(|entry| entry["full_name"] == full_name).unwrap()
}
