//! A whole state without the node: what can be applied, and what ends the member instead.

use bytes::Bytes;
use keyport_api::etcdserverpb::request_op::Request;
use keyport_api::etcdserverpb::*;
use keyport_api::raftpb::{ConfChange, ConfState, SnapshotMetadata};
use keyport_raft::StateMachine;
use keyport_raft::peers::{LocalMember, PeerOptions, SnapshotRead, SnapshotStore, SnapshotWrite};
use keyport_storage::backend::{Backend, BackendOptions, ImageWriter, RowKey};
use keyport_storage::lease::{Lessor, LessorOptions};
use keyport_storage::mvcc::{Store, StoreOptions};
use keyport_storage::watch::{WatchHub, WatchOptions};
use keyport_storage::{Record, Versions};
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::*;
use crate::apply::error::OpError;
use crate::apply::{Command, Quota, ReplicaQueue};
use crate::auth::tokens::Tokens;
use crate::membership::Membership;
use crate::metrics::NetworkMetrics;
use crate::net::dial::PeerDialler;
use crate::state::AppliedIndex;
use crate::state::ending::Recurring;
use crate::state::leadership::Leadership;
use crate::tls::{Outgoing, Speaks};

struct NoSnapshots;

impl SnapshotStore for NoSnapshots {
    fn read(&self) -> std::io::Result<Box<dyn SnapshotRead>> {
        Err(std::io::Error::other("none"))
    }

    fn write(&self, _: &SnapshotMetadata) -> std::io::Result<Box<dyn SnapshotWrite>> {
        Err(std::io::Error::other("none"))
    }
}

/// A replica and what it was told so far.
struct World {
    replica: Replica,
    notices: mpsc::Receiver<Notice>,
    next: u64,
    dir: TempDir,
    _runtime: tokio::runtime::Runtime,
}

