//! SIGKILL at random moments, again and again, while clients write, grant leases and compact.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::SeqCst};

use keyport_api::etcdserverpb::{
    CompactionRequest, HashKvRequest, LeaseGrantRequest, LeaseLeasesRequest, LeaseRevokeRequest, PutRequest,
    RangeRequest, TxnRequest, WatchCreateRequest,
};
use keyport_tests::Server;
use keyport_tests::grpc::{Grpc, IntoOp, get, put, text, watch_all};
use keyport_tests::random::Random;
use keyport_tests::wait::{eventually, within};

/// What the servers have promised.
#[derive(Debug, Default)]
struct Promises {
    /// Per key the number last acknowledged, and its revision.
    keys: BTreeMap<String, (u64, i64)>,
    /// Every acknowledged put in order.
    history: Vec<(i64, String, u64)>,
    leases: Vec<i64>,
    revoked: Vec<i64>,
    compacted: i64,
    revision: i64,
}

impl Promises {
    fn put(&mut self, key: String, number: u64, revision: i64) {
        self.revision = self.revision.max(revision);
        self.history.push((revision, key.clone(), number));
        self.keys.insert(key, (number, revision));
    }

    fn merge(&mut self, other: Promises) {
        self.keys.extend(other.keys);
        self.history.extend(other.history);
        self.leases.extend(other.leases);
        self.revoked.extend(other.revoked);
        self.compacted = self.compacted.max(other.compacted);
        self.revision = self.revision.max(other.revision);
    }
}

#[derive(Debug, Default)]
struct Progress {
    acknowledged: AtomicU64,
    revision: AtomicI64,
}

/// Writes keys of its own until the server is gone: what it was promised, and what it asked for last without an answer.
async fn writer(mut c: Grpc, id: usize, seed: u64, first: u64, progress: Arc<Progress>) -> Promises {
    let mut random = Random::new(seed);
    let mut promised = Promises::default();
    let value = |n: u64| format!("{n} {}", "x".repeat(n as usize % 200));
    for n in first.. {
        let key = |which: usize| format!("w{id}/{which}");
        let outcome = match random.below(20) {
            0 => {
                let both = TxnRequest {
                    success: vec![put(&key(90), &value(n)).op(), put(&key(91), &value(n)).op()],
                    ..TxnRequest::default()
                };
                c.kv.txn(both).await.map(|done| {
                    let revision = done.into_inner().header.unwrap().revision;
                    promised.put(key(90), n, revision);
                    promised.put(key(91), n, revision);
                    revision
                })
            }
            1 => {
                // Ids of its own, never used twice.
                let lease = i64::try_from(n).unwrap() * 100 + id as i64;
                match c.lease.lease_grant(LeaseGrantRequest { ttl: 10_000, id: lease }).await {
                    Err(status) => Err(status),
                    Ok(_) => {
                        promised.leases.push(lease);
                        let leased = PutRequest { lease, ..put(&format!("l{id}/{lease}"), "leased") };
                        c.kv.put(leased).await.map(|done| done.into_inner().header.unwrap().revision)
                    }
                }
            }
            2 if !promised.leases.is_empty() => {
                let lease = promised.leases.remove(0);
                let revoke = LeaseRevokeRequest { id: lease };
                c.lease.lease_revoke(revoke).await.map(|done| {
                    promised.revoked.push(lease);
                    done.into_inner().header.unwrap().revision
                })
            }
            3 if id == 0 => {
                let revision = progress.revision.load(SeqCst) - 100;
                if revision <= promised.compacted {
                    continue;
                }
                let physical = random.one_in(2);
                match c.kv.compact(CompactionRequest { revision, physical }).await {
                    Ok(done) => {
                        promised.compacted = revision;
                        Ok(done.into_inner().header.unwrap().revision)
                    }
                    Err(status) if status.code() == tonic::Code::OutOfRange => continue, // already, before the kill
                    Err(status) => Err(status),
                }
            }
            _ => {
                let key = key(random.below(10));
                c.kv.put(put(&key, &value(n))).await.map(|done| {
                    let revision = done.into_inner().header.unwrap().revision;
                    promised.put(key, n, revision);
                    revision
                })
            }
        };
        let Ok(revision) = outcome else { break };
        promised.revision = promised.revision.max(revision);
        progress.revision.fetch_max(revision, SeqCst);
        progress.acknowledged.fetch_add(1, SeqCst);
    }
    promised
}

fn number(value: &[u8]) -> u64 {
    text(value).split(' ').next().and_then(|n| n.parse().ok()).expect("a number first")
}

