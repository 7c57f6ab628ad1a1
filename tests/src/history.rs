//! Concurrent clients and watchers of a cluster, what they saw, and whether that is what etcd promises.
//!
//! [`Traffic`] runs, on every member, a gRPC and a JSON client that put, delete, read, list, compare and swap a few keys,
//! grant, use, renew and revoke leases, lock and stand for elections; and watchers of every kind. While they run a test
//! does to the cluster what it likes. Then [`Traffic::finish`] judges:
//!
//! - the clients' history is linearizable (`keyport_raft::sim::history`), unknown outcomes and the store's revisions included,
//! - nothing acknowledged is missing from the history that the cluster kept, and all members have the same hash,
//! - every watcher saw exactly that history ([`check`]).

mod calls;
pub mod check;
mod client;
pub mod faces;
mod holding;
pub mod watchers;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use keyport_raft::sim::history::kv::{Answer, Keys, Outcome, Request, State, Store, Txn};
use keyport_raft::sim::history::{History, Verdict, check as judge};
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::cluster::Cluster;
use crate::grpc::Grpc;
use crate::random::Random;
use crate::wait::{eventually, within};
use check::Change;
use client::{Client, Leases};
use faces::Face;
use holding::Holding;
use watchers::{Kind, Log, Watcher};

/// Everything that clients write begins with it.
pub const PREFIX: &str = "w/";
/// How long a client waits; shorter than a server does, so that requests go on after their clients have left.
const DEADLINE: Duration = Duration::from_secs(3);
/// Far more than a history of a few thousand operations needs.
const MAX_STEPS: usize = 5_000_000;

/// Where the members are; a member that has left is replaced by the next.
#[derive(Clone, Debug, Default)]
pub struct Endpoints(Arc<Mutex<Vec<Option<SocketAddr>>>>);

impl Endpoints {
    fn of(&self, member: usize) -> SocketAddr {
        let all = self.0.lock();
        let next = |i: usize| all.get((member + i) % all.len()).copied().flatten();
        (0..all.len()).find_map(next).expect("there is always a member")
    }
}

type Record = Arc<Mutex<History<Txn, Answer>>>;

/// Clients and watchers at work.
#[derive(Debug)]
pub struct Traffic {
    endpoints: Endpoints,
    initial: State,
    record: Record,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
    leases: Leases,
    clients: Vec<JoinHandle<()>>,
    watchers: Vec<(Arc<Log>, JoinHandle<()>)>,
    /// What was read back before it was compacted.
    kept: Vec<Change>,
}

/// How much there was to judge.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// Operations begun.
    pub operations: usize,
    /// Operations whose outcome is known.
    pub answered: usize,
    /// Changes of keys.
    pub changes: usize,
    /// Watchers that saw all of them.
    pub watchers: usize,
    /// How often a watcher had to come back.
    pub resumed: usize,
}

impl Traffic {
    /// Starts clients and watchers on all members of a cluster.
    pub async fn start(cluster: &Cluster, seed: u64) -> Traffic {
        let addrs = cluster.members.iter().map(|m| m.serves().then(|| m.addr())).collect();
        let initial = initial(cluster).await;
        let mut traffic = Traffic {
            endpoints: Endpoints(Arc::new(Mutex::new(addrs))),
            initial,
            record: Record::default(),
            stop: Arc::default(),
            acknowledged: Arc::default(),
            leases: Leases::default(),
            clients: Vec::new(),
            watchers: Vec::new(),
            kept: Vec::new(),
        };
        for member in cluster.serving() {
            traffic.follow(cluster, member, seed);
        }
        for (home, kind) in [(0, Kind::Grpc), (1, Kind::Json)] {
            traffic.watch(home, kind, true);
        }
        traffic
    }

