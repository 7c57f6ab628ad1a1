//! The workloads: closed loops of N clients over C connections, and the watch fan-out.

mod watch;

use std::cell::RefCell;
use std::fmt::Write;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::STANDARD as B64};
use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use prost::Message;
use serde::Deserialize;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::sleep;

use crate::grpc::{Conn, Fail, Method, Stream, rpc};
use crate::http1::Http;
use crate::proto::*;
use crate::stats::Outcome;

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Kind {
    Put,
    Range,
    RangeSerializable,
    List(u64),
    Txn,
    Mixed,
    Watch,
    WatchMax,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    JsonPut,
    JsonRange,
    JsonTxn,
    Load,
    Restart,
    Rss,
    Disk,
    Failover,
    NewMember,
}
use Kind::*;
use watch::{Fan, watchers, writers};

pub(crate) const NAMES: &str = "put, range, range-serializable, list (= list-1000, list-10000), txn, mixed, watch (= watch at --rate, watch-max), \
                         lease (= lease-grant, lease-keepalive, lease-revoke), json-put, json-range, json-txn, load, rss, disk, restart, new-member, failover, all (but failover, which takes three members)";

impl Kind {
    pub(crate) fn parse(s: &str) -> anyhow::Result<Vec<Kind>> {
        const ALL: &str = "put range range-serializable txn mixed watch lease json-put json-range json-txn load rss disk restart list new-member";
        Ok(match s {
            "all" => ALL.split(' ').map(Kind::parse).collect::<anyhow::Result<Vec<_>>>()?.concat(),
            "put" => vec![Put],
            "range" => vec![Range],
            "range-serializable" => vec![RangeSerializable],
            "list" => vec![List(1000), List(10000)],
            "txn" => vec![Txn],
            "mixed" => vec![Mixed],
            "watch" => vec![Watch, WatchMax],
            "watch-max" => vec![WatchMax],
            "lease" => vec![LeaseGrant, LeaseKeepAlive, LeaseRevoke],
            "lease-grant" => vec![LeaseGrant],
            "lease-keepalive" => vec![LeaseKeepAlive],
            "lease-revoke" => vec![LeaseRevoke],
            "json-put" => vec![JsonPut],
            "json-range" => vec![JsonRange],
            "json-txn" => vec![JsonTxn],
            "load" => vec![Load],
            "restart" => vec![Restart],
            "rss" => vec![Rss],
            "disk" => vec![Disk],
            "failover" => vec![Failover],
            "new-member" => vec![NewMember],
            _ => match s.strip_prefix("list-").and_then(|n| n.parse().ok()) {
                Some(n) => vec![List(n)],
                None => anyhow::bail!("unknown workload {s}; known: {NAMES}"),
            },
        })
    }

    pub(crate) fn name(self) -> String {
        match self {
            List(n) => format!("list-{n}"),
            RangeSerializable => "range-serializable".into(),
            WatchMax => "watch-max".into(),
            LeaseGrant => "lease-grant".into(),
            LeaseKeepAlive => "lease-keepalive".into(),
            LeaseRevoke => "lease-revoke".into(),
            JsonPut => "json-put".into(),
            JsonRange => "json-range".into(),
            JsonTxn => "json-txn".into(),
            NewMember => "new-member".into(),
            k => format!("{k:?}").to_lowercase(),
        }
    }

    /// Runs against a server filled with --keys keys (all in one group) rather than --keyspace keys.
    pub(crate) fn big(self) -> bool {
        matches!(self, List(_) | Load | Restart | Rss | Disk | NewMember)
    }
    /// Stops and starts members: nothing to do to servers of somebody else.
    pub(crate) fn stops_members(self) -> bool {
        matches!(self, Restart | Failover | NewMember)
    }
    /// Reads keys, so the keyspace is filled first.
    pub(crate) fn preload(self) -> bool {
        matches!(self, Range | RangeSerializable | Mixed | JsonRange)
    }
    pub(crate) fn json(self) -> bool {
        matches!(self, JsonPut | JsonRange | JsonTxn)
    }
}

#[derive(Clone)]
pub(crate) struct Spec {
    pub(crate) kind: Kind,
    pub(crate) targets: Vec<SocketAddr>,
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
}

/// What the threads of one run share.
struct Run {
    spec: Spec,
    pool: Bytes,
    next: AtomicU64,
    leases: Mutex<Vec<i64>>,
    base: Instant,
    barrier: Barrier,
}

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

