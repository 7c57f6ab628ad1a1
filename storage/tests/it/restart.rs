//! Leases and alarms over a restart.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use keyport_api::etcdserverpb::AlarmType;
use keyport_storage::alarm::Alarms;
use keyport_storage::backend::{Backend, BackendOptions};
use keyport_storage::lease::{Lessor, LessorOptions};
use keyport_storage::mvcc::{Store, StoreOptions};

struct Node {
    backend: Arc<Backend>,
    store: Store,
    lessor: Lessor,
    alarms: Alarms,
    now: Instant,
}

impl Node {
    fn open(dir: &Path) -> Node {
        let backend = Arc::new(Backend::open(&dir.join("db"), BackendOptions::default()).expect("a backend"));
        let store = Store::open(Arc::clone(&backend), StoreOptions::default()).expect("a store");
        let now = Instant::now();
        let (lessor, alarms) = (Lessor::new(LessorOptions::default(), now), Alarms::new());
        lessor.recover(&backend, &store).expect("leases");
        alarms.recover(&backend).expect("alarms");
        Node { backend, store, lessor, alarms, now }
    }

    fn grant(&self, id: i64, ttl: i64) {
        let mut txn = self.store.write();
        self.lessor.grant(id, ttl, self.now, txn.batch()).expect("granted");
        txn.commit(None);
    }

    fn put(&self, key: &str, lease: i64) {
        let mut txn = self.store.write();
        let (_, old) = txn.put(key.as_bytes(), b"value", lease);
        self.lessor.reattach(key.as_bytes(), old.map_or(0, |old| old.lease()), lease);
        txn.commit(None);
    }

    /// Returns the revision before and after.
    fn revoke(&self, id: i64) -> (i64, i64) {
        let mut txn = self.store.write();
        let start = txn.start_revision();
        for key in self.lessor.revoke(id, txn.batch()).expect("known") {
            txn.delete(&key);
        }
        (start, txn.commit(None).revision)
    }
}

fn keys(names: &[&str]) -> Option<Vec<Bytes>> {
    Some(names.iter().map(|name| Bytes::copy_from_slice(name.as_bytes())).collect())
}

#[test]
fn leases_their_keys_and_alarms_are_there_after_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let node = Node::open(dir.path());
    for id in [1, -2, 3] {
        node.grant(id, 60);
    }
    for (key, lease) in [("a", 1), ("b", 1), ("c", 1), ("b", -2), ("c", 0), ("d", 3), ("e", 3)] {
        node.put(key, lease);
    }
    let (before, after) = node.revoke(3);
    assert_eq!(after, before + 1, "all keys of a lease go in one revision");
    let mut txn = node.store.write();
    node.lessor.checkpoint(1, 20, txn.batch());
    node.alarms.activate(7, AlarmType::Nospace as i32, txn.batch());
    node.alarms.activate(8, AlarmType::Corrupt as i32, txn.batch());
    node.alarms.deactivate(8, AlarmType::Corrupt as i32, txn.batch());
    txn.commit(None);
    node.backend.flush().expect("flushed");
    drop(node);

    let node = Node::open(dir.path());
    assert_eq!(node.lessor.list(), [-2, 1]);
    assert_eq!((node.lessor.keys(1), node.lessor.keys(-2)), (keys(&["a"]), keys(&["b"])));
    assert!(!node.lessor.is_primary());
    node.lessor.promote(1, Duration::from_secs(1), node.now);
    let ttl = |id| node.lessor.time_to_live(id, false, node.now).map(|shown| (shown.ttl, shown.granted_ttl));
    assert_eq!((ttl(1), ttl(-2)), (Ok((21, 60)), Ok((61, 60))));
    assert!(node.alarms.no_space() && !node.alarms.corrupt());
    assert_eq!(node.alarms.list(AlarmType::None as i32).len(), 1);

    assert_eq!(node.revoke(1), (after, after + 1));
    assert_eq!(node.store.get(b"a").unwrap(), None);
    assert!(node.store.get(b"b").unwrap().is_some());
}
