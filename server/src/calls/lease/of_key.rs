//! A lease that one key has for itself: how a key is given a time to live by the request that writes it.
//!
//! As long as the key is written again with the same time, it is the same lease, which is renewed and needs no entry in the
//! log; with another time the key gets another one, and the one before ends, as it does when the key goes
//! ([`of_keys`]).

use std::time::Duration;

use bytes::Bytes;
use keyport_api::error::Error;
use keyport_api::etcdserverpb::{LeaseGrantRequest, LeaseRevokeRequest, PutRequest};
use keyport_api::methods::Method;
use keyport_storage::lease::of_keys;
use tokio::time::{Instant, sleep};

use super::Lease;
use crate::gate::{Caller, Pass};

/// When what could not be done is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// How often an id may be somebody else's already.
const MOST_TRIES: usize = 8;

/// What a key may be bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyLease {
    pub id: i64,
    /// What it was granted, in seconds: what was asked for, or the least that the cluster grants.
    pub ttl: i64,
    /// Whether it is for this request alone, so that nobody misses it if that comes to nothing.
    pub is_new: bool,
}

impl Lease {
    /// A lease of `seconds` for a key: the one that it has for itself, which is to be renewed once the key is written, or a
    /// new one.
    ///
    /// # Errors
    /// As the RPC that grants; `PermissionDenied`, for who may not write the key.
    pub async fn for_key(&self, caller: &Caller, key: &Bytes, seconds: i64) -> Result<KeyLease, Error> {
        let ttl = seconds.max(self.desk.node.limits().min_lease_ttl);
        let id = self.desk.node.store().outline(key).map_or(0, |outline| outline.lease());
        if of_keys::ends_with_its_keys(id)
            && !of_keys::is_held(id)
            && self.desk.node.state().lessor.granted_ttl(id) == Some(ttl)
        {
            return Ok(KeyLease { id, ttl, is_new: false });
        }
        self.new_for_key(caller, key, seconds).await
    }

    /// A new one in any case.
    ///
    /// # Errors
    /// The same.
    pub async fn new_for_key(&self, caller: &Caller, key: &Bytes, seconds: i64) -> Result<KeyLease, Error> {
        self.granted_for(caller, key, seconds, of_keys::id_of).await
    }

    /// A new one that somebody holds for as long as he is there.
    ///
    /// # Errors
    /// The same.
    pub async fn held_for_key(&self, caller: &Caller, key: &Bytes, seconds: i64) -> Result<KeyLease, Error> {
        self.granted_for(caller, key, seconds, of_keys::held_id_of).await
    }

    async fn granted_for(
        &self,
        caller: &Caller,
        key: &Bytes,
        seconds: i64,
        id_of: fn(u32) -> i64,
    ) -> Result<KeyLease, Error> {
        let pass = self.part_of(caller, Method::LeaseGrant)?;
        // Nothing is written to the log for who may not write.
        self.desk.allow(&pass, &PutRequest { key: key.clone(), ..PutRequest::default() }).await?;
        for _ in 0..MOST_TRIES {
            let id = id_of(rand::random());
            match self.desk.grant(&pass, LeaseGrantRequest { ttl: seconds, id }).await {
                Ok(granted) => return Ok(KeyLease { id, ttl: granted.ttl, is_new: true }),
                Err(Error::LeaseExist) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::LeaseExist)
    }

    /// What is known of such a lease here, if it is one and still there.
    pub fn of_its_key(&self, id: i64) -> Option<KeyLease> {
        let granted = || self.desk.node.state().lessor.granted_ttl(id);
        let ttl = of_keys::ends_with_its_keys(id).then(granted).flatten()?;
        Some(KeyLease { id, ttl, is_new: false })
    }

    /// Gives such a lease all of its time again; whether it is still there.
    ///
    /// # Errors
    /// As the RPC.
    pub async fn renewed(&self, caller: &Caller, id: i64) -> Result<bool, Error> {
        let pass = self.part_of(caller, Method::LeaseKeepAlive)?;
        Ok(self.renew(&pass, id).await? > 0)
    }

    /// Whether a lease is there, as far as this member knows.
    pub fn is_there(&self, id: i64) -> bool {
        self.desk.node.state().lessor.granted_ttl(id).is_some()
    }

    /// Ends a lease that somebody was granted for a while, and all that is bound to it: whatever he may do by now, for as long as the
    /// lease would last.
    pub async fn let_go(&self, caller: &Caller, KeyLease { id, ttl, .. }: KeyLease) {
        let ends = Instant::now() + Duration::from_secs(ttl.unsigned_abs());
        let pass = Pass::internal("what somebody held").on_trail_of(caller);
        while let Err(error) = self.desk.propose(&pass, LeaseRevokeRequest { id }).await {
            let is_over = error == Error::LeaseNotFound || error == Error::Stopped || Instant::now() >= ends;
            if is_over {
                break;
            }
            tracing::debug!(lease = id, %error, "a lease that nobody needs is not ended yet");
            sleep(AGAIN).await;
        }
    }

    /// Of a call that has been counted.
    pub(super) fn part_of(&self, caller: &Caller, method: Method) -> Result<Pass, Error> {
        self.desk.gate.admit_part(caller, method, false)
    }
}