impl World {
    fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let options = BackendOptions { unsafe_no_fsync: true, ..BackendOptions::default() };
        let backend = Arc::new(Backend::open(&dir.path().join("db"), options).unwrap());
        let store = Arc::new(Store::open(Arc::clone(&backend), StoreOptions::default()).unwrap());
        let lessor = Arc::new(Lessor::new(LessorOptions::default(), Instant::now()));
        lessor.recover(&backend, &store).unwrap();
        let metrics = Arc::new(Metrics::new(false));
        let applied = backend.durable_applied();
        let state = Arc::new(State {
            store: Arc::clone(&store),
            lessor,
            alarms: Arc::default(),
            auth: Arc::default(),
            rules_changed: Recurring::default(),
            tokens: Tokens::None,
            identities: None,
            hub: WatchHub::new(store as _, WatchOptions::default()).unwrap(),
            membership: Membership::load(&backend).unwrap(),
            applied: AppliedIndex::new(applied.index, applied.term),
            leadership: Leadership::new(Duration::from_secs(1)),
            metrics: Arc::clone(&metrics),
            backend,
        });
        let local =
            LocalMember { cluster_id: 1, member_id: 1, peer_urls: Vec::new(), version: "3.6.0", min_version: "3.0.0" };
        let observer = Arc::new(NetworkMetrics::new(Arc::clone(&metrics), 1));
        let peers = Peers::new(
            local,
            runtime.handle().clone(),
            Arc::new(PeerDialler(Outgoing::without_files(Speaks::Http1))),
            Arc::new(NoSnapshots),
            observer,
            PeerOptions::default(),
        );
        let (sender, notices) = mpsc::channel(64);
        let replica = Replica {
            chain: Chain::new(&state, Quota::new(&state, None)),
            state,
            waiters: Arc::default(),
            metrics,
            notices: sender,
            peers,
            snapshots: SnapshotFiles::in_directory(dir.path()),
            slow: Duration::from_secs(10),
            failure: OnceLock::new(),
        };
        World { replica, notices, next: applied.index + 1, dir, _runtime: runtime }
    }

    /// The next entry with these bytes.
    fn raw(&mut self, data: impl Into<Bytes>) -> Committed {
        self.next += 1;
        Committed { index: self.next - 1, term: 1, kind: CommittedKind::Normal(data.into()) }
    }

    /// The next entry with this command, and its answer.
    fn entry(&mut self, command: Command) -> (Committed, oneshot::Receiver<Outcome>) {
        let answer = self.replica.waiters.register(self.next);
        let request = Proposal { id: self.next, author: None, command }.encode();
        (self.raw(request.encode_to_vec()), answer)
    }

    fn put(&mut self, key: &str, value: &str) {
        let (entry, mut answer) = self.entry(put(key, value));
        self.replica.apply(vec![entry]);
        assert!(matches!(answer.try_recv().unwrap(), Ok(Answer { reply: Reply::Put(_), .. })));
    }

    fn revision(&self) -> i64 {
        self.replica.state.store.revision()
    }

    fn applied(&self) -> u64 {
        self.replica.state.applied.index()
    }

    fn has(&self, key: &str) -> bool {
        self.replica.state.store.outline(key.as_bytes()).is_some()
    }

    /// It has ended with a text that holds `words`; nobody is told anything else.
    fn assert_failed(&mut self, words: &[&str]) {
        let failure = self.replica.failure.get().expect("a failure");
        assert!(words.iter().all(|word| failure.contains(word)), "{words:?} in {failure}");
        assert_eq!(self.notices.try_recv(), Ok(Notice::Broken));
        assert_eq!(self.replica.waiters.len(), 0);
    }

    /// Puts a row where the writes to come belong, which storage asserts against.
    fn plant_panic(&self) {
        let mut batch = Batch::new();
        batch.put_record(RowKey::new(9, 0), Record::new(b"k", b"", Versions::default()));
        self.replica.state.backend.commit(batch, None);
    }

    /// Another member's state, at entry 9 of term 3 with voters 1 and 2, as if it had been received for `index`.
    fn receive(&self, index: u64) {
        let other = World::new();
        let mut batch = Batch::new();
        conf_state::put(&voters(&[1, 2]), &mut batch).unwrap();
        let backend = &other.replica.state.backend;
        backend.commit(batch, Some(Applied { index: 9, term: 3 }));
        let mut image = backend.image().unwrap();
        let mut file = ImageWriter::create(&self.replica.snapshots.path(index), BackendOptions::default()).unwrap();
        while let Some(chunk) = image.next_chunk().unwrap() {
            file.write(&chunk).unwrap();
        }
        file.finish().unwrap();
    }

    /// Loses the row of history that a revision began with, as a damaged file would.
    fn lose_row(&self, revision: i64) {
        let mut batch = Batch::new();
        batch.delete_record(RowKey::new(revision, 0));
        self.replica.state.backend.commit(batch, None);
    }
}

fn voters(ids: &[u64]) -> ConfState {
    ConfState { voters: ids.to_vec(), auto_leave: Some(false), ..ConfState::default() }
}

fn put(key: &str, value: &str) -> Command {
    Command::Put(put_request(key, value))
}

fn put_request(key: &str, value: &str) -> PutRequest {
    PutRequest { key: key.to_owned().into(), value: value.to_owned().into(), ..PutRequest::default() }
}

fn op(request: Request) -> RequestOp {
    RequestOp { request: Some(request) }
}

/// Puts one key, with a lease unless that is 0, and reads another as it was.
fn put_then_read(key: &str, lease: i64, read: &str, revision: i64) -> Command {
    let put = PutRequest { lease, ..put_request(key, "new") };
    let range = RangeRequest { key: read.to_owned().into(), revision, ..RangeRequest::default() };
    let success = vec![op(Request::RequestPut(put)), op(Request::RequestRange(range))];
    Command::Txn(TxnRequest { success, ..TxnRequest::default() })
}

fn stopped(answer: &mut oneshot::Receiver<Outcome>) -> bool {
    matches!(answer.try_recv(), Ok(Err(Error::Stopped)))
}

