//! The line that lock holders and election candidates stand in: one key each under a common prefix, first come first
//! served by create revision, each key held by its owner's lease.

mod leaving;

use bytes::Bytes;
use keyport_api::error::Error;
use keyport_api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use keyport_api::etcdserverpb::range_request::{SortOrder, SortTarget};
use keyport_api::etcdserverpb::request_op::Request;
use keyport_api::etcdserverpb::*;
use keyport_api::mvccpb::KeyValue;
use keyport_storage::watch::{WatchMessage, WatchSpec, WatchStream};
use keyport_storage::{EventKind, Record};

use super::Desk;
use super::kv::KvAnswer;
use crate::gate::Pass;
use crate::kv::{DeleteReply, OpReply, TxnReply};
use crate::node::Node;
use leaving::{Entering, LeaveOnDrop};

/// Seconds that a lease lives which was granted because the caller brought none. Nobody renews it.
const DEFAULT_TTL: i64 = 60;

/// What both services stand on.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    pub(super) desk: Desk,
}

/// A place in the line.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) key: Bytes,
    /// Create revision of the key: the order in the line.
    pub(super) revision: i64,
    pub(super) lease: i64,
    /// What the key held when it was there already.
    pub(super) found: Option<KeyValue>,
    /// Of the transaction that took or found the place.
    pub(super) header: ResponseHeader,
    /// Nobody stood before it then, so nobody ever will.
    pub(super) is_first: bool,
}

/// What stands somewhere in the line, if anything does, as of the revision in the header.
pub(super) type Seen = (ResponseHeader, Option<KeyValue>);

impl Queue {
    pub(super) fn new(desk: Desk) -> Queue {
        Queue { desk }
    }

    pub(super) fn node(&self) -> &Node {
        &self.desk.node
    }

    /// Counts a call that is about the line under `name`: once, however much there is to do for it.
    pub(super) fn count(&self, pass: &Pass, name: &[u8]) -> Result<(), Error> {
        let line = one_of(name, SortOrder::None, 0);
        super::note(pass.caller(), &line);
        self.desk.gate.count_keys(pass, &line)
    }

    /// Counts the giving up of a place like any other deletion, unless it is one: what is given back makes room for others.
    pub(super) fn count_leaving(&self, pass: &Pass, key: &Bytes) -> Result<(), Error> {
        let place = self.node().state().store.outline(key);
        if place.is_some_and(|place| is_place(key, place.lease())) {
            return Ok(());
        }
        let delete = DeleteRangeRequest { key: key.clone(), ..DeleteRangeRequest::default() };
        self.desk.gate.count_one(pass, &delete)
    }

    /// Takes a place under `name`, or finds the one that the lease has already. Dropping the future leaves the line.
    pub(super) async fn enter(&self, pass: &Pass, name: &[u8], lease: i64, value: Bytes) -> Result<Place, Error> {
        let lease = match lease {
            0 => {
                let id = self.node().next_lease_id();
                // Who may not have the place is granted nothing for it.
                self.desk.allow_as_of_now(pass, &taking(name, &place_of(name, id), id, value.clone())).await?;
                self.desk.grant(pass, LeaseGrantRequest { ttl: DEFAULT_TTL, id }).await?.id
            }
            lease => lease,
        };
        let request = taking(name, &place_of(name, lease), lease, value);
        Entering::new(self, pass, self.clone().take(pass.clone(), place_of(name, lease), lease, request)).await
    }

    async fn take(self, pass: Pass, key: Bytes, lease: i64, request: TxnRequest) -> Result<Place, Error> {
        let KvAnswer { header, reply: TxnReply { revision, succeeded, replies } } =
            self.desk.txn(&pass, request).await?;
        let mut looks = replies.iter().filter_map(|reply| match reply {
            OpReply::Range(range, _) => Some(range.records.first()),
            _ => None,
        });
        let found = if succeeded { None } else { looks.next().flatten().map(Record::to_message) };
        let is_first = looks.next().flatten().is_some_and(|first| first.key() == &key[..]);
        let revision = found.as_ref().map_or(revision, |kv| kv.create_revision);
        Ok(Place { key, revision, lease, found, header, is_first })
    }

