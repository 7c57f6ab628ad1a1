//! The workloads: closed loops of N clients over C connections, and the watch fan-out.

mod beside;
mod client;
mod kind;
mod watch;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::STANDARD as B64};
use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use prost::Message;
use tokio::sync::Barrier;
use tokio::task::spawn_local;

use crate::entry::Access;
use crate::fail::{Fail, rpc};
use crate::grpc::Conn;
use crate::http1::Http;
use crate::local::block_on;
use crate::proto::*;
use crate::stats::Outcome;
use Kind::*;
pub(crate) use beside::Beside;
use client::{Client, Link};
pub(crate) use kind::{Crowd, Kind, NAMES};
use watch::{Fan, watchers, writers};

#[derive(Clone)]
pub(crate) struct Spec {
    pub(crate) kind: Kind,
    pub(crate) targets: Vec<SocketAddr>,
    pub(crate) access: Access,
    pub(crate) clients: usize,
    pub(crate) conns: usize,
    pub(crate) threads: usize,
    pub(crate) seconds: f64,
    pub(crate) key_size: usize,
    pub(crate) value_size: usize,
    pub(crate) keyspace: u64,
    pub(crate) load_batch: u64,
    pub(crate) watchers: usize,
    pub(crate) streams: usize,
    pub(crate) rate: f64,
    pub(crate) writers: usize,
    /// When the leases of a crowd expire, all of them.
    pub(crate) leases_end: Instant,
    /// What others do meanwhile, which is not measured.
    pub(crate) beside: Option<Beside>,
}

/// What the threads of one run share.
struct Run {
    spec: Spec,
    pool: Bytes,
    next: AtomicU64,
    leases: Mutex<Vec<i64>>,
    base: Instant,
    /// Asynchronous: connections have to answer while those of others are opened.
    barrier: Barrier,
}

/// What the keys of all workloads begin with: those of [`key`], and the one that `failover` puts.
pub(crate) const PREFIXES: [u8; 6] = [b'k', b't', b'j', b'w', b'f', b'l'];

/// The key of index `i`: one prefix byte and zero-padded decimals, so that ranges of indexes are ranges of keys.
pub(crate) fn key(prefix: u8, i: u64, size: usize) -> Bytes {
    let mut b = BytesMut::zeroed(size.max(10));
    b[0] = prefix;
    let mut i = i;
    for c in b[1..].iter_mut().rev() {
        *c = b'0' + (i % 10) as u8;
        i /= 10;
    }
    b.freeze()
}

pub(crate) fn rand(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e3779b97f4a7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d049bb133111eb);
    z ^ (z >> 31)
}

fn contains(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|w| w == needle)
}

/// Waits for a list of local tasks, at most until `limit`.
async fn join_all(tasks: Vec<tokio::task::JoinHandle<()>>, limit: Instant) -> bool {
    let all = async {
        for t in tasks {
            let _ = t.await;
        }
    };
    tokio::time::timeout_at(limit.into(), all).await.is_ok()
}

async fn within<T>(secs: u64, f: impl std::future::Future<Output = Result<T, Fail>>) -> Result<T, Fail> {
    tokio::time::timeout(Duration::from_secs(secs), f).await.unwrap_or(Err(rpc("setup timed out")))
}

/// What a thread does.
enum Job {
    Clients { number: usize, of: usize },
    Watchers,
    Writers,
    Beside(Beside),
}

fn jobs(spec: &Spec) -> Vec<Job> {
    let of = spec.threads.clamp(1, spec.clients);
    let mut jobs: Vec<Job> = match spec.kind {
        Watch | WatchMax => vec![Job::Watchers, Job::Writers],
        _ => (0..of).map(|number| Job::Clients { number, of }).collect(),
    };
    jobs.extend(spec.beside.clone().map(Job::Beside));
    jobs
}

