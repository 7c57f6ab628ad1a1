//! One client of a history: asks for one thing after the other, and notes when it did and what it was told.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use keyport_raft::sim::history::OperationId;
use keyport_raft::sim::history::kv::{Answer, Guard, Keys, Outcome, Request, Txn};
use parking_lot::Mutex;
use tokio::time::timeout;

use super::calls::{Call, Lease};
use super::faces::{Face, Failure, Wire};
use super::holding::Holding;
use super::{DEADLINE, Endpoints, PREFIX, Record, everything};
use crate::grpc::Grpc;
use crate::random::Random;

const KEYS: usize = 8;
/// What the names of leases begin with.
const LEASED: &str = "w/lease";
/// Between two requests of a client: the machine has other work too.
const PACE: Duration = Duration::from_millis(8);
/// Before a client asks again after a failure.
const PAUSE: Duration = Duration::from_millis(100);
/// How many leases, revoked ones among them, clients ask each other's servers about.
const LEASES: usize = 6;

/// Leases that had keys lately, anybody's.
pub(super) type Leases = Arc<Mutex<VecDeque<Lease>>>;

pub(super) struct Client {
    pub(super) id: u64,
    pub(super) json: bool,
    pub(super) is_etcd: bool,
    pub(super) member: usize,
    pub(super) endpoints: Endpoints,
    pub(super) record: Record,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) acknowledged: Arc<AtomicU64>,
    pub(super) leases: Leases,
    pub(super) random: Random,
    /// Pairs seen lately, to compare with.
    pub(super) known: Vec<(String, String, u64)>,
    pub(super) holding: Holding,
}

impl Client {
    pub(super) async fn run(mut self) {
        let mut addr = self.endpoints.of(self.member);
        let mut face = self.face(addr);
        let mut n = 0;
        while !self.stop.load(SeqCst) {
            n += 1;
            let call = self.next(n);
            let id = self.record.lock().begin(self.id, call.txn());
            let outcome = timeout(DEADLINE, call.execute(&face, self.is_etcd)).await;
            let pause = match outcome {
                Ok(Ok((answer, learnt))) => {
                    self.learn(&answer);
                    self.record.lock().answer(id, answer);
                    self.acknowledged.fetch_add(1, SeqCst);
                    let name = || format!("{LEASED}{}-{n}", self.id);
                    self.holding = std::mem::take(&mut self.holding).after(&call, &learnt, name);
                    self.show();
                    PACE
                }
                Ok(Err(failure)) => {
                    self.failed(id, &call, &failure);
                    PAUSE
                }
                Err(_) => {
                    self.failed(id, &call, &Failure::Unknown("no answer".into()));
                    PACE
                }
            };
            let now = self.endpoints.of(self.member);
            if now != addr {
                (addr, face) = (now, self.face(now));
            }
            tokio::time::sleep(pause).await;
        }
    }

    fn face(&self, addr: SocketAddr) -> Face {
        match self.json {
            true => Face::Json(Box::new(Wire::new(addr))),
            false => Face::Grpc(Box::new(Grpc::lazy(addr))),
        }
    }

    fn failed(&mut self, id: OperationId, call: &Call, failure: &Failure) {
        let mut record = self.record.lock();
        if call.txn().is_read() || *failure == Failure::NotSent {
            record.refuse(id);
            return;
        }
        if let Some(aftermath) = call.aftermath() {
            record.begin(self.id, aftermath);
        }
        // Nobody knows what the lease has now.
        if !matches!(call, Call::Keys(_)) {
            self.holding = Holding::Nothing;
        }
    }

    /// Lets the others know of a lease that has keys.
    fn show(&self) {
        let Some((lease, _)) = self.holding.keys() else { return };
        let mut leases = self.leases.lock();
        if leases.iter().all(|known| known.name != lease.name) {
            leases.push_back(lease.clone());
            let old = leases.len().saturating_sub(LEASES);
            leases.drain(..old);
        }
    }

    fn learn(&mut self, answer: &Answer) {
        for outcome in &answer.results {
            if let Outcome::Range(pairs) = outcome {
                // What is under a lease stays there until that is revoked.
                let shared = pairs.iter().filter(|(key, _)| !key.starts_with(LEASED));
                self.known.extend(shared.map(|(key, pair)| (key.clone(), pair.value.clone(), pair.mod_revision)));
            }
        }
        let old = self.known.len().saturating_sub(KEYS);
        self.known.drain(..old);
    }

    fn next(&mut self, n: u64) -> Call {
        match self.random.below(12) {
            0 | 1 => self.holding.next(&mut self.random, &format!("{}-{n}", self.id)),
            2 => {
                let known: Vec<Lease> = self.leases.lock().iter().cloned().collect();
                let pick = self.random.below(known.len().max(1));
                let one = known.into_iter().nth(pick);
                one.map_or_else(|| Call::Keys(self.next_txn(n)), Call::TimeToLive)
            }
            _ => Call::Keys(self.next_txn(n)),
        }
    }

    fn next_txn(&mut self, n: u64) -> Txn {
        let key = format!("{PREFIX}{}", self.random.below(KEYS));
        let value = format!("{}-{n}", self.id);
        let one = |key: &str| Request::Range(Keys::one(key));
        match self.random.below(20) {
            0..6 => Txn::put(&key, &value),
            6..8 => Txn::delete(&key),
            8..13 => Txn::get(&key),
            13..15 => Txn::of(vec![Request::Range(everything())]),
            15..17 => {
                // Two keys at one revision, and a look at a third in the middle.
                let other = format!("{PREFIX}{}", KEYS + self.random.below(2));
                let look = format!("{PREFIX}{}", self.random.below(KEYS));
                Txn::of(vec![Request::Put(key, value.clone()), one(&look), Request::Put(other, value)])
            }
            _ => {
                let pick = self.random.below(self.known.len().max(1));
                let (key, guard) = match self.known.get(pick) {
                    Some((key, old, _)) if n.is_multiple_of(2) => (key.clone(), Guard::Value(key.clone(), old.clone())),
                    Some((key, _, at)) => (key.clone(), Guard::ModRevision(key.clone(), *at)),
                    None => (key.clone(), Guard::Version(key, 0)),
                };
                let otherwise = vec![one(&key)];
                Txn { guards: vec![guard], then: vec![Request::Put(key, value)], otherwise }
            }
        }
    }
}
