//! One member on real files, seen from outside: what is proposed is applied once and in order, and survives.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, unbounded};
use keyport_api::raftpb::{Entry, Message, MessageType};
use keyport_raft::wal::{FsDisk, Metadata, Recovered, Wal, WalError, WalOptions};
use keyport_raft::{
    Committed, CommittedKind, Config, InitialMember, NoObserver, NoTransport, Parts, ProposeError, RaftHandle,
    StateMachine, StopReason, create_log, start,
};

const ID: u64 = 0x8e9e_05c5_2164_694d;
const METADATA: Metadata = Metadata { node_id: ID, cluster_id: 7 };

struct Machine {
    applied: Sender<Committed>,
    stopped: Sender<String>,
    last: u64,
    failure: Option<String>,
}

/// An entry that cannot be applied.
const POISON: &[u8] = b"poison";

impl StateMachine for Machine {
    fn apply(&mut self, committed: Vec<Committed>) {
        for entry in committed {
            assert_eq!(entry.index, self.last + 1);
            if entry.kind == CommittedKind::Normal(Bytes::from_static(POISON)) {
                self.failure = Some("poisoned".into());
                return;
            }
            self.last = entry.index;
            self.applied.send(entry).unwrap();
        }
    }

    fn applied_index(&self) -> u64 {
        self.last
    }

    fn failure(&self) -> Option<String> {
        self.failure.clone()
    }

    fn understands(&self, data: &Bytes) -> bool {
        data != POISON
    }

    fn durable_index(&self) -> u64 {
        self.last
    }

    fn stopped(&mut self, reason: &StopReason) {
        self.stopped.send(reason.to_string()).unwrap();
    }
}

struct Node {
    handle: RaftHandle,
    applied: Receiver<Committed>,
    stopped: Receiver<String>,
}

impl Node {
    fn start(wal: Wal, recovered: Recovered, applied: u64, config: Config) -> Node {
        let (send, receive) = unbounded();
        let (stop, stopped) = unbounded();
        let handle = start(Parts {
            config,
            wal,
            recovered,
            applied,
            conf_state: None,
            state_machine: Machine { applied: send, stopped: stop, last: applied, failure: None },
            transport: NoTransport,
            observer: NoObserver,
        })
        .unwrap();
        Node { handle, applied: receive, stopped }
    }

    fn create(dir: &Path) -> Node {
        let members = vec![InitialMember { id: ID, context: Bytes::from_static(b"{}") }];
        let disk = Arc::new(FsDisk::open(dir).unwrap());
        let (wal, recovered) = create_log(disk, WalOptions::default(), METADATA, members).unwrap();
        Node::start(wal, recovered, 0, config())
    }

    fn reopen(dir: &Path, applied: u64, config: Config) -> Node {
        let disk = Arc::new(FsDisk::open(dir).unwrap());
        let (wal, recovered) = Wal::open(disk, WalOptions::default(), applied).unwrap();
        assert_eq!(recovered.metadata, METADATA);
        Node::start(wal, recovered, applied, config)
    }

    fn next(&self) -> Committed {
        self.applied.recv_timeout(Duration::from_secs(10)).unwrap()
    }

    fn next_data(&self) -> Bytes {
        loop {
            match self.next().kind {
                CommittedKind::Normal(data) if !data.is_empty() => return data,
                _ => {}
            }
        }
    }
}

fn config() -> Config {
    Config { snapshot_count: 50, snapshot_catchup_entries: 10, ..Config::new(ID) }
}