#[test]
fn half_a_transaction_is_never_seen() {
    let mut world = World::new();
    world.put("old", "1");
    world.put("old", "2");
    world.lose_row(2);
    let (grant, _) = world.entry(Command::LeaseGrant(LeaseGrantRequest { id: 7, ttl: 60 }));
    world.replica.apply(vec![grant]);
    let (before, mut first) = world.entry(put("before", "x"));
    let (broken, mut second) = world.entry(put_then_read("half", 7, "old", 2));
    let (after, mut third) = world.entry(put("after", "x"));
    let index = broken.index;
    world.replica.apply(vec![before, broken, after]);
    assert!(matches!(first.try_recv().unwrap(), Ok(Answer { reply: Reply::Put(_), .. })), "applied and answered");
    assert!(stopped(&mut second) && stopped(&mut third));
    assert!(world.has("before") && !world.has("half") && !world.has("after"));
    assert_eq!((world.revision(), world.applied()), (4, index - 1));
    assert_eq!(world.replica.state.lessor.keys(7), Some(Vec::new()), "nor is a key attached to its lease");
    world.assert_failed(&[&format!("entry {index} of term 1 (Txn)"), "is missing"]);

    // Nothing later is applied, and a restart finds the entry before it.
    let (later, mut answer) = world.entry(put("later", "x"));
    world.replica.apply(vec![later]);
    assert!(answer.try_recv().is_err() && !world.has("later"));
    assert_eq!(world.replica.state.backend.flush().unwrap(), Applied { index: index - 1, term: 1 });
}

#[test]
fn a_refusal_is_an_answer() {
    let mut world = World::new();
    let lease = PutRequest { lease: 7, ..put_request("k", "v") };
    let refused = [
        (Command::Put(lease), Error::LeaseNotFound),
        (Command::LeaseRevoke(LeaseRevokeRequest { id: 7 }), Error::LeaseNotFound),
        (Command::Compaction(CompactionRequest { revision: 9, ..CompactionRequest::default() }), Error::FutureRev),
        (Command::Alarm(AlarmRequest { action: 9, ..AlarmRequest::default() }), Error::UnknownMethod),
        (put_then_read("k", 0, "k", 9), Error::FutureRev),
    ];
    for (command, error) in refused {
        let (entry, mut answer) = world.entry(command);
        let index = entry.index;
        world.replica.apply(vec![entry]);
        assert_eq!(answer.try_recv().unwrap().map(|_| ()), Err(error));
        assert_eq!((world.revision(), world.applied()), (1, index));
    }
    assert!(world.replica.failure.get().is_none());
    assert!(world.notices.try_recv().is_err());
}

#[test]
fn what_is_not_understood_ends_the_member() {
    for (data, words) in [(b"request".to_vec(), "it is no request: "), (b"\x12\x03new".to_vec(), "it is no request")] {
        let mut world = World::new();
        world.put("k", "v");
        let entry = world.raw(data);
        world.replica.apply(vec![entry]);
        assert_eq!(world.applied(), 1);
        world.assert_failed(&["entry 2 of term 1 (unknown): the entry is not understood: ", words]);
    }
}

#[test]
fn a_gap_ends_the_member() {
    for skipped in [0, 2] {
        let mut world = World::new();
        world.put("k", "v");
        world.next = 1 + skipped + u64::from(skipped > 0);
        let entry = world.raw(Bytes::new());
        world.replica.apply(vec![entry]);
        assert_eq!(world.applied(), 1);
        world.assert_failed(&["it does not follow on entry 1"]);
    }
}

#[test]
fn a_membership_change_that_was_accepted_and_cannot_be_carried_out_ends_the_member() {
    let mut world = World::new();
    let kind = CommittedKind::ConfChange {
        change: Configuration::Simple(ConfChange { node_id: Some(5), ..ConfChange::default() }),
        accepted: true,
        conf_state: ConfState { voters: vec![1, 5], ..ConfState::default() },
    };
    world.replica.apply(vec![Committed { index: 1, term: 1, kind }]);
    assert_eq!(world.applied(), 0);
    assert!(conf_state::load(&*world.replica.state.backend).unwrap().is_none());
    world.assert_failed(&["entry 1 of term 1 (ConfChange)", "an accepted membership change"]);
}

#[test]
fn a_snapshot_that_is_not_what_the_log_says_ends_the_member() {
    let install = |index, term, conf_state| {
        let world = World::new();
        world.receive(index);
        world.replica.install(&SnapshotMetadata { conf_state: Some(conf_state), index: Some(index), term: Some(term) });
        world
    };
    let world = install(9, 3, voters(&[2, 1]));
    assert!(world.replica.failure.get().is_none());
    assert_eq!(world.replica.state.applied.applied(), Applied { index: 9, term: 3 });
    for (index, term, conf_state, words) in [
        (8, 3, voters(&[1, 2]), "the snapshot is at entry 9 of term 3"),
        (9, 2, voters(&[1, 2]), "the snapshot is at entry 9 of term 3"),
        (9, 3, voters(&[1, 2, 3]), "another configuration"),
    ] {
        let mut world = install(index, term, conf_state);
        world.assert_failed(&["(Snapshot)", words]);
        assert_eq!(world.replica.state.backend.durable_applied(), Applied::default(), "the database is as it was");
    }
}

