//! Random requests from a seed: few keys and revisions, so that they meet; every option, so that all are tried.

mod users;

use bytes::Bytes;
use keyport_api::etcdserverpb::compare::TargetUnion;
use keyport_api::etcdserverpb::{
    CompactionRequest, Compare, DeleteRangeRequest, LeaseGrantRequest, LeaseRevokeRequest, LeaseTimeToLiveRequest,
    PutRequest, RangeRequest, RequestOp, TxnRequest, WatchCreateRequest,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::grpc::{IntoOp, prefix_end};
pub use users::{AuthOp, ROLES, RandomUsers, USERS};

/// One request of a random history.
#[derive(Clone, Debug)]
pub enum Op {
    /// KV
    Range(RangeRequest),
    /// KV
    Put(PutRequest),
    /// KV
    Delete(DeleteRangeRequest),
    /// KV
    Txn(TxnRequest),
    /// KV
    Compact(CompactionRequest),
    /// Lease, always with an id, so that two servers use the same
    Grant(LeaseGrantRequest),
    /// Lease
    Revoke(LeaseRevokeRequest),
    /// Lease
    TimeToLive(LeaseTimeToLiveRequest),
    /// Lease
    Leases,
    /// Watch: a new watcher on a stream of its own
    Watch(WatchCreateRequest),
    /// Maintenance: HashKV at a revision
    Hash(i64),
}

/// The generator.
#[derive(Debug)]
pub struct Random {
    rng: StdRng,
    /// The current revision, to choose revisions around it; kept by the caller.
    pub revision: i64,
    /// The compacted revision.
    pub compacted: i64,
    /// Whether enumerations may have numbers that no release knows.
    pub odd_numbers: bool,
    /// Whether no range ends before it begins.
    pub straight: bool,
}

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Random {
        Random { rng: StdRng::seed_from_u64(seed), revision: 1, compacted: -1, odd_numbers: true, straight: false }
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        self.rng.random_range(0..n)
    }

    /// True in about one of `n` cases.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// Some key.
    pub fn key(&mut self) -> Bytes {
        let stem = self.pick(b"abcd");
        let tail: &[u8] = self.pick(&[b"", b"/", b"/1", b"/2", b"\xff", b"\0"]);
        [&[stem], tail].concat().into()
    }

    fn key_or_none(&mut self) -> Bytes {
        if self.one_in(60) { Bytes::new() } else { self.key() }
    }

    fn end(&mut self, key: &[u8]) -> Bytes {
        let end = self.any_end(key);
        let is_before = !end.is_empty() && end != b"\0"[..] && end <= *key;
        if is_before && self.straight { prefix_end(key) } else { end }
    }

    fn any_end(&mut self, key: &[u8]) -> Bytes {
        match self.below(10) {
            0..4 => Bytes::new(),
            4..6 => prefix_end(key),
            6..9 => self.key(),
            _ => Bytes::from_static(b"\0"),
        }
    }

    fn value(&mut self) -> Bytes {
        // The longest do not stay in memory, where there is no room for values.
        let len = self.pick(&[0, 1, 2, 8, 200]);
        (0..len).map(|_| self.rng.random_range(b'a'..=b'd')).collect::<Vec<u8>>().into()
    }

    fn lease(&mut self) -> i64 {
        if self.one_in(3) { self.rng.random_range(-3..8) } else { 0 }
    }

    fn some_revision(&mut self) -> i64 {
        let least = self.compacted.max(0) - 2;
        self.rng.random_range(least..=self.revision + 1)
    }

    /// A range with any options.
    pub fn range(&mut self) -> RangeRequest {
        let key = self.key_or_none();
        let mut request = RangeRequest { range_end: self.end(&key), key, ..RangeRequest::default() };
        request.serializable = self.one_in(3);
        if self.one_in(2) {
            request.revision = self.some_revision();
        }
        if self.one_in(2) {
            request.limit = self.rng.random_range(-1..8);
        }
        if self.one_in(2) {
            request.sort_order = self.rng.random_range(0..3);
            request.sort_target = self.rng.random_range(0..5);
        }
        if self.odd_numbers && self.one_in(40) {
            request.sort_order = self.pick(&[-1, 3, 99]);
        }
        request.keys_only = self.one_in(6);
        request.count_only = self.one_in(8);
        for _ in 0..self.pick(&[0, 0, 0, 1, 2]) {
            let bound = self.some_revision();
            match self.below(4) {
                0 => request.min_mod_revision = bound,
                1 => request.max_mod_revision = bound,
                2 => request.min_create_revision = bound,
                _ => request.max_create_revision = bound,
            }
        }
        request
    }

    /// A put with any options.
    pub fn put(&mut self) -> PutRequest {
        let mut request =
            PutRequest { key: self.key_or_none(), value: self.value(), lease: self.lease(), ..PutRequest::default() };
        request.prev_kv = self.one_in(4);
        if self.one_in(8) {
            request.ignore_value = true;
            if !self.one_in(4) {
                request.value = Bytes::new();
            }
        }
        if self.one_in(8) {
            request.ignore_lease = true;
            if !self.one_in(4) {
                request.lease = 0;
            }
        }
        request
    }

    /// A deletion.
    pub fn delete(&mut self) -> DeleteRangeRequest {
        let key = self.key_or_none();
        // Deletions of very much would leave nothing to look at.
        let range_end = if self.one_in(3) { self.end(&key) } else { Bytes::new() };
        DeleteRangeRequest { range_end, key, prev_kv: self.one_in(2) }
    }

    fn compare(&mut self) -> Compare {
        let key = self.key_or_none();
        let near = self.rng.random_range(0..4);
        let revision = self.some_revision();
        let union = match self.below(6) {
            0 => Some(TargetUnion::Version(near)),
            1 => Some(TargetUnion::CreateRevision(revision)),
            2 => Some(TargetUnion::ModRevision(revision)),
            3 => Some(TargetUnion::Value(self.value())),
            4 => Some(TargetUnion::Lease(self.lease())),
            _ => None,
        };
        let fitting = match &union {
            Some(TargetUnion::Version(_)) | None => 0,
            Some(TargetUnion::CreateRevision(_)) => 1,
            Some(TargetUnion::ModRevision(_)) => 2,
            Some(TargetUnion::Value(_)) => 3,
            Some(TargetUnion::Lease(_)) => 4,
        };
        let target = if self.one_in(10) { self.rng.random_range(0..5) } else { fitting };
        let range_end = if self.one_in(4) { self.end(&key) } else { Bytes::new() };
        Compare { result: self.rng.random_range(0..4), target, key, range_end, target_union: union }
    }

    fn branch(&mut self, depth: usize, open_ends: bool) -> Vec<RequestOp> {
        (0..self.pick(&[0, 1, 1, 2, 2, 3, 4]))
            .map(|_| match self.below(12) {
                0..5 if open_ends => PutRequest { ignore_value: false, ignore_lease: false, ..self.put() }.op(),
                0..5 => self.put().op(),
                5..8 => self.range().op(),
                8..10 => {
                    let mut delete = self.delete();
                    if !open_ends && delete.range_end == b"\0"[..] {
                        delete.range_end = Bytes::new();
                    }
                    delete.op()
                }
                10 if depth > 0 => self.nested(depth - 1, open_ends).op(),
                11 if self.one_in(10) => RequestOp { request: None },
                _ => self.range().op(),
            })
            .collect()
    }

    /// A transaction, nested at most `depth` times.
    ///
    /// It has either open-ended deletions or puts that keep the old value, never both: such a deletion is not seen to
    /// overlap with such a put, which then finds nothing to keep, and etcd ends with a panic.
    pub fn txn(&mut self, depth: usize) -> TxnRequest {
        let open_ends = self.one_in(2);
        self.nested(depth, open_ends)
    }

    fn nested(&mut self, depth: usize, open_ends: bool) -> TxnRequest {
        let compare = (0..self.pick(&[0, 0, 1, 1, 2])).map(|_| self.compare()).collect();
        TxnRequest { compare, success: self.branch(depth, open_ends), failure: self.branch(depth, open_ends) }
    }

    /// A watcher with any options.
    pub fn watch(&mut self) -> WatchCreateRequest {
        let key = self.key();
        let mut request = WatchCreateRequest { range_end: self.end(&key), key, ..WatchCreateRequest::default() };
        if self.one_in(2) {
            request.start_revision = self.rng.random_range(self.compacted.max(1)..=self.revision + 2);
        }
        if self.one_in(8) {
            request.start_revision = self.rng.random_range(1..=self.revision + 2);
        }
        request.prev_kv = self.one_in(2);
        if self.one_in(4) {
            request.filters.push(self.rng.random_range(0..2));
        }
        request.fragment = self.one_in(6);
        request
    }

    /// The next request.
    pub fn op(&mut self) -> Op {
        match self.below(100) {
            0..26 => Op::Put(self.put()),
            26..36 => Op::Delete(self.delete()),
            36..60 => Op::Txn(self.txn(2)),
            60..82 => Op::Range(self.range()),
            82..87 => Op::Grant(LeaseGrantRequest { id: self.pick(&[-3, -2, -1, 1, 2, 3, 4, 5, 6, 7]), ttl: 100_000 }),
            87..89 => Op::Revoke(LeaseRevokeRequest { id: self.rng.random_range(-3..8) }),
            89..91 => Op::TimeToLive(LeaseTimeToLiveRequest { id: self.rng.random_range(-3..8), keys: self.one_in(2) }),
            91 => Op::Leases,
            92..94 => {
                // Hashes of compacted revisions are kept once the removal is done: so wait for it.
                Op::Compact(CompactionRequest { revision: self.some_revision(), physical: true })
            }
            94..96 => Op::Hash(self.rng.random_range(-1..=self.revision + 1)),
            _ => Op::Watch(self.watch()),
        }
    }
}
