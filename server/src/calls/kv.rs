//! `etcdserverpb.KV`: reads and writes keys.

mod ahead;
mod history;
mod listing;
mod range_stream;
mod reads;

use std::time::Instant;

use bytes::Bytes;
use keyport_api::error::Error;
use keyport_api::etcdserverpb::*;
use keyport_api::methods::Method;

use super::{Desk, note, validate};
use crate::apply::Replicated;
use crate::apply::waiters::Answer;
use crate::audit::Subject;
use crate::auth::Needs;
use crate::gate::{Caller, Pass};
use crate::kv::{Dated, DeleteReply, KvError, PutReply, RangeReply, Reply, TxnReply, txn};
use crate::node::Node;
use crate::steps;
use ahead::Wants;
pub(crate) use history::{HistoryReply, HistoryRequest};
pub(crate) use listing::{ListReply, ListRequest, Listed, Search, SearchIn};
pub(crate) use range_stream::RangeChunks;
use reads::{Counted, Named, Read, Snapshot};

/// How many operations a batch may have, also where a transaction may have fewer: applying as many takes a few milliseconds.
const MOST_IN_BATCH: usize = 1000;
/// Operations that it takes to write down that something was done: one around it, and one in it.
const WRITTEN_DOWN: usize = 2;

/// See the module's text.
#[derive(Clone, Debug)]
pub struct Kv {
    desk: Desk,
}

/// An answer whose keys are still shared with the store: the faces encode from there.
#[derive(Clone, Debug)]
pub struct KvAnswer<R> {
    pub header: ResponseHeader,
    pub reply: R,
}

impl<R: Reply> KvAnswer<R> {
    fn new(node: &Node, reply: R) -> KvAnswer<R> {
        KvAnswer { header: node.header(reply.revision()), reply }
    }
}

macro_rules! messages {
    ($($Reply:ty => $Message:ty;)*) => {
        $(impl From<KvAnswer<$Reply>> for $Message {
            /// Copies keys and values.
            fn from(answer: KvAnswer<$Reply>) -> $Message {
                answer.reply.into_message(answer.header)
            }
        })*
    };
}

messages! {
    RangeReply => RangeResponse;
    PutReply => PutResponse;
    DeleteReply => DeleteRangeResponse;
    TxnReply => TxnResponse;
}

impl Kv {
    pub(super) fn new(desk: Desk) -> Kv {
        Kv { desk }
    }

    /// How many elements each list of a transaction may have.
    pub fn max_txn_ops(&self) -> usize {
        self.desk.node.limits().txn_ops
    }

    /// # Errors
    /// As the RPC.
    pub async fn range(&self, caller: &Caller, request: RangeRequest) -> Result<KvAnswer<RangeReply>, Error> {
        note(caller, &request);
        let pass = self.desk.gate.admit_read(caller, Method::Range, request.serializable)?;
        self.desk.gate.count_keys(&pass, &request)?;
        self.desk.range(&pass, request).await
    }

    /// As [`Kv::range`], but what lies behind the limit is not looked at, and the count is that of the keys returned. It is part of a
    /// call that has been counted.
    ///
    /// # Errors
    /// As the RPC.
    pub async fn page(&self, caller: &Caller, request: RangeRequest) -> Result<KvAnswer<RangeReply>, Error> {
        note(caller, &request);
        let pass = self.desk.gate.admit_part(caller, Method::Range, request.serializable)?;
        self.desk.found(&pass, request, reads::PAGE).await
    }

    /// Refuses who may not write a key, before anything is looked at for that. It is part of a call that has been counted.
    ///
    /// # Errors
    /// As the RPC.
    pub async fn may_put(&self, caller: &Caller, key: &Bytes) -> Result<(), Error> {
        let put = PutRequest { key: key.clone(), ..PutRequest::default() };
        note(caller, &put);
        let pass = self.desk.gate.admit_part(caller, Method::Put, false)?;
        self.desk.allow(&pass, &put).await
    }

    /// A page of what is at a level of keys.
    ///
    /// # Errors
    /// As a range.
    pub async fn list(&self, caller: &Caller, request: ListRequest) -> Result<ListReply, Error> {
        let range = request.range();
        self.look(caller, &range, request, listing::list).await
    }