#[test]
fn a_snapshot_of_a_log_with_earlier_terms_ends_the_member_in_good_order() {
    let mut world = World::new();
    world.replica.apply(vec![Committed { index: 1, term: 4, kind: CommittedKind::Normal(Bytes::new()) }]);
    world.receive(9);
    let (index, term, conf_state) = (Some(9), Some(3), Some(voters(&[1, 2])));
    world.replica.install(&SnapshotMetadata { conf_state, index, term });
    world.assert_failed(&["(Snapshot): entry 9 of term 3 does not follow on entry 1 of term 4"]);
    assert_eq!(world.applied(), 1);
}

#[test]
fn a_refusal_after_a_change_is_none() {
    let refused = || Err(OpError::Refused(Error::KeyNotFound));
    assert!(matches!(execute::settle(refused(), false), Ok(Err(Error::KeyNotFound))));
    assert!(matches!(execute::settle(refused(), true), Err(Fault::HalfDone(Error::KeyNotFound))));
}

#[test]
fn a_panic_ends_the_member() {
    let mut world = World::new();
    world.put("k", "1");
    world.plant_panic();
    let (entry, mut answer) = world.entry(put("k", "2"));
    world.replica.apply(vec![entry]);
    assert!(stopped(&mut answer));
    assert_eq!((world.revision(), world.applied()), (2, 1));
    world.assert_failed(&["entry 2 of term 1 (Put)", "panicked", "history is only appended to"]);
}

/// More entries than are applied on the Raft thread.
#[test]
fn a_panic_of_the_apply_thread_ends_the_member() {
    let mut world = World::new();
    world.plant_panic();
    let many = (0..100).map(|_| world.entry(put("k", "v"))).collect::<Vec<_>>();
    let (entries, mut answers): (Vec<_>, Vec<_>) = many.into_iter().unzip();
    let World { replica, mut notices, dir: _dir, _runtime, .. } = world;
    let mut queue = ReplicaQueue::start(replica).unwrap();
    queue.apply(entries);
    assert_eq!(notices.blocking_recv(), Some(Notice::Broken));
    assert!(answers.iter_mut().all(stopped));
    let failure = queue.failure().unwrap();
    assert!(failure.starts_with("entry 1 of term 1 (Put): the thread \"apply\" panicked: "), "{failure}");
}

#[test]
fn what_was_handed_over_is_applied_when_the_queue_is_gone() {
    let mut world = World::new();
    let many = (0..1000).map(|_| world.entry(put("k", "v"))).collect::<Vec<_>>();
    let (entries, answers): (Vec<_>, Vec<_>) = many.into_iter().unzip();
    let World { replica, dir: _dir, _runtime, .. } = world;
    let state = Arc::clone(&replica.state);
    let mut queue = ReplicaQueue::start(replica).unwrap();
    queue.apply(entries);
    drop(queue);
    assert_eq!(state.applied.index(), 1000);
    drop(answers);
}

#[test]
fn the_raft_thread_hears_of_a_failure_and_of_what_is_not_understood() {
    let mut world = World::new();
    let good = Proposal { id: 1, author: None, command: put("k", "v") }.encode().encode_to_vec();
    let (first, broken) = (world.raw(good.clone()), world.raw("request"));
    let World { replica, mut notices, dir: _dir, _runtime, .. } = world;
    let mut queue = ReplicaQueue::start(replica).unwrap();
    assert!(queue.understands(&good.into()));
    assert!(!queue.understands(&Bytes::from_static(b"request")));
    queue.apply(vec![first]);
    assert_eq!(queue.failure(), None);
    queue.apply(vec![broken]);
    assert!(queue.failure().unwrap().contains("not understood"));
    assert_eq!(notices.try_recv(), Ok(Notice::Broken));
}
