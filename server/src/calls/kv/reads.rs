//! Reads of the store: on the event loop if they are small, aside otherwise.

use std::cell::Cell;
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, Either};
use keyport_api::error::Error;
use keyport_api::etcdserverpb::{RangeRequest, TxnRequest};
use keyport_storage::KeyRange;
use keyport_storage::mvcc::{MvccError, RangeOptions, RangeResult, Store};

use super::Desk;
use crate::apply::ShownKeys;
use crate::auth::Needs;
use crate::bulk::{Gone, Leash};
use crate::gate::Pass;
use crate::kv::range::{self, View};
use crate::kv::{Dated, KvError, RangeReply, TxnReply};
use crate::metrics::IntCounter;
use crate::node::Node;

/// Reads what a request asks for.
pub(super) type Read<R, T> = fn(&Store, &Leash<'_>, &R) -> Result<T, KvError>;

/// All that is asked for.
pub(super) const RANGE: Read<RangeRequest, RangeReply> =
    |store, leash, request| range::range(&Current { store, leash }, request);

/// The first by key, without a count of the others.
pub(super) const PAGE: Read<RangeRequest, RangeReply> =
    |store, leash, request| range::first_of_range(&Current { store, leash }, request, false);

/// The first by key, and how many there are.
pub(super) const COUNTED_PAGE: Read<RangeRequest, RangeReply> =
    |store, leash, request| range::first_of_range(&Current { store, leash }, request, true);

/// A warning names no more keys than this.
const MOST_SHOWN: usize = 4;

impl Desk {
    /// Reads what the caller may read: on a short leash, and when that does not do, anew where nobody is held up.
    ///
    /// # Errors
    /// What the rules of users and roles say; the reader's own; `Stopped`.
    pub(super) fn read<R, T>(&self, pass: &Pass, request: R, read: Read<R, T>) -> impl Future<Output = Result<T, Error>>
    where
        R: Needs + Named + Clone + Send + Sync + 'static,
        T: Dated,
    {
        if let Some(trail) = pass.caller().trail() {
            trail.asks_for_keys(|| request.keys());
        }
        match pass.caller().is_user() {
            // As with proposals: those without users do not pay for it.
            true => Either::Left(Box::pin(self.read_for_user(pass, request, read))),
            false => Either::Right(self.read_once(pass, request, read)),
        }
    }

    async fn read_for_user<R, T>(&self, pass: &Pass, request: R, read: Read<R, T>) -> Result<T, Error>
    where
        R: Needs + Named + Clone + Send + Sync + 'static,
        T: Dated,
    {
        match self.read_once(pass, request.clone(), read).await {
            Err(Error::AuthOldRevision) => {
                let read = |pass: Pass| -> BoxFuture<'_, _> {
                    let request = request.clone();
                    Box::pin(async move { self.read_once(&pass, request, read).await })
                };
                self.anew(pass, read).await
            }
            outcome => outcome,
        }
    }

    async fn read_once<R, T>(&self, pass: &Pass, request: R, read: Read<R, T>) -> Result<T, Error>
    where
        R: Needs + Named + Send + Sync + 'static,
        T: Dated,
    {
        let rules = self.gate.rules();
        self.allow(pass, &request).await?;
        let outcome = match self.at_once(&request, read) {
            Err(KvError::Interrupted) => {
                self.bulk.aside(pass.caller().lane()).run(self.patiently(request, read)).await?
            }
            outcome => outcome,
        };
        let read = outcome?;
        self.gate.recheck(pass, rules)?;
        if let Some(trail) = pass.caller().trail() {
            trail.set_revision(read.revision());
        }
        Ok(read)
    }

    fn at_once<R: Needs + Named, T>(&self, request: &R, read: Read<R, T>) -> Result<T, KvError> {
        Slow::new(&self.node).watch(request, || read(self.node.store(), &Leash::short(), request))
    }

    /// To be done where nobody is held up. Made here, lest every read has room for it while it waits.
    fn patiently<R: Needs + Named, T>(
        &self,
        request: R,
        read: Read<R, T>,
    ) -> impl FnOnce(&Gone) -> Result<T, KvError> + use<R, T> {
        let (slow, state) = (Slow::new(&self.node), self.node.shared_state());
        move |gone| slow.watch(&request, || read(&state.store, &Leash::long(gone), &request))
    }
}

