//! One closed-loop client: its operations, how it comes back after a failure, and its loop.

mod json;
mod rest;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::time::sleep;

use super::Kind::*;
use super::{Run, contains, key, rand};
use crate::entry::Entry;
use crate::fail::{Fail, rpc};
use crate::grpc::{Conn, Method, Stream};
use crate::http1::Http;
use crate::proto::*;
use crate::stats::Outcome;

pub(super) enum Link {
    Grpc(Rc<Conn>),
    Http(Box<Http>),
    /// A connection for each operation.
    None(Entry),
}

/// One closed-loop client. `known` holds the (version, mod_revision) of the keys that only this client's txns write.
pub(super) struct Client {
    run: Arc<Run>,
    link: Link,
    id: u64,
    rng: u64,
    known: [(i64, i64); 16],
    lease: i64,
    stream: Option<Stream>,
    granted: Vec<i64>,
    text: String,
    /// Whether the server has keys as resources, once it was asked.
    has_keys: Option<bool>,
}

impl Client {
    pub(super) fn new(run: Arc<Run>, link: Link, id: u64) -> Client {
        let rng = id ^ run.base.elapsed().as_nanos() as u64;
        Client {
            run,
            link,
            id,
            rng,
            known: [(0, 0); 16],
            lease: 0,
            stream: None,
            granted: vec![],
            text: String::new(),
            has_keys: None,
        }
    }

    fn conn(&self) -> &Rc<Conn> {
        match &self.link {
            Link::Grpc(c) => c,
            _ => unreachable!("gRPC workload on an HTTP link"),
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
    pub(super) async fn prepare(&mut self) -> Result<(), Fail> {
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
            RestPut => self.rest_put().await,
            RestGet => self.rest_get().await,
            TlsConnect => self.connect().await,
            LeasedKeys => self.leased_key().await,
            Watch | WatchMax | Restart | Rss | Disk | Failover | NewMember | WatchesHttps | Logins | Many(_) => {
                unreachable!("not a closed loop")
            }
        }
    }

    async fn put(&mut self) -> Result<u64, Fail> {
        let (key, value) = (self.any_key(), self.value());
        let r: HeaderOnly = self.conn().call(Method::Put, frame(&PutRequest { key, value, lease: 0 })).await?;
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
        let put = RequestOp { op: Some(Op::Put(PutRequest { key: key.clone(), value: self.value(), lease: 0 })) };
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
            let req = PutRequest { key: key(b'k', from, size), value: self.value(), lease: 0 };
            self.conn().call::<HeaderOnly>(Method::Put, frame(&req)).await?;
        } else {
            let success = (from..to)
                .map(|i| PutRequest { key: key(b'k', i, size), value: self.value(), lease: 0 })
                .map(|put| RequestOp { op: Some(Op::Put(put)) })
                .collect();
            self.conn().call::<HeaderOnly>(Method::Txn, frame(&TxnRequest { success, ..Default::default() })).await?;
        }
        Ok(to - from)
    }

    /// A lease, and a key that ends with it.
    async fn leased_key(&mut self) -> Result<u64, Fail> {
        let (at, s) = (self.run.next.fetch_add(1, Relaxed), &self.run.spec);
        if at >= s.keyspace {
            return Ok(0);
        }
        let left = s.leases_end.saturating_duration_since(Instant::now()).as_secs();
        let (ttl, key) = (left.max(1) as i64, key(b'l', at, s.key_size));
        let lease: LeaseGrantResponse = self.conn().call(Method::Grant, frame(&LeaseGrantRequest { ttl })).await?;
        let put = PutRequest { key, value: self.value(), lease: lease.id };
        self.conn().call::<HeaderOnly>(Method::Put, frame(&put)).await?;
        Ok(1)
    }

    /// A new connection, and one request that costs nothing beside it.
    async fn connect(&self) -> Result<u64, Fail> {
        let Link::None(entry) = &self.link else { unreachable!("a workload of connections on a connection") };
        let mut http = Http::open(entry.clone()).await?;
        let known = contains(http.get("/version").await?, b"etcdserver");
        http.close().await?;
        if known { Ok(1) } else { Err(rpc("no version")) }
    }

    async fn recover(&mut self, seen: u64) {
        sleep(Duration::from_millis(20)).await;
        let again = match &mut self.link {
            Link::Grpc(c) => c.reconnect(seen).await,
            Link::Http(h) => h.reconnect().await,
            Link::None(_) => Ok(()),
        };
        if again.is_ok() {
            let _ = self.prepare().await;
        }
    }

    pub(super) async fn closed_loop(mut self, start: Instant, until: Instant, out: Rc<RefCell<Outcome>>) {
        let mut t = Instant::now();
        while t < until {
            let seen = match &self.link {
                Link::Grpc(c) => c.generation(),
                Link::Http(_) | Link::None(_) => 0,
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
                        Fail::Rpc(_) | Fail::Token(_) => sleep(Duration::from_millis(1)).await,
                    }
                }
            }
            out.borrow_mut().elapsed = end - start;
            t = Instant::now();
        }
        out.borrow_mut().leases.append(&mut self.granted);
    }
}
