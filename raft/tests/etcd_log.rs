//! A log written by etcd 3.5.1 (one member, a dozen puts, one delete, a snapshot every five entries), read by ours.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use keyport_api::etcdserverpb::InternalRaftRequest;
use keyport_raft::wal::{EntryRef, FsDisk, Recovered, Wal, WalOptions};
use prost::Message as _;

const SEGMENT: &str = "0000000000000000-0000000000000000.wal";

fn open(dir: &Path, applied: u64) -> (Wal, Recovered) {
    let disk = Arc::new(FsDisk::open(dir).unwrap());
    Wal::open(disk, WalOptions::default(), applied).unwrap()
}

fn copy() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/etcd-3.5.1.wal");
    std::fs::copy(source, dir.path().join(SEGMENT)).unwrap();
    dir
}

#[test]
fn etcds_log_is_read() {
    let dir = copy();
    let (_, recovered) = open(dir.path(), 0);
    assert_eq!(recovered.repaired, None);
    assert_ne!((recovered.metadata.node_id, recovered.metadata.cluster_id), (0, 0));
    assert_eq!(recovered.hard_state.term(), 2);
    // Two entries are still requests of the API before this one, and do not decode.
    let normal = recovered.entries.iter().filter(|entry| entry.r#type() as i32 == 0);
    let requests: Vec<_> =
        normal.filter_map(|entry| InternalRaftRequest::decode(entry.data.clone().unwrap_or_default()).ok()).collect();
    let puts = requests.iter().filter_map(|request| request.put.as_ref());
    let keys: Vec<_> = puts.map(|put| String::from_utf8(put.key.to_vec()).unwrap()).collect();
    assert_eq!(keys, (1..=12).map(|i| format!("key{i}")).collect::<Vec<_>>());
    assert_eq!(requests.iter().filter_map(|request| request.delete_range.as_ref()).count(), 1);
}

#[test]
fn etcds_snapshot_marks_are_understood() {
    let dir = copy();
    let (_, all) = open(dir.path(), 0);
    let last = all.entries.last().unwrap().index();
    let (_, recovered) = open(dir.path(), last);
    assert!(recovered.snapshot.index > 5);
    assert_eq!(recovered.snapshot.conf_state.voters, [recovered.metadata.node_id]);
    assert_eq!(recovered.entries.first().unwrap().index(), recovered.snapshot.index + 1);
}

#[test]
fn etcds_log_is_continued() {
    let dir = copy();
    let (mut wal, before) = open(dir.path(), 0);
    let next = before.entries.last().unwrap().index() + 1;
    wal.push_entry(EntryRef { kind: 0, term: 3, index: next, data: b"ours" });
    wal.sync().unwrap();
    drop(wal);
    let (_, after) = open(dir.path(), 0);
    assert_eq!(after.entries.len(), before.entries.len() + 1);
    assert_eq!(after.entries.last().unwrap().data.as_deref(), Some(&b"ours"[..]));
}