    /// Adds the clients and watchers of one member, which may be new.
    pub fn follow(&mut self, cluster: &Cluster, member: usize, seed: u64) {
        {
            let mut all = self.endpoints.0.lock();
            let len = all.len().max(member + 1);
            all.resize(len, None);
            all[member] = Some(cluster.members[member].addr());
        }
        for json in [false, true] {
            let id = self.clients.len() as u64;
            let client = Client {
                id,
                json,
                is_etcd: cluster.is_etcd(),
                member,
                endpoints: self.endpoints.clone(),
                record: self.record.clone(),
                stop: self.stop.clone(),
                acknowledged: self.acknowledged.clone(),
                leases: self.leases.clone(),
                random: Random::new(seed * 100 + id),
                known: Vec::new(),
                holding: Holding::Nothing,
            };
            self.clients.push(tokio::spawn(client.run()));
        }
        let kinds: &[Kind] =
            if cluster.is_etcd() { &[Kind::Grpc, Kind::Json] } else { &[Kind::Grpc, Kind::Json, Kind::Sse] };
        for kind in kinds {
            self.watch(member, *kind, false);
        }
    }

    fn watch(&mut self, home: usize, kind: Kind, wanders: bool) {
        let name = format!("{kind:?} watcher of m{home}{}", if wanders { " that wanders" } else { "" });
        let from = self.initial.revision + 1;
        let log = Arc::new(Log { name, from, items: Mutex::default(), seen: AtomicU64::new(0) });
        let watcher = Watcher { kind, home, wanders, endpoints: self.endpoints.clone(), log: log.clone() };
        self.watchers.push((log, tokio::spawn(watcher.run())));
    }

    /// A member has left for good: its clients and watchers go elsewhere.
    pub fn leave(&self, member: usize) {
        if let Some(addr) = self.endpoints.0.lock().get_mut(member) {
            *addr = None;
        }
    }

    /// How many operations have been answered.
    pub fn answered(&self) -> u64 {
        self.acknowledged.load(SeqCst)
    }

    /// Waits until so many more operations have been answered.
    pub async fn progress(&self, more: u64) {
        let until = self.answered() + more;
        eventually("clients get answers", async || (self.answered() >= until).then_some(())).await;
    }

    /// Puts a key that is none of the clients'. It changes the store's revision, so their history is told of it.
    pub async fn write_elsewhere(&self, c: &mut Grpc, key: &str, value: &str) {
        let id = self.record.lock().begin(2000, Txn::put(key, ""));
        if let Ok(Ok(done)) = timeout(DEADLINE, c.kv.put(crate::grpc::put(key, value))).await {
            let revision = faces::unsigned(done.into_inner().header.unwrap_or_default().revision);
            self.record.lock().answer(id, Answer { revision, succeeded: true, results: vec![Outcome::Put] });
        }
    }

    /// Compacts what every watcher has seen; it is read back first. Whether that was acknowledged does not matter.
    pub async fn compact(&mut self, mut c: Grpc, physical: bool) {
        let seen = self.watchers.iter().map(|(log, _)| log.seen.load(SeqCst)).min().unwrap_or(0);
        let from = self.next_to_keep();
        if seen < from {
            return;
        }
        let more = within("what is kept", watchers::read_back(c.clone(), from, seen)).await;
        self.kept.extend(more);
        let revision = i64::try_from(seen).unwrap_or(0);
        let compaction = keyport_api::etcdserverpb::CompactionRequest { revision, physical };
        let _ = timeout(DEADLINE, c.kv.compact(compaction)).await;
    }

    fn next_to_keep(&self) -> u64 {
        self.kept.last().map_or(self.initial.revision, |last| last.revision) + 1
    }

