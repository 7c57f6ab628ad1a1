//! The store of etcd's second version, of which releases up to 3.7 keep a rest: who is in the cluster. In the JSON that
//! etcd writes it in.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::membership::{Member, Roster};

/// Where etcd keeps the cluster, and where users' keys are, which are there even if there are none.
const CLUSTER: &str = "0";
const KEYS: &str = "1";

#[derive(Deserialize)]
struct Found {
    #[serde(rename = "Root")]
    root: FoundNode<BTreeMap<String, FoundNode<BTreeMap<String, IgnoredAny>>>>,
}

#[derive(Deserialize)]
struct FoundNode<Children> {
    #[serde(rename = "Children")]
    children: Option<Children>,
}

/// Whether somebody's keys are in a store: anything but what etcd keeps there for itself.
///
/// # Errors
/// When it is no store.
pub(super) fn has_keys(store: &[u8]) -> Result<bool, serde_json::Error> {
    let Found { root } = serde_json::from_slice(store)?;
    let is_used = |(name, node): (String, FoundNode<BTreeMap<String, IgnoredAny>>)| {
        name != CLUSTER && node.children.is_none_or(|children| !children.is_empty())
    };
    Ok(root.children.into_iter().flatten().any(is_used))
}

/// A key, or a directory, which has children.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Node {
    path: String,
    created_index: u64,
    modified_index: u64,
    expire_time: &'static str,
    value: String,
    children: Option<BTreeMap<String, Node>>,
}

impl Node {
    fn key(path: String, value: String) -> Node {
        Node { value, children: None, ..Node::directory(path, []) }
    }

    fn directory<'a>(path: String, children: impl IntoIterator<Item = (&'a str, Node)>) -> Node {
        let children = children.into_iter().map(|(name, node)| (name.to_owned(), node)).collect();
        let (created_index, modified_index) = (0, 0);
        // How Go writes that there is no time.
        let expire_time = "0001-01-01T00:00:00Z";
        Node { path, created_index, modified_index, expire_time, value: String::new(), children: Some(children) }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Store {
    root: Node,
    current_index: u64,
    current_version: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RaftAttributes<'a> {
    #[serde(rename = "peerURLs")]
    peer_urls: &'a [String],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_learner: bool,
}

#[derive(Serialize)]
struct Attributes<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(rename = "clientURLs", skip_serializing_if = "<[String]>::is_empty")]
    client_urls: &'a [String],
}

/// The store of a cluster: its members, and those that were removed. Which version the cluster is of is left to it.
///
/// # Errors
/// When there is no JSON for it, which there always is for strings and numbers.
pub(super) fn of_cluster(roster: &Roster) -> Result<Vec<u8>, serde_json::Error> {
    let at = |id: u64| format!("/0/members/{id:x}");
    let mut members = Node::directory("/0/members".into(), []);
    for member in roster.members() {
        let node = member_node(&at(member.id), member)?;
        members.children.get_or_insert_default().insert(format!("{:x}", member.id), node);
    }
    let mut removed = Node::directory("/0/removed_members".into(), []);
    for id in roster.removed() {
        let node = Node::key(format!("/0/removed_members/{id:x}"), String::new());
        removed.children.get_or_insert_default().insert(format!("{id:x}"), node);
    }
    let cluster = Node::directory("/0".into(), [("members", members), ("removed_members", removed)]);
    let keys = Node::directory("/1".into(), []);
    let root = Node::directory("/".into(), [(CLUSTER, cluster), (KEYS, keys)]);
    serde_json::to_vec(&Store { root, current_index: 0, current_version: 2 })
}

fn member_node(path: &str, member: &Member) -> Result<Node, serde_json::Error> {
    let raft = RaftAttributes { peer_urls: &member.peer_urls, is_learner: member.is_learner };
    let own = Attributes { name: &member.name, client_urls: &member.client_urls };
    let raft = Node::key(format!("{path}/raftAttributes"), serde_json::to_string(&raft)?);
    let own = Node::key(format!("{path}/attributes"), serde_json::to_string(&own)?);
    Ok(Node::directory(path.to_owned(), [("attributes", own), ("raftAttributes", raft)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_from_what_etcd_keeps() {
        let is_used = |children: &str| has_keys(format!(r#"{{"Root":{{"Children":{children}}}}}"#).as_bytes()).unwrap();
        assert!(!is_used(r#"{"0":{"Children":{"members":{"Children":{}}}},"1":{"Children":{}}}"#));
        assert!(!is_used("null"));
        assert!(is_used(r#"{"1":{"Children":{"a":{"Value":"b","Children":null}}}}"#));
        assert!(is_used(r#"{"0":{"Children":{}},"2":{"Value":"x","Children":null}}"#));
        for bad in ["", "[]", "{}", r#"{"Root":1}"#] {
            assert!(has_keys(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_store_is_as_etcd_writes_it() {
        let row = br#"{"id":161,"peerURLs":["http://a:1"],"isLearner":true,"name":"n","clientURLs":["http://a:2"]}"#;
        let roster = Roster::new([(0xa1, serde_json::from_slice(row).unwrap())].into(), [0xb].into());
        let store = of_cluster(&roster).unwrap();
        assert!(!has_keys(&store).unwrap());
        let store: serde_json::Value = serde_json::from_slice(&store).unwrap();
        let node = |path: &str| store.pointer(&format!("/Root/Children/0/Children/{path}")).unwrap();
        let raft = node("members/Children/a1/Children/raftAttributes");
        assert_eq!(raft["Path"], "/0/members/a1/raftAttributes");
        assert_eq!(raft["Value"], r#"{"peerURLs":["http://a:1"],"isLearner":true}"#);
        assert!(raft["Children"].is_null());
        let own = node("members/Children/a1/Children/attributes");
        assert_eq!(own["Value"], r#"{"name":"n","clientURLs":["http://a:2"]}"#);
        assert_eq!(node("removed_members/Children/b")["Value"], "");
        assert_eq!(store.pointer("/Root/Children/1/Children").unwrap(), &serde_json::json!({}));
    }
}
