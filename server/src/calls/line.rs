//! The line behind a lock or an election, for those who take a place in it for a bounded time, and for those who look on.

use bytes::Bytes;
use keyport_api::error::Error;
use keyport_api::etcdserverpb::request_op::Request;
use keyport_api::etcdserverpb::{PutRequest, RangeRequest};
use keyport_api::methods::Method;

use super::queue::{Place, Queue};
use crate::gate::{Caller, Pass};
use crate::kv::RangeReply;

/// How often one looks again, when others come and go meanwhile.
const MOST_TRIES: usize = 16;

/// Those who stand in such lines, each named by the methods that do the same over gRPC.
#[derive(Clone, Debug)]
pub struct Line {
    queue: Queue,
    enters: Method,
    leaves: Method,
}

/// Who wants a place.
#[derive(Clone, Debug)]
pub struct Wish {
    /// What the line is called.
    pub name: Bytes,
    /// What the place is held by; it is there.
    pub lease: i64,
    /// What the place says.
    pub value: Bytes,
    /// Whether to wait for those before.
    pub waits: bool,
}

/// The first place of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct First {
    pub key: Bytes,
    /// The revision at which it was taken: larger than that of all who were first before.
    pub revision: i64,
}

impl Line {
    pub(super) fn of_locks(queue: Queue) -> Line {
        Line { queue, enters: Method::Lock, leaves: Method::Unlock }
    }

    pub(super) fn of_elections(queue: Queue) -> Line {
        Line { queue, enters: Method::Campaign, leaves: Method::Resign }
    }

    /// Takes a place, or finds the one that the lease has already, and waits until it is the first one; none if it is not, and
    /// there was to be no waiting. Dropping the future leaves the line.
    ///
    /// # Errors
    /// As the RPC; `SessionExpired`, when the lease has ended meanwhile.
    pub async fn take(&self, caller: &Caller, wish: Wish) -> Result<Option<First>, Error> {
        let gate = &self.queue.desk.gate;
        let pass = gate.admit(caller, self.enters)?;
        self.queue.count(&pass, &wish.name)?;
        gate.end_of(&pass).unless_ended(self.stand(&pass, wish)).await
    }

    async fn stand(&self, pass: &Pass, wish: Wish) -> Result<Option<First>, Error> {
        let Wish { name, lease, value, waits } = wish;
        for _ in 0..MOST_TRIES {
            let place = self.queue.enter(pass, &name, lease, value.clone()).await?;
            let first = First { key: place.key.clone(), revision: place.revision };
            if place.found.as_ref().is_some_and(|found| found.value != value) {
                self.rewrite(pass, &place, value.clone()).await?;
            }
            let is_first = match waits {
                true => self.queue.wait_turn(pass, &name, &place).await?.is_some(),
                false if place.is_first || self.stays(pass, &name, &place).await? => true,
                false => return Ok(None),
            };
            if is_first {
                return Ok(Some(first));
            }
            // Another request with the same lease may have given up the place.
            if self.queue.node().state().lessor.granted_ttl(lease).is_none() {
                break;
            }
        }
        Err(Error::SessionExpired)
    }

    /// Whether a place has become the first one meanwhile. One that has not is given up, if it is this request's, as long as
    /// somebody is before it: another request with the same lease may have been told that it is first.
    async fn stays(&self, pass: &Pass, name: &[u8], place: &Place) -> Result<bool, Error> {
        for _ in 0..MOST_TRIES {
            let Some(before) = self.queue.before(pass, name, place).await? else { return Ok(true) };
            if place.found.is_some() || self.queue.give_up(pass, place, &before).await? {
                return Ok(false);
            }
        }
        Ok(false)
    }

    async fn rewrite(&self, pass: &Pass, place: &Place, value: Bytes) -> Result<(), Error> {
        let (key, lease) = (place.key.clone(), place.lease);
        let put = PutRequest { key: key.clone(), value, lease, ..PutRequest::default() };
        let changed = self.queue.change(pass, key, place.revision, Request::RequestPut(put)).await?;
        if changed.reply.succeeded { Ok(()) } else { Err(Error::SessionExpired) }
    }

    /// Has the first place say something else, if it is that of a lease.
    ///
    /// # Errors
    /// As the RPC.
    pub async fn proclaim(
        &self,
        caller: &Caller,
        name: &[u8],
        lease: i64,
        value: Bytes,
    ) -> Result<Option<First>, Error> {
        let pass = self.queue.desk.gate.admit(caller, Method::Proclaim)?;
        let key = super::queue::place_of(name, lease);
        let put = PutRequest { key: key.clone(), value, lease, ..PutRequest::default() };
        self.queue.desk.gate.count_keys(&pass, &put)?;
        let (_, Some(first)) = self.queue.first(&pass, name).await? else { return Ok(None) };
        if first.key != key {
            return Ok(None);
        }
        let revision = first.create_revision;
        let changed = self.queue.change(&pass, key.clone(), revision, Request::RequestPut(put)).await?;
        Ok(changed.reply.succeeded.then_some(First { key, revision }))
    }

    /// Gives up the place that a lease has: at which revision, if there was one.
    ///
    /// # Errors
    /// As the RPC.
    pub async fn leave(&self, caller: &Caller, name: &[u8], lease: i64) -> Result<Option<i64>, Error> {
        let pass = self.queue.desk.gate.admit(caller, self.leaves)?;
        let key = super::queue::place_of(name, lease);
        self.queue.count_leaving(&pass, &key)?;
        let reply = self.queue.delete_leased(&pass, key, lease).await?;
        Ok(reply.succeeded.then_some(reply.revision))
    }

    /// Who stands there, in the order of their coming, `limit` at most.
    ///
    /// # Errors
    /// As a range.
    pub async fn look(&self, caller: &Caller, name: &[u8], limit: i64) -> Result<RangeReply, Error> {
        let pass = self.queue.desk.gate.admit(caller, Method::Range)?;
        self.queue.count(&pass, name)?;
        let request = RangeRequest { limit, ..super::queue::in_order(name) };
        Ok(self.queue.desk.range(&pass, request).await?.reply)
    }
}
