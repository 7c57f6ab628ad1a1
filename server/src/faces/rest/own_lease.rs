//! A lease that a request has been granted for itself, and that nobody else knows of until it is answered.

use bytes::Bytes;
use keyport_api::error::Error;

use crate::calls::{Caller, Calls, JudgedAnew, KeyLease};

/// Ends the lease when it is dropped, as it is when whoever asked goes away: see [`OwnLease::keep`].
pub(super) struct OwnLease {
    calls: Calls,
    caller: Caller,
    lease: KeyLease,
    is_kept: bool,
}

impl OwnLease {
    /// One of `seconds`, that ends with the last key that is bound to it; who may not write `key` gets none.
    ///
    /// # Errors
    /// As the RPC that grants; `PermissionDenied`.
    pub(super) async fn for_key(calls: &Calls, caller: &Caller, key: &Bytes, seconds: i64) -> Result<OwnLease, Error> {
        let lease = calls.lease.held_for_key(caller, key, seconds).await?;
        Ok(OwnLease::of(calls, caller, lease))
    }

    /// A lease that was granted just now.
    pub(super) fn of(calls: &Calls, caller: &Caller, lease: KeyLease) -> OwnLease {
        OwnLease { calls: calls.clone(), caller: caller.clone(), lease, is_kept: false }
    }

    pub(super) fn get(&self) -> KeyLease {
        self.lease
    }

    /// Gives it all of its time again; whether it was there.
    ///
    /// # Errors
    /// As the RPC.
    pub(super) async fn renewed(&self) -> Result<bool, Error> {
        self.calls.lease.renewed(&self.caller, self.lease.id).await
    }

    /// Hears from now on when whoever has it has to be judged anew.
    ///
    /// # Errors
    /// As the RPC that keeps leases alive.
    pub(super) fn judged_anew(&self) -> Result<JudgedAnew, Error> {
        self.calls.lease.judged_anew(&self.caller)
    }

    /// Whether it is there, as far as this member knows.
    pub(super) fn is_there(&self) -> bool {
        self.calls.lease.is_there(self.lease.id)
    }

    /// From here on somebody knows of it.
    pub(super) fn keep(mut self) -> KeyLease {
        self.is_kept = true;
        self.lease
    }
}

impl Drop for OwnLease {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        let (calls, caller, lease) = (self.calls.clone(), self.caller.clone(), self.lease);
        tokio::spawn(async move { calls.lease.let_go(&caller, lease).await });
    }
}