    /// Lets it run for a while, whether it gets answers or not.
    pub async fn run_for(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Ends the clients, waits for the members and watchers to be equal, and judges.
    ///
    /// # Panics
    /// If something that etcd promises did not hold.
    pub async fn finish(self, cluster: &Cluster) -> Report {
        self.stop.store(true, SeqCst);
        let (from, mut history) = (self.next_to_keep(), self.kept);
        for client in self.clients {
            within("a client ends", client).await.expect("a client does not panic");
        }
        // A last change, and what everybody says in the end, belong to the history.
        let anyone = cluster.serving()[0];
        let last = last_words(&self.record, cluster, anyone, Txn::put("w/end", "")).await;
        for member in cluster.serving() {
            last_words(&self.record, cluster, member, Txn::of(vec![Request::Range(everything())])).await;
        }
        let equal = cluster.until_equal().await;
        assert!(faces::unsigned(equal) >= last);

        for (log, _) in &self.watchers {
            let what = format!("{} sees {last}", log.name);
            eventually(&what, async || (log.seen.load(SeqCst) >= last).then_some(())).await;
        }
        for (_, task) in &self.watchers {
            assert!(!task.is_finished(), "a watcher panicked");
            task.abort();
        }
        // A request that its client gave up may still arrive, after the last words even; some have seen it, others not yet.
        let seen: Vec<_> = self.watchers.iter().map(|(log, _)| (&log.name, log.items.lock().clone())).collect();
        let end = seen.iter().filter_map(|(_, items)| check::changes(items).last()).map(|change| change.revision).max();
        history.extend(watchers::read_back(cluster.grpc(anyone), from, end.unwrap_or(last)).await);
        let up_to_last = history.partition_point(|change| change.revision <= last);
        let mut resumed = 0;
        for (name, items) in &seen {
            resumed += items.iter().filter(|item| matches!(item, check::Item::Opened { .. })).count() - 1;
            let expected = check::changes(items).count().clamp(up_to_last, history.len());
            if let Err(broken) = check::watcher(items, &history[..expected]) {
                panic!("{name}: {broken}");
            }
        }
        let record = self.record.lock();
        explain(&self.initial, &record, &history);
        cluster.check_logs();
        let (operations, answered) = (record.len(), record.answered());
        let report = Report { operations, answered, changes: history.len(), watchers: self.watchers.len(), resumed };
        println!("{report:?}");
        report
    }
}

/// The revision of the answer. What a member hands on to another may be lost with a connection, so it is said until it is heard.
async fn last_words(record: &Record, cluster: &Cluster, member: usize, txn: Txn) -> u64 {
    let face = Face::Grpc(Box::new(cluster.grpc(member)));
    eventually(&format!("the last words to m{member}"), async || {
        let id = record.lock().begin(1000 + member as u64, txn.clone());
        let answer = face.execute(&txn).await.ok()?;
        let revision = answer.revision;
        record.lock().answer(id, answer);
        Some(revision)
    })
    .await
}

fn everything() -> Keys {
    Keys::range(PREFIX, "w0")
}

async fn initial(cluster: &Cluster) -> State {
    let mut c = cluster.grpc(cluster.serving()[0]);
    // The checker copies states, so they hold the clients' keys only.
    let answer =
        within("a first read", c.kv.range(crate::grpc::list(PREFIX))).await.expect("a first read").into_inner();
    let revision = faces::unsigned(answer.header.unwrap_or_default().revision);
    State { revision, pairs: answer.kvs.iter().map(faces::pair).collect() }
}

/// Looks for an order of all operations, and for what was acknowledged in the history that was kept.
fn explain(initial: &State, record: &History<Txn, Answer>, history: &[Change]) {
    let mut model = Store::starting_from(initial.clone(), record);
    for Change { revision, key, pair, .. } in history {
        model.know(*revision, key.clone(), pair.clone());
    }
    let order = match judge(&model, record, MAX_STEPS) {
        Verdict::Linearizable { order, .. } => order,
        Verdict::Violation(violation) => panic!("not linearizable: {}", violation.describe(record)),
        Verdict::Undecided => panic!("undecided whether {} operations are linearizable", record.len()),
    };
    let mut state = initial.clone();
    for id in order {
        let Some(operation) = record.get(id) else { continue };
        let before = state.clone();
        state.execute(&operation.input);
        // Which of several operations of unknown outcome made a revision is a guess.
        let ours = state.pairs.range(PREFIX.to_owned()..).ne(before.pairs.range(PREFIX.to_owned()..));
        if !ours || operation.answer.is_none() {
            continue;
        }
        let at = history.partition_point(|change| change.revision < state.revision);
        let kept = history.get(at..).unwrap_or_default().iter().take_while(|change| change.revision == state.revision);
        let mut made = 0;
        for change in kept {
            made += 1;
            let here = state.pairs.get(&change.key);
            assert!(change.pair.as_ref() == here, "{id} was acknowledged as {operation:?}, but {change:?} was kept");
        }
        assert!(made > 0, "{id} is lost: {operation:?}");
    }
}