enum Link {
    Grpc(Rc<Conn>),
    Http(Box<Http>),
}

/// One closed-loop client. `known` holds the (version, mod_revision) of the keys that only this client's txns write.
struct Client {
    run: Arc<Run>,
    link: Link,
    id: u64,
    rng: u64,
    known: [(i64, i64); 16],
    lease: i64,
    stream: Option<Stream>,
    granted: Vec<i64>,
    text: String,
}

#[derive(Deserialize)]
struct JsonTxnReply {
    #[serde(default)]
    responses: Vec<JsonOpReply>,
}
#[derive(Deserialize)]
struct JsonOpReply {
    response_range: Option<JsonRangeReply>,
}
#[derive(Deserialize)]
struct JsonRangeReply {
    #[serde(default)]
    kvs: Vec<JsonKv>,
}
#[derive(Deserialize)]
struct JsonKv {
    version: String,
    mod_revision: String,
}

impl Client {
    fn conn(&self) -> &Rc<Conn> {
        match &self.link {
            Link::Grpc(c) => c,
            Link::Http(_) => unreachable!("gRPC workload on an HTTP link"),
        }
    }

    fn any_key(&mut self) -> Bytes {
        let i = rand(&mut self.rng) % self.run.spec.keyspace;
        key(b'k', i, self.run.spec.key_size)
    }

    fn value(&mut self) -> Bytes {
        let n = self.run.spec.value_size;
        let at = rand(&mut self.rng) as usize % (self.run.pool.len() - n);
        self.run.pool.slice(at..at + n)
    }

    /// What an op needs beyond a connection: the keep-alive stream and its lease.
    async fn prepare(&mut self) -> Result<(), Fail> {
        if self.run.spec.kind == LeaseKeepAlive {
            if self.lease == 0 {
                let g: LeaseGrantResponse =
                    self.conn().call(Method::Grant, frame(&LeaseGrantRequest { ttl: 600 })).await?;
                self.lease = g.id;
                self.granted.push(g.id);
            }
            self.stream = Some(self.conn().stream(Method::KeepAlive).await?);
        }
        Ok(())
    }

    /// One operation; the number of ops it counts for, 0 when the work is used up.
    async fn op(&mut self) -> Result<u64, Fail> {
        match self.run.spec.kind {
            Put => self.put().await,
            Range => self.range(false).await,
            RangeSerializable => self.range(true).await,
            Mixed if rand(&mut self.rng).is_multiple_of(5) => self.put().await,
            Mixed => self.range(false).await,
            List(n) => self.list(n).await,
            Txn => self.txn().await,
            Load => self.load().await,
            LeaseGrant => {
                let g: LeaseGrantResponse =
                    self.conn().call(Method::Grant, frame(&LeaseGrantRequest { ttl: 600 })).await?;
                self.granted.push(g.id);
                Ok(1)
            }
            LeaseRevoke => {
                let Some(id) = self.run.leases.lock().pop() else { return Ok(0) };
                self.conn().call::<HeaderOnly>(Method::Revoke, frame(&LeaseId { id })).await?;
                Ok(1)
            }
            LeaseKeepAlive => {
                let id = self.lease;
                let s = self.stream.as_mut().ok_or(Fail::Net("no stream".into()))?;
                s.send(&LeaseId { id })?;
                let r: KeepAliveResponse = s.recv().await?;
                if r.id == id && r.ttl > 0 { Ok(1) } else { Err(rpc("keep-alive of a live lease failed")) }
            }
            JsonPut => self.json_put().await,
            JsonRange => self.json_range().await,
            JsonTxn => self.json_txn().await,
            Watch | WatchMax | Restart | Rss | Disk | Failover | NewMember => unreachable!("not a closed loop"),
        }
    }

    async fn put(&mut self) -> Result<u64, Fail> {
        let (key, value) = (self.any_key(), self.value());
        let r: HeaderOnly = self.conn().call(Method::Put, frame(&PutRequest { key, value })).await?;
        if r.header.is_some_and(|h| h.revision > 0) { Ok(1) } else { Err(rpc("put answered no revision")) }
    }

    async fn range(&mut self, serializable: bool) -> Result<u64, Fail> {
        let req = RangeRequest { key: self.any_key(), serializable, ..Default::default() };
        let r: RangeCount = self.conn().call(Method::Range, frame(&req)).await?;
        if r.count == 1 { Ok(1) } else { Err(rpc(format!("range found {} keys, not 1", r.count))) }
    }