    /// What a key was, by the page.
    ///
    /// # Errors
    /// As a range.
    pub async fn history(&self, caller: &Caller, request: HistoryRequest) -> Result<HistoryReply, Error> {
        let range = request.range();
        self.look(caller, &range, request, history::history).await
    }

    /// What is found in a way of its own, by who may read `range` and as it says.
    async fn look<R, T>(&self, caller: &Caller, range: &RangeRequest, request: R, read: Read<R, T>) -> Result<T, Error>
    where
        R: Needs + Named + Clone + Send + Sync + 'static,
        T: Dated,
    {
        let desk = &self.desk;
        note(caller, range);
        let pass = desk.gate.admit_read(caller, Method::Range, range.serializable)?;
        desk.gate.count_keys(&pass, range)?;
        if !range.serializable {
            desk.node.read_barrier().await?;
        }
        desk.node.metrics().count_range(&range.key);
        desk.read(&desk.gate.renew(&pass), request, read).await
    }

    /// A large range in pieces, all of them from one revision.
    ///
    /// # Errors
    /// As the RPC.
    pub async fn range_stream(&self, caller: &Caller, request: RangeRequest) -> Result<RangeChunks, Error> {
        let desk = &self.desk;
        note(caller, &request);
        let pass = desk.gate.admit(caller, Method::RangeStream)?;
        validate::range(&request)?;
        range_stream::check(&request)?;
        desk.gate.count_keys(&pass, &request)?;
        if !request.serializable {
            desk.node.read_barrier().await?;
        }
        Ok(range_stream::chunks(desk.clone(), desk.gate.renew(&pass), request))
    }

    /// # Errors
    /// As the RPC.
    pub async fn put(&self, caller: &Caller, request: PutRequest) -> Result<KvAnswer<PutReply>, Error> {
        let desk = &self.desk;
        note(caller, &request);
        let pass = desk.gate.admit(caller, Method::Put)?;
        desk.gate.count_keys(&pass, &request)?;
        desk.check_quota(&pass, &request).await?;
        validate::put(&request)?;
        desk.change(&pass, request).await
    }

    /// # Errors
    /// As the RPC.
    pub async fn delete_range(
        &self,
        caller: &Caller,
        request: DeleteRangeRequest,
    ) -> Result<KvAnswer<DeleteReply>, Error> {
        note(caller, &request);
        let pass = self.desk.gate.admit(caller, Method::DeleteRange)?;
        self.desk.gate.count_keys(&pass, &request)?;
        self.desk.delete_range(&pass, request).await
    }

    /// # Errors
    /// As the RPC.
    pub async fn txn(&self, caller: &Caller, request: TxnRequest) -> Result<KvAnswer<TxnReply>, Error> {
        note(caller, &request);
        let pass = self.desk.gate.admit(caller, Method::Txn)?;
        self.desk.gate.count_keys(&pass, &request)?;
        self.desk.txn(&pass, request).await
    }

    /// Puts and deletions at one revision, more of them than a transaction may have, if the conditions before them hold: they are
    /// looked at once, and never within one another.
    ///
    /// # Errors
    /// As a transaction.
    pub async fn batch(&self, caller: &Caller, request: TxnRequest) -> Result<KvAnswer<TxnReply>, Error> {
        note(caller, &request);
        let pass = self.desk.gate.admit(caller, Method::Txn)?;
        self.desk.gate.count_keys(&pass, &request)?;
        let max_ops = self.max_txn_ops().max(MOST_IN_BATCH);
        self.desk.txn_within(&pass, request, max_ops).await
    }

    /// The same, or a transaction, within a transaction that writes down that it was done. What that takes does not count.
    ///
    /// # Errors
    /// As a transaction.
    pub async fn once(
        &self,
        caller: &Caller,
        request: TxnRequest,
        is_batch: bool,
    ) -> Result<KvAnswer<TxnReply>, Error> {
        note(caller, &request);
        let pass = self.desk.gate.admit(caller, Method::Txn)?;
        self.desk.gate.count_keys(&pass, &request)?;
        let max_ops = self.max_txn_ops().max(if is_batch { MOST_IN_BATCH } else { 0 });
        self.desk.txn_within(&pass, request, max_ops + WRITTEN_DOWN).await
    }