/// Everything promised holds.
async fn check(server: &Server, promised: &Promises) -> i64 {
    let mut c = server.grpc().await;
    let state = c.range(keyport_tests::grpc::all()).await;
    let revision = state.header.unwrap().revision;
    assert!(revision >= promised.revision, "revision {revision} after {} was acknowledged", promised.revision);
    let state: BTreeMap<String, _> = state.kvs.into_iter().map(|kv| (text(&kv.key), kv)).collect();
    for (key, (n, at)) in &promised.keys {
        let kv = state.get(key).unwrap_or_else(|| panic!("{key} is lost, of revision {at}"));
        assert!(kv.mod_revision >= *at && number(&kv.value) >= *n, "{key}: {kv:?}, promised {n} at {at}");
        assert!(kv.mod_revision != *at || number(&kv.value) == *n, "{key}: {kv:?} instead of {n}");
    }
    for writer in 0..16 {
        let [one, two] =
            [90, 91].map(|n| state.get(&format!("w{writer}/{n}")).map(|kv| (kv.mod_revision, kv.value.clone())));
        assert_eq!(one, two, "half a transaction");
    }
    let leases: Vec<i64> =
        c.lease.lease_leases(LeaseLeasesRequest {}).await.unwrap().into_inner().leases.iter().map(|l| l.id).collect();
    for lease in &promised.leases {
        assert!(leases.contains(lease), "lease {lease} is lost");
    }
    for lease in &promised.revoked {
        assert!(!leases.contains(lease), "lease {lease} is back");
    }
    for (key, kv) in &state {
        assert!(kv.lease == 0 || leases.contains(&kv.lease), "{key} outlives its lease");
    }
    if promised.compacted > 1 {
        let old = RangeRequest { revision: promised.compacted - 1, ..get("w0/0") };
        assert_eq!(
            c.kv.range(old).await.unwrap_err().code(),
            tonic::Code::OutOfRange,
            "{} is back",
            promised.compacted
        );
    }
    history(&mut c, promised, revision).await;
    revision
}

/// Watching from the compaction on shows every promised put, once, at its revision, and no revision twice or out of order.
async fn history(c: &mut Grpc, promised: &Promises, revision: i64) {
    let mut w = c.watch();
    // A compaction that was not acknowledged may have happened all the same.
    let mut from = promised.compacted.max(1);
    let mut seen = BTreeMap::new();
    let mut last = 0;
    w.create(WatchCreateRequest { start_revision: from, ..watch_all("") }).await;
    while last < revision {
        let message = w.next().await;
        if message.compact_revision > 0 {
            from = message.compact_revision;
            w.create(WatchCreateRequest { start_revision: from, ..watch_all("") }).await;
            continue;
        }
        for event in message.events {
            let kv = event.kv.unwrap();
            assert!(kv.mod_revision >= last, "{} after {last}", kv.mod_revision);
            last = kv.mod_revision;
            if event.r#type == 0 && kv.value != "leased" {
                seen.insert((kv.mod_revision, text(&kv.key)), number(&kv.value));
            }
        }
    }
    for (at, key, n) in promised.history.iter().filter(|(at, ..)| *at > from) {
        assert_eq!(seen.get(&(*at, key.clone())), Some(n), "{key} at {at}");
    }
}

async fn rounds(seed: u64, rounds: u64, args: &[&str]) {
    let mut random = Random::new(seed);
    let mut server = Server::builder().args(args.iter().copied()).start();
    let mut promised = Promises::default();
    for round in 0..rounds {
        let progress = Arc::new(Progress::default());
        progress.revision.store(promised.revision, SeqCst);
        let mut writers = Vec::new();
        for id in 0..16 {
            let c = server.grpc().await;
            writers.push(tokio::spawn(writer(
                c,
                id,
                seed * 1000 + round * 16 + id as u64,
                (round + 1) * 1_000_000,
                progress.clone(),
            )));
        }
        let enough = 1 + random.below(600) as u64;
        eventually("some writes", async || (progress.acknowledged.load(SeqCst) >= enough).then_some(())).await;
        server.kill();
        for writer in writers {
            promised.merge(within("the writer ends", writer).await.unwrap());
        }
        if random.one_in(4) {
            // It dies again while it comes up.
            server.start_and_kill();
        }
        server.restart();
        promised.revision = check(&server, &promised).await;
    }
    // A proper stop and a start change nothing.
    let mut c = server.grpc().await;
    let before = c.maintenance.hash_kv(HashKvRequest { revision: 0 }).await.unwrap().into_inner();
    server.stop();
    server.restart();
    let mut c = server.grpc().await;
    let after = c.maintenance.hash_kv(HashKvRequest { revision: 0 }).await.unwrap().into_inner();
    assert_eq!((before.hash, before.compact_revision), (after.hash, after.compact_revision));
    check(&server, &promised).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn again_and_again() {
    let seed = std::env::var("KEYPORT_TESTS_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    rounds(seed, 8, &[]).await;
}

/// Snapshots and WAL segments come and go meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_snapshots_all_the_time() {
    rounds(2, 6, &["--snapshot-count=50", "--backend-batch-interval=5ms", "--max-wals=2"]).await;
}

/// The backend is hardly ever written: all comes from the log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_log_alone() {
    rounds(3, 5, &["--backend-batch-interval=1h", "--backend-batch-limit=1000000"]).await;
}