/// What is read, for who is told that it took long.
pub(super) trait Named {
    const OP: &'static str;
}

impl Named for RangeRequest {
    const OP: &'static str = "read-only range";
}

impl Named for TxnRequest {
    const OP: &'static str = "read-only txn";
}

/// Warns of reads that take long.
#[derive(Debug)]
struct Slow {
    expected: Duration,
    count: IntCounter,
}

impl Slow {
    fn new(node: &Node) -> Slow {
        Slow { expected: node.limits().slow_read, count: node.metrics().slow_applies.clone() }
    }

    /// What `read` finds. One that was only begun is not counted.
    fn watch<R: Needs + Named, T>(&self, request: &R, read: impl FnOnce() -> Result<T, KvError>) -> Result<T, KvError> {
        let start = Instant::now();
        let outcome = read();
        let took = start.elapsed();
        if took > self.expected && !matches!(outcome, Err(KvError::Interrupted)) {
            self.count.inc();
            let (op, expected) = (R::OP, self.expected);
            let keys = request.keys();
            let shown: Vec<_> = keys.iter().take(MOST_SHOWN).map(|range| ShownKeys::of(range).to_string()).collect();
            let request = shown.join(", ");
            tracing::warn!(op, ?took, expected_duration = ?expected, request, "apply request took too long");
        }
        outcome
    }
}

/// The store as it is.
#[derive(Debug)]
struct Current<'a> {
    store: &'a Store,
    leash: &'a Leash<'a>,
}

impl View for Current<'_> {
    fn range(&self, range: &KeyRange, options: RangeOptions) -> Result<RangeResult, MvccError> {
        self.store.range_while(range, options, &mut |pace| self.leash.goes_on(pace))
    }

    fn start_revision(&self) -> i64 {
        self.store.revision()
    }

    fn compacted(&self) -> i64 {
        self.store.compacted()
    }
}

/// The store as it was at one revision: reads "now" as that, so that several reads fit together while writes go on.
#[derive(Debug)]
pub(super) struct Snapshot<'a> {
    current: Current<'a>,
    revision: i64,
    compacted: i64,
    ranges: Cell<usize>,
}

impl<'a> Snapshot<'a> {
    pub(super) fn now(store: &'a Store, leash: &'a Leash<'a>) -> Snapshot<'a> {
        let current = Current { store, leash };
        Snapshot { revision: store.revision(), compacted: store.compacted(), current, ranges: Cell::new(0) }
    }

    /// How many were read.
    pub(super) fn ranges(&self) -> usize {
        self.ranges.get()
    }

    pub(super) fn revision(&self) -> i64 {
        self.revision
    }
}

impl View for Snapshot<'_> {
    fn range(&self, range: &KeyRange, options: RangeOptions) -> Result<RangeResult, MvccError> {
        self.ranges.set(self.ranges.get() + 1);
        let revision = if options.revision <= 0 { self.revision } else { options.revision };
        let found = self.current.range(range, RangeOptions { revision, ..options })?;
        Ok(RangeResult { revision: self.revision, ..found })
    }

    fn start_revision(&self) -> i64 {
        self.revision
    }

    fn compacted(&self) -> i64 {
        self.compacted
    }
}

/// What a transaction has read, and how many ranges that took, its guards included.
pub(super) struct Counted {
    pub(super) reply: TxnReply,
    pub(super) ranges: usize,
}

impl Dated for Counted {
    fn revision(&self) -> i64 {
        self.reply.revision()
    }
}
