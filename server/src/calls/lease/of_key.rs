//! A lease that one key has for itself: how a key is given a time to live by the request that writes it.
//!
//! Such leases are told from those that somebody asked for by their ids. As long as the key is written again with the same time,
//! its lease is renewed, which needs no entry in the log; with another time it gets another lease, and the one before ends.

use keyport_api::error::Error;
use keyport_api::etcdserverpb::{LeaseGrantRequest, LeaseRevokeRequest};
use keyport_api::methods::Method;

use super::Lease;
use crate::gate::Caller;

/// What such ids begin with; the other half is random.
const MARK: i64 = 0x4b65_7950;

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
    /// A lease of `seconds` for a key: the one that it has for itself, with all of its time again, or a new one.
    ///
    /// # Errors
    /// As the RPCs that grant and renew.
    pub async fn for_key(&self, caller: &Caller, key: &[u8], seconds: i64) -> Result<KeyLease, Error> {
        let pass = self.desk.gate.admit_part(caller, Method::LeaseGrant, false)?;
        let ttl = seconds.max(self.desk.node.limits().min_lease_ttl);
        let id = self.own(key);
        if self.desk.node.state().lessor.granted_ttl(id) == Some(ttl) && self.renew(&pass, id).await? > 0 {
            return Ok(KeyLease { id, ttl, is_new: false });
        }
        for _ in 0..MOST_TRIES {
            let id = MARK << 32 | i64::from(rand::random::<u32>());
            match self.desk.grant(&pass, LeaseGrantRequest { ttl: seconds, id }).await {
                Ok(granted) => return Ok(KeyLease { id, ttl: granted.ttl, is_new: true }),
                Err(Error::LeaseExist) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::LeaseExist)
    }

    /// The lease that a key has for itself; 0 for none.
    pub fn own(&self, key: &[u8]) -> i64 {
        let bound = self.desk.node.store().get(key).map_or(0, |record| record.lease());
        if bound >> 32 == MARK { bound } else { 0 }
    }

    /// Ends a lease that a key had for itself, unless somebody has bound a key to it. What cannot be ended ends by itself.
    pub async fn let_go(&self, caller: &Caller, id: i64) {
        let is_unused = self.desk.node.state().lessor.keys(id).is_some_and(|keys| keys.is_empty());
        if id != 0
            && is_unused
            && let Ok(pass) = self.desk.gate.admit_part(caller, Method::LeaseRevoke, false)
            && let Err(error) = self.desk.propose(&pass, LeaseRevokeRequest { id }).await
        {
            tracing::debug!(lease = id, %error, "a lease that no key needs any more is left to its time");
        }
    }
}