    /// # Errors
    /// As the RPC.
    pub async fn compact(&self, caller: &Caller, request: CompactionRequest) -> Result<CompactionResponse, Error> {
        let desk = &self.desk;
        note(caller, &request);
        let pass = desk.gate.admit(caller, Method::Compact)?;
        let physical = request.physical;
        let Answer { revision, reply: removal } = desk.propose(&pass, request).await?;
        if physical {
            removal.finished().await.map_err(KvError::from)?;
        }
        Ok(CompactionResponse { header: Some(desk.node.header(revision)) })
    }
}

/// What locks and elections are made of, too.
impl Desk {
    pub(super) async fn range(&self, pass: &Pass, request: RangeRequest) -> Result<KvAnswer<RangeReply>, Error> {
        self.found(pass, request, reads::RANGE).await
    }

    /// What `read` finds, once it is known that nothing newer is missing.
    async fn found(
        &self,
        pass: &Pass,
        request: RangeRequest,
        read: Read<RangeRequest, RangeReply>,
    ) -> Result<KvAnswer<RangeReply>, Error> {
        validate::range(&request)?;
        let metrics = self.node.metrics();
        let timer = metrics.time_request("Range");
        if !request.serializable {
            self.node.read_barrier().await?;
        }
        metrics.count_range(&request.key);
        let start = Instant::now();
        // Who he is by what is known now: users and roles may have changed with what was waited for.
        let reply = self.read(&self.gate.renew(pass), request, read).await;
        let end = timer.ranged(start, reply.is_ok());
        steps::note("read", start, end);
        Ok(KvAnswer::new(&self.node, reply?))
    }

    pub(super) async fn delete_range(
        &self,
        pass: &Pass,
        request: DeleteRangeRequest,
    ) -> Result<KvAnswer<DeleteReply>, Error> {
        validate::delete_range(&request)?;
        self.change(pass, request).await
    }

    pub(super) async fn txn(&self, pass: &Pass, request: TxnRequest) -> Result<KvAnswer<TxnReply>, Error> {
        self.txn_within(pass, request, self.node.limits().txn_ops).await
    }

    async fn txn_within(&self, pass: &Pass, request: TxnRequest, max_ops: usize) -> Result<KvAnswer<TxnReply>, Error> {
        self.check_quota(pass, &request).await?;
        validate::txn(&request, max_ops)?;
        if txn::is_read_only(&request) {
            return self.read_only_txn(pass, request).await;
        }
        self.change(pass, request).await
    }

    /// Has the log decide on a change of keys, with what it wants of them in memory.
    async fn change<R>(&self, pass: &Pass, request: R) -> Result<KvAnswer<R::Reply>, Error>
    where
        R: Replicated<Reply: Reply> + Needs + Subject + Wants + Clone + Send + Sync,
    {
        self.read_ahead(pass, &request).await;
        let reply = self.propose(pass, request).await?.reply;
        Ok(KvAnswer::new(&self.node, reply))
    }

    /// Needs no log entry: all of it is answered at the one revision at which it began.
    async fn read_only_txn(&self, pass: &Pass, request: TxnRequest) -> Result<KvAnswer<TxnReply>, Error> {
        let metrics = self.node.metrics();
        let timer = metrics.time_request("ReadonlyTxn");
        if !txn::is_serializable(&request) {
            self.node.read_barrier().await?;
        }
        let pass = self.gate.renew(pass);
        let counted = metrics.prefixes().map(|prefixes| (prefixes, request.clone()));
        let start = Instant::now();
        let read = self.read(&pass, request, |store, leash, request| {
            let view = Snapshot::now(store, leash);
            let reply = txn::read(&view, view.revision(), request)?;
            Ok(Counted { ranges: view.ranges(), reply })
        });
        let Counted { reply, ranges } = read.await?;
        let end = Instant::now();
        steps::note("read", start, end);
        metrics.range_total.inc_by(ranges as u64);
        metrics.count_transaction(ranges);
        if let Some((prefixes, request)) = counted {
            txn::ranges(&request, reply.succeeded).for_each(|range| prefixes.read(&range.key));
        }
        timer.succeeded_at(end);
        Ok(KvAnswer::new(&self.node, reply))
    }
}