/// Runs one workload; `started` is called when all connections stand and the clock starts.
pub(crate) fn drive(spec: Spec, leases: Vec<i64>, started: impl FnOnce()) -> Outcome {
    let jobs = jobs(&spec);
    let mut rng = 42;
    let pool: Vec<u8> = (0..1 << 18).flat_map(|_| rand(&mut rng).to_le_bytes()).collect();
    let run = Arc::new(Run {
        pool: pool.into(),
        next: AtomicU64::new(0),
        leases: Mutex::new(leases),
        base: Instant::now(),
        barrier: Barrier::new(jobs.len() + 1),
        spec,
    });
    let fan = Arc::new(Fan::default());
    let handles: Vec<_> = jobs
        .into_iter()
        .map(|job| {
            let (run, fan) = (run.clone(), fan.clone());
            std::thread::spawn(move || match job {
                Job::Clients { number, of } => block_on(clients(run, number, of)),
                Job::Watchers => block_on(watchers(run, fan)),
                Job::Writers => block_on(writers(run, fan)),
                Job::Beside(what) => block_on(beside::go_on(run, what)),
            })
        })
        .collect();
    block_on(async {
        run.barrier.wait().await; // everyone is connected
        started();
        run.barrier.wait().await; // go
    });
    let mut out = Outcome::default();
    for h in handles {
        match h.join() {
            Ok(o) => out.merge(o),
            Err(_) => out.error("a client thread panicked"),
        }
    }
    if run.spec.kind == LeaseRevoke {
        out.leases.append(&mut run.leases.lock()); // those not yet revoked
    }
    out
}

/// One thread's share of the closed-loop clients.
async fn clients(run: Arc<Run>, t: usize, threads: usize) -> Outcome {
    let (s, out) = (&run.spec, Rc::new(RefCell::new(Outcome::default())));
    let mine: Vec<usize> = (0..s.clients).filter(|i| i % threads == t).collect();
    let share = mine.len().min(s.conns.div_ceil(threads)).max(1);
    let setup = async {
        let mut conns = vec![];
        let mut clients = vec![];
        for (n, id) in mine.into_iter().enumerate() {
            let addr = s.targets[(t + n * threads) % s.targets.len()];
            let link = if s.kind.json() {
                Link::Http(Box::new(Http::open(s.access.entry(addr, id)).await?))
            } else if s.kind == TlsConnect {
                Link::None(s.access.entry(addr, id))
            } else {
                if conns.len() < share {
                    conns.push(Conn::open(s.access.entry(addr, id)).await?);
                }
                Link::Grpc(conns[n % share].clone())
            };
            let mut c = Client::new(run.clone(), link, id as u64);
            c.prepare().await?;
            clients.push(c);
        }
        Ok::<_, Fail>(clients)
    };
    let clients = within(60, setup).await;
    run.barrier.wait().await;
    run.barrier.wait().await;
    match clients {
        Err(e) => out.borrow_mut().error(format!("connecting: {e}")),
        Ok(clients) => {
            let start = Instant::now();
            let until = start + Duration::from_secs_f64(s.seconds);
            let tasks = clients.into_iter().map(|c| spawn_local(c.closed_loop(start, until, out.clone()))).collect();
            if !join_all(tasks, until + Duration::from_secs(60)).await {
                out.borrow_mut().error("requests unanswered 60 s after the end");
            }
        }
    }
    out.take()
}

/// A framed RangeResponse like etcd's for one key, for the hello server.
pub(crate) fn sample_range(key_size: usize, value_size: usize) -> (Bytes, String) {
    let (k, v) = (key(b'k', 0, key_size), Bytes::from(vec![b'v'; value_size]));
    let json = format!(
        r#"{{"header":{{"cluster_id":"14841639068965178418","member_id":"10276657743932975437","revision":"10001","raft_term":"2"}},"kvs":[{{"key":"{}","create_revision":"2","mod_revision":"2","version":"1","value":"{}"}}],"count":"1"}}"#,
        B64.encode(&k),
        B64.encode(&v)
    );
    let header = Some(Header { member_id: 10276657743932975437, revision: 10001, raft_term: 2 });
    let kvs = vec![KeyValue { key: k, mod_revision: 2, version: 1, value: v }];
    let r = RangeResponse { header, kvs, count: 1 };
    debug_assert!(r.encoded_len() > value_size);
    (frame(&r), json)
}