    async fn list(&mut self, n: u64) -> Result<u64, Fail> {
        let s = &self.run.spec;
        let from = rand(&mut self.rng) % (s.keyspace - n + 1);
        let (key, range_end) = (key(b'k', from, s.key_size), key(b'k', from + n, s.key_size));
        let r: RangeCount =
            self.conn().call(Method::Range, frame(&RangeRequest { key, range_end, ..Default::default() })).await?;
        if r.count == n as i64 { Ok(1) } else { Err(rpc(format!("list found {} keys, not {n}", r.count))) }
    }

    /// Compare version and mod_revision with what was last seen; if equal put and get, else get.
    async fn txn(&mut self) -> Result<u64, Fail> {
        let slot = rand(&mut self.rng) as usize % self.known.len();
        let key = key(b't', self.id * 16 + slot as u64, self.run.spec.key_size);
        let (version, revision) = self.known[slot];
        let get = RequestOp { op: Some(Op::Range(RangeRequest { key: key.clone(), ..Default::default() })) };
        let put = RequestOp { op: Some(Op::Put(PutRequest { key: key.clone(), value: self.value() })) };
        let req = TxnRequest {
            compare: vec![
                Compare { result: 0, target: 0, key: key.clone(), target_union: Some(Target::Version(version)) },
                Compare { result: 0, target: 2, key, target_union: Some(Target::Mod(revision)) },
            ],
            success: vec![put, get.clone()],
            failure: vec![get],
        };
        let r: TxnResponse = self.conn().call(Method::Txn, frame(&req)).await?;
        let kv = r
            .responses
            .last()
            .and_then(|o| o.range.as_ref())
            .and_then(|r| r.kvs.first())
            .ok_or(rpc("txn got no key"))?;
        if r.succeeded && kv.version != version + 1 {
            return Err(rpc("txn read a version it did not write"));
        }
        self.known[slot] = (kv.version, kv.mod_revision);
        Ok(1)
    }

    async fn load(&mut self) -> Result<u64, Fail> {
        let (batch, total, size) = (self.run.spec.load_batch, self.run.spec.keyspace, self.run.spec.key_size);
        let from = self.run.next.fetch_add(batch, Relaxed);
        let to = (from + batch).min(total);
        if from >= to {
            return Ok(0);
        }
        if batch == 1 {
            let req = PutRequest { key: key(b'k', from, size), value: self.value() };
            self.conn().call::<HeaderOnly>(Method::Put, frame(&req)).await?;
        } else {
            let success = (from..to)
                .map(|i| RequestOp { op: Some(Op::Put(PutRequest { key: key(b'k', i, size), value: self.value() })) })
                .collect();
            self.conn().call::<HeaderOnly>(Method::Txn, frame(&TxnRequest { success, ..Default::default() })).await?;
        }
        Ok(to - from)
    }

    async fn post(&mut self, path: &str) -> Result<&[u8], Fail> {
        match &mut self.link {
            Link::Http(h) => h.post(path, self.text.as_bytes()).await,
            Link::Grpc(_) => unreachable!("JSON workload on a gRPC link"),
        }
    }