#[test]
fn entries_are_applied_once_and_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::create(dir.path());
    let first = node.next();
    assert!(
        matches!(&first.kind, CommittedKind::ConfChange { accepted: true, conf_state, .. } if conf_state.voters == [ID])
    );
    assert_eq!((first.index, first.term), (1, 1));
    assert_eq!(node.next().kind, CommittedKind::Normal(Bytes::new()));
    for i in 0..200u32 {
        node.handle.propose(Bytes::from(i.to_string())).unwrap();
    }
    for i in 0..200u32 {
        assert_eq!(node.next_data(), i.to_string());
    }
    node.handle.stop();
    assert_eq!(node.stopped.recv().unwrap(), "stopped");
    let status = node.handle.status();
    assert_eq!((status.leader, status.term, status.commit, status.applied), (ID, 2, 202, 202));
    assert!(node.handle.read_index_now().is_some());
    drop(node);

    // A state machine that has all of it sees none of it again; what follows goes on behind.
    let node = Node::reopen(dir.path(), 202, config());
    assert_eq!(node.next(), Committed { index: 203, term: 3, kind: CommittedKind::Normal(Bytes::new()) });
    node.handle.propose(Bytes::from_static(b"more")).unwrap();
    assert_eq!(
        node.next(),
        Committed { index: 204, term: 3, kind: CommittedKind::Normal(Bytes::from_static(b"more")) }
    );
    assert_eq!(node.handle.status().conf_state.voters, [ID]);
    node.handle.stop();
    drop(node);

    // One that is a little behind sees the rest, with the same indexes and terms.
    let node = Node::reopen(dir.path(), 201, config());
    assert_eq!(node.next(), Committed { index: 202, term: 2, kind: CommittedKind::Normal(Bytes::from_static(b"199")) });
    assert_eq!((node.next().index, node.next_data()), (203, Bytes::from_static(b"more")));
    node.handle.stop();
}

#[test]
fn a_state_machine_that_cannot_go_on_ends_the_node_at_every_start() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::create(dir.path());
    node.handle.propose(Bytes::from_static(b"before")).unwrap();
    assert_eq!(node.next_data(), "before");
    node.handle.propose(Bytes::from_static(POISON)).unwrap();
    assert_eq!(node.stopped.recv_timeout(Duration::from_secs(10)).unwrap(), "state machine: poisoned");
    assert!(matches!(node.handle.propose(Bytes::from_static(b"after")), Err(ProposeError::Stopped)));
    assert!(node.applied.is_empty(), "nothing behind it is applied");
    node.handle.stop();
    drop(node);

    // What is in the log is met again.
    let node = Node::reopen(dir.path(), 3, config());
    assert_eq!(node.stopped.recv_timeout(Duration::from_secs(10)).unwrap(), "state machine: poisoned");
    assert!(node.applied.is_empty());
}

#[test]
fn what_the_state_machine_would_not_understand_does_not_get_into_the_log_from_a_peer() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::create(dir.path());
    node.handle.propose(Bytes::from_static(b"own")).unwrap();
    assert_eq!(node.next_data(), "own");
    let passed_on = |data: &[&'static [u8]]| Message {
        r#type: Some(MessageType::MsgProp.into()),
        from: Some(ID + 1),
        to: Some(ID),
        entries: data.iter().map(|data| Entry { data: Some(Bytes::from_static(data)), ..Entry::default() }).collect(),
        ..Message::default()
    };
    node.handle.step(passed_on(&[POISON])).unwrap();
    node.handle.step(passed_on(&[b"first", POISON, b"second"])).unwrap();
    assert_eq!((node.next_data(), node.next_data()), (Bytes::from_static(b"first"), Bytes::from_static(b"second")));
    node.handle.stop();
    assert_eq!(node.stopped.recv().unwrap(), "stopped");
    assert_eq!(node.handle.status().last_index, 5);
}

#[test]
fn a_log_in_use_or_of_another_history_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::create(dir.path());
    assert!(matches!(FsDisk::open(dir.path()), Err(WalError::Locked(_))));
    node.handle.propose(Bytes::from_static(b"x")).unwrap();
    node.next_data();
    node.handle.stop();
    drop(node);
    let disk = Arc::new(FsDisk::open(dir.path()).unwrap());
    let lost = Wal::open(disk.clone(), WalOptions::default(), 100).unwrap_err();
    assert!(matches!(lost, WalError::Lost { last: 3, applied: 100, .. }), "{lost}");
    let exists = create_log(disk, WalOptions::default(), METADATA, vec![]).unwrap_err();
    assert!(matches!(exists, WalError::Exists(_)), "{exists}");
}

#[tokio::test]
async fn a_sole_voter_answers_read_barriers_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::create(dir.path());
    node.next();
    node.next();
    assert!(node.handle.read_index().await.unwrap() >= 2);
    tokio::task::spawn_blocking(move || node.handle.stop()).await.unwrap();
}