    /// Waits until nobody stands before `place`. Returns the header of what saw it in front; none if it is gone, as it is
    /// when its lease has ended meanwhile. Dropping the future leaves the line.
    pub(super) async fn wait_turn(
        &self,
        pass: &Pass,
        name: &[u8],
        place: &Place,
    ) -> Result<Option<ResponseHeader>, Error> {
        if place.is_first {
            return Ok(Some(place.header));
        }
        let leave = LeaveOnDrop::new(self, pass, place);
        while let (seen, Some(predecessor)) = self.last_before(pass, name, place.revision).await? {
            self.wait_gone(&predecessor.key, seen.revision).await?;
        }
        let look = RangeRequest { key: place.key.clone(), ..RangeRequest::default() };
        let (header, found) = self.one(pass, look).await?;
        leave.disarm();
        // Under the same name somebody else may have entered since.
        Ok(found.filter(|kv| kv.create_revision == place.revision).map(|_| header))
    }

    /// The first in the line.
    pub(super) async fn first(&self, pass: &Pass, name: &[u8]) -> Result<Seen, Error> {
        self.one(pass, one_of(name, SortOrder::Ascend, 0)).await
    }

    /// Puts or deletes the key of a place, if it still is the same place; whether it was.
    pub(super) async fn change(
        &self,
        pass: &Pass,
        key: Bytes,
        revision: i64,
        change: Request,
    ) -> Result<KvAnswer<TxnReply>, Error> {
        let compare = vec![created_at(key, revision)];
        let request = TxnRequest { compare, success: vec![op(change)], failure: Vec::new() };
        self.desk.txn(&self.desk.gate.renew(pass), request).await
    }

    /// Who stands before a place, if anybody does.
    pub(super) async fn before(&self, pass: &Pass, name: &[u8], place: &Place) -> Result<Option<KeyValue>, Error> {
        Ok(self.last_before(pass, name, place.revision).await?.1)
    }

    /// Gives up a place, as long as somebody stands before it; whether somebody did.
    pub(super) async fn give_up(&self, pass: &Pass, place: &Place, before: &KeyValue) -> Result<bool, Error> {
        let delete = DeleteRangeRequest { key: place.key.clone(), ..DeleteRangeRequest::default() };
        let others = created_at(before.key.clone(), before.create_revision);
        let compare = vec![created_at(place.key.clone(), place.revision), others];
        let success = vec![op(Request::RequestDeleteRange(delete))];
        let request = TxnRequest { compare, success, failure: Vec::new() };
        Ok(self.desk.txn(&self.desk.gate.renew(pass), request).await?.reply.succeeded)
    }

    /// Deletes the key of a place, if it belongs to a lease.
    pub(super) async fn delete_leased(&self, pass: &Pass, key: Bytes, lease: i64) -> Result<TxnReply, Error> {
        let belongs = Compare {
            result: CompareResult::Equal.into(),
            target: CompareTarget::Lease.into(),
            key: key.clone(),
            range_end: Bytes::new(),
            target_union: Some(TargetUnion::Lease(lease)),
        };
        let delete = DeleteRangeRequest { key, ..DeleteRangeRequest::default() };
        let success = vec![op(Request::RequestDeleteRange(delete))];
        let request = TxnRequest { compare: vec![belongs], success, failure: Vec::new() };
        Ok(self.desk.txn(pass, request).await?.reply)
    }

    pub(super) async fn delete(&self, pass: &Pass, key: Bytes) -> Result<KvAnswer<DeleteReply>, Error> {
        self.desk.delete_range(pass, DeleteRangeRequest { key, ..DeleteRangeRequest::default() }).await
    }