    async fn json_put(&mut self) -> Result<u64, Fail> {
        let (k, v) = (B64.encode(self.any_key()), B64.encode(self.value()));
        self.text.clear();
        let _ = write!(self.text, r#"{{"key":"{k}","value":"{v}"}}"#);
        if contains(self.post("/v3/kv/put").await?, b"\"revision\"") {
            Ok(1)
        } else {
            Err(rpc("put answered no revision"))
        }
    }

    async fn json_range(&mut self) -> Result<u64, Fail> {
        let k = B64.encode(self.any_key());
        self.text.clear();
        let _ = write!(self.text, r#"{{"key":"{k}"}}"#);
        if contains(self.post("/v3/kv/range").await?, k.as_bytes()) {
            Ok(1)
        } else {
            Err(rpc("range did not find the key"))
        }
    }

    async fn json_txn(&mut self) -> Result<u64, Fail> {
        let slot = rand(&mut self.rng) as usize % self.known.len();
        let k = B64.encode(key(b'j', self.id * 16 + slot as u64, self.run.spec.key_size));
        let v = B64.encode(self.value());
        let (version, revision) = self.known[slot];
        self.text.clear();
        let _ = write!(
            self.text,
            r#"{{"compare":[{{"key":"{k}","target":"VERSION","version":"{version}"}},{{"key":"{k}","target":"MOD","mod_revision":"{revision}"}}],"success":[{{"request_put":{{"key":"{k}","value":"{v}"}}}},{{"request_range":{{"key":"{k}"}}}}],"failure":[{{"request_range":{{"key":"{k}"}}}}]}}"#
        );
        let reply: JsonTxnReply = serde_json::from_slice(self.post("/v3/kv/txn").await?).map_err(rpc)?;
        let kv = reply.responses.last().and_then(|o| o.response_range.as_ref()).and_then(|r| r.kvs.first());
        let kv = kv.ok_or(rpc("txn got no key"))?;
        self.known[slot] = (kv.version.parse().map_err(rpc)?, kv.mod_revision.parse().map_err(rpc)?);
        Ok(1)
    }

    async fn recover(&mut self, seen: u64) {
        sleep(Duration::from_millis(20)).await;
        let again = match &mut self.link {
            Link::Grpc(c) => c.reconnect(seen).await,
            Link::Http(h) => h.reconnect().await,
        };
        if again.is_ok() {
            let _ = self.prepare().await;
        }
    }

    async fn closed_loop(mut self, start: Instant, until: Instant, out: Rc<RefCell<Outcome>>) {
        let mut t = Instant::now();
        while t < until {
            let seen = match &self.link {
                Link::Grpc(c) => c.generation(),
                Link::Http(_) => 0,
            };
            let r = self.op().await;
            let end = Instant::now();
            match r {
                Ok(0) => break,
                Ok(n) => out.borrow_mut().ok(n, (end - t).as_nanos() as u64),
                Err(e) => {
                    out.borrow_mut().error(&e);
                    match e {
                        Fail::Net(_) => self.recover(seen).await,
                        Fail::Rpc(_) => sleep(Duration::from_millis(1)).await,
                    }
                }
            }
            out.borrow_mut().elapsed = end - start;
            t = Instant::now();
        }
        out.borrow_mut().leases.append(&mut self.granted);
    }
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

fn on_thread<F: std::future::Future<Output = Outcome>>(f: F) -> Outcome {
    let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be built");
    LocalSet::new().block_on(&rt, f)
}

/// Runs one workload; `started` is called when all connections stand and the clock starts.
pub(crate) fn drive(spec: Spec, leases: Vec<i64>, started: impl FnOnce()) -> Outcome {
    let watch = matches!(spec.kind, Watch | WatchMax);
    let threads = if watch { 2 } else { spec.threads.clamp(1, spec.clients) };
    let mut rng = 42;
    let pool: Vec<u8> = (0..1 << 17).flat_map(|_| rand(&mut rng).to_le_bytes()).collect();
    let run = Arc::new(Run {
        pool: pool.into(),
        next: AtomicU64::new(0),
        leases: Mutex::new(leases),
        base: Instant::now(),
        barrier: Barrier::new(threads + 1),
        spec,
    });
    let fan = Arc::new(Fan::default());
    let handles: Vec<_> = (0..threads)
        .map(|t| {
            let (run, fan) = (run.clone(), fan.clone());
            std::thread::spawn(move || match (watch, t) {
                (false, _) => on_thread(clients(run, t, threads)),
                (true, 0) => on_thread(watchers(run, fan)),
                (true, _) => on_thread(writers(run, fan)),
            })
        })
        .collect();
    run.barrier.wait(); // everyone is connected
    started();
    run.barrier.wait(); // go
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
                Link::Http(Box::new(Http::open(addr).await?))
            } else {
                if conns.len() < share {
                    conns.push(Conn::open(addr).await?);
                }
                Link::Grpc(conns[n % share].clone())
            };
            let rng = id as u64 ^ run.base.elapsed().as_nanos() as u64;
            let id = id as u64;
            let mut c = Client {
                run: run.clone(),
                link,
                id,
                rng,
                known: [(0, 0); 16],
                lease: 0,
                stream: None,
                granted: vec![],
                text: String::new(),
            };
            c.prepare().await?;
            clients.push(c);
        }
        Ok::<_, Fail>(clients)
    };
    let clients = within(60, setup).await;
    run.barrier.wait();
    run.barrier.wait();
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