    /// A subscription to what happens to one key, or to all under a name, from `revision` on.
    pub(super) fn watch(&self, key: Bytes, range_end: Bytes, revision: i64) -> Result<WatchStream, Error> {
        let stream = self.node().state().hub.stream();
        let spec = WatchSpec { start_revision: revision, ..WatchSpec::new(WatchSpec::request_range(key, range_end)) };
        stream.create(spec).map_err(|_| Error::Compacted)?;
        Ok(stream)
    }

    async fn last_before(&self, pass: &Pass, name: &[u8], revision: i64) -> Result<Seen, Error> {
        self.one(pass, one_of(name, SortOrder::Descend, revision - 1)).await
    }

    async fn one(&self, pass: &Pass, request: RangeRequest) -> Result<Seen, Error> {
        let KvAnswer { header, reply } = self.desk.range(pass, request).await?;
        Ok((header, reply.records.first().map(Record::to_message)))
    }

    /// Returns when a key that was there at `revision` is deleted. The later the revision, the less there is to go through
    /// and the surer it is not compacted yet.
    async fn wait_gone(&self, key: &Bytes, revision: i64) -> Result<(), Error> {
        let events = self.watch(key.clone(), Bytes::new(), revision + 1)?;
        while let Some(message) = events.next().await {
            match message {
                WatchMessage::Events { selection, .. }
                    if selection.iter().any(|selected| selected.event.kind == EventKind::Delete) =>
                {
                    return Ok(());
                }
                // History is gone: look again.
                WatchMessage::Compacted { .. } => return Ok(()),
                _ => {}
            }
        }
        Err(Error::Stopped)
    }
}

/// The key of a lease's place.
pub(super) fn place_of(name: &[u8], lease: i64) -> Bytes {
    Bytes::from([name, format!("/{lease:x}").as_bytes()].concat())
}

/// Whether a key that has this lease is a place in a line.
fn is_place(key: &[u8], lease: i64) -> bool {
    lease != 0 && key.ends_with(format!("/{lease:x}").as_bytes())
}

/// Takes a place, or looks at the one that is there, and at who is first.
fn taking(name: &[u8], key: &Bytes, lease: i64, value: Bytes) -> TxnRequest {
    let create = PutRequest { key: key.clone(), value, lease, ..PutRequest::default() };
    let look = RangeRequest { key: key.clone(), ..RangeRequest::default() };
    let first = one_of(name, SortOrder::Ascend, 0);
    TxnRequest {
        compare: vec![created_at(key.clone(), 0)],
        success: vec![op(Request::RequestPut(create)), op(Request::RequestRange(first.clone()))],
        failure: vec![op(Request::RequestRange(look)), op(Request::RequestRange(first))],
    }
}

/// The first or last in a line, of those that entered up to a revision; 0 for everybody.
fn one_of(name: &[u8], order: SortOrder, max_create_revision: i64) -> RangeRequest {
    RangeRequest { limit: 1, sort_order: order.into(), max_create_revision, ..in_order(name) }
}

/// All in a line, in the order of their coming.
pub(super) fn in_order(name: &[u8]) -> RangeRequest {
    let (key, range_end) = line(name);
    RangeRequest {
        key,
        range_end,
        sort_order: SortOrder::Ascend.into(),
        sort_target: SortTarget::Create.into(),
        ..RangeRequest::default()
    }
}

/// All keys of a line: `name/` and its range end.
pub(super) fn line(name: &[u8]) -> (Bytes, Bytes) {
    // `0` is the byte after `/`.
    (Bytes::from([name, b"/"].concat()), Bytes::from([name, b"0"].concat()))
}

fn created_at(key: Bytes, revision: i64) -> Compare {
    Compare {
        result: CompareResult::Equal.into(),
        target: CompareTarget::Create.into(),
        key,
        range_end: Bytes::new(),
        target_union: Some(TargetUnion::CreateRevision(revision)),
    }
}

fn op(request: Request) -> RequestOp {
    RequestOp { request: Some(request) }
}
