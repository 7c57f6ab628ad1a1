//! What a request needs its caller to be allowed. Read by the member that is asked, before it reads or proposes anything,
//! and once more by every member when the log comes to it.

use bytes::Bytes;
use keyport_api::etcdserverpb::request_op::Request;
use keyport_api::etcdserverpb::*;
use keyport_api::membershippb::{ClusterMemberAttrSetRequest, ClusterVersionSetRequest, DowngradeInfoSetRequest};
use keyport_storage::KeyRange;
use keyport_storage::auth::{Access, AuthError};

use super::Rights;
use crate::rates::Touches;

/// See the module's text.
pub(crate) trait Needs {
    /// # Errors
    /// Why the request is refused; see [`Rights`].
    fn check(&self, rights: &Rights<'_>) -> Result<(), AuthError>;

    /// The keys that it is about, if it is about keys.
    fn keys(&self) -> Vec<KeyRange> {
        Vec::new()
    }
}

fn range(key: &Bytes, range_end: &Bytes) -> KeyRange {
    KeyRange::new(key.clone(), range_end.clone())
}

/// What only root may ask for, if the method does not say so of all its requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Root;

impl Needs for Root {
    fn check(&self, rights: &Rights<'_>) -> Result<(), AuthError> {
        rights.is_root()
    }
}

/// What is watched.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watches<'a>(pub(crate) &'a [KeyRange]);

impl Needs for Watches<'_> {
    fn check(&self, rights: &Rights<'_>) -> Result<(), AuthError> {
        self.0.iter().try_for_each(|range| rights.may_read_range(range))
    }

    fn keys(&self) -> Vec<KeyRange> {
        self.0.to_vec()
    }
}

impl Touches for Watches<'_> {
    fn operations(&self, prefix: &[u8]) -> u32 {
        self.0.operations(prefix)
    }
}

impl Needs for WatchCreateRequest {
    /// Of the range as it was asked for, before it means anything else: a single key is not all that follow on it.
    fn check(&self, rights: &Rights<'_>) -> Result<(), AuthError> {
        let first = Bytes::from_static(&[0]);
        rights.may_read(if self.key.is_empty() { &first } else { &self.key }, &self.range_end)
    }

    fn keys(&self) -> Vec<KeyRange> {
        vec![range(&self.key, &self.range_end)]
    }
}

/// The keys that a lease would take with it are shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadsOfLease(pub(crate) i64);

impl Needs for ReadsOfLease {
    fn check(&self, rights: &Rights<'_>) -> Result<(), AuthError> {
        rights.may_all_of_lease(Access::Read, self.0)
    }
}

/// What another member says that a lease would take with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadsLeased<'a>(pub(crate) &'a [Bytes]);

impl Needs for ReadsLeased<'_> {
    fn check(&self, rights: &Rights<'_>) -> Result<(), AuthError> {
        rights.may_all_leased(Access::Read, self.0)
    }
}

impl Needs for LeaseKeepAliveRequest {
    fn check(&self, rights: &Rights<'_>) -> Result<(), AuthError> {
        rights.is_somebody()?;
        rights.may_all_of_lease(Access::Write, self.id)
    }
}

impl Needs for RangeRequest {
    fn check(&self, rights: &Rights<'_>) -> Result<(), AuthError> {
        rights.may_read(&self.key, &self.range_end)
    }

    fn keys(&self) -> Vec<KeyRange> {
        vec![range(&self.key, &self.range_end)]
    }
}

impl Needs for PutRequest {
    /// What a lease takes with it when it ends could be deleted by whoever attaches a key to it.
    fn check(&self, rights: &Rights<'_>) -> Result<(), AuthError> {
        let (key, end) = (&self.key, &Bytes::new());
        rights.may_write(key, end)?;
        if self.lease != 0 {
            rights.may_all_of_lease(Access::Write, self.lease)?;
        }
        if self.prev_kv { rights.may_read(key, end) } else { Ok(()) }
    }

    fn keys(&self) -> Vec<KeyRange> {
        vec![KeyRange::single(self.key.clone())]
    }
}

impl Needs for DeleteRangeRequest {
    fn check(&self, rights: &Rights<'_>) -> Result<(), AuthError> {
        rights.may_write(&self.key, &self.range_end)?;
        if self.prev_kv { rights.may_read(&self.key, &self.range_end) } else { Ok(()) }
    }

    fn keys(&self) -> Vec<KeyRange> {
        vec![range(&self.key, &self.range_end)]
    }
}

impl Needs for TxnRequest {
    /// Both branches, whichever is taken: which one is says something of the keys.
    fn check(&self, rights: &Rights<'_>) -> Result<(), AuthError> {
        self.compare.iter().try_for_each(|compare| rights.may_read(&compare.key, &compare.range_end))?;
        let mut ops = self.success.iter().chain(&self.failure).filter_map(|op| op.request.as_ref());
        ops.try_for_each(|op| match op {
            Request::RequestRange(range) => range.check(rights),
            Request::RequestPut(put) => put.check(rights),
            Request::RequestDeleteRange(delete) => {
                if delete.prev_kv {
                    rights.may_read(&delete.key, &delete.range_end)?;
                }
                rights.may_write(&delete.key, &delete.range_end)
            }
            Request::RequestTxn(nested) => nested.check(rights),
        })
    }

    /// What may be changed is in front, lest it is what is left out where there are many.
    fn keys(&self) -> Vec<KeyRange> {
        let (mut changed, mut read) = (Vec::new(), Vec::new());
        collect(self, &mut changed, &mut read);
        changed.append(&mut read);
        changed
    }
}

fn collect(txn: &TxnRequest, changed: &mut Vec<KeyRange>, read: &mut Vec<KeyRange>) {
    read.extend(txn.compare.iter().map(|compare| range(&compare.key, &compare.range_end)));
    for op in txn.success.iter().chain(&txn.failure).filter_map(|op| op.request.as_ref()) {
        match op {
            Request::RequestRange(range) => read.extend(range.keys()),
            Request::RequestPut(put) => changed.extend(put.keys()),
            Request::RequestDeleteRange(delete) => changed.extend(delete.keys()),
            Request::RequestTxn(nested) => collect(nested, changed, read),
        }
    }
}

impl Needs for LeaseRevokeRequest {
    fn check(&self, rights: &Rights<'_>) -> Result<(), AuthError> {
        rights.may_all_of_lease(Access::Write, self.id)
    }
}

impl Needs for AuthUserGetRequest {
    fn check(&self, rights: &Rights<'_>) -> Result<(), AuthError> {
        rights.is_root_or_user(&self.name)
    }
}

impl Needs for AuthRoleGetRequest {
    fn check(&self, rights: &Rights<'_>) -> Result<(), AuthError> {
        rights.is_root_or_holds(&self.role)
    }
}

macro_rules! needs {
    ($($Request:ident),* => $check:expr) => {
        $(impl Needs for $Request {
            fn check(&self, rights: &Rights<'_>) -> Result<(), AuthError> {
                let check: fn(&Rights<'_>) -> Result<(), AuthError> = $check;
                check(rights)
            }
        })*
    };
}

needs! {
    AuthEnableRequest, AuthDisableRequest, AuthUserAddRequest, AuthUserListRequest, AuthUserDeleteRequest,
    AuthUserChangePasswordRequest, AuthUserGrantRoleRequest, AuthUserRevokeRoleRequest, AuthRoleAddRequest,
    AuthRoleListRequest, AuthRoleDeleteRequest, AuthRoleGrantPermissionRequest, AuthRoleRevokePermissionRequest
    => |rights| rights.is_root()
}

// What the gate asks of their callers is all; in the log they need nothing more.
needs! {
    CompactionRequest, LeaseGrantRequest, LeaseCheckpointRequest, AlarmRequest, AuthStatusRequest,
    InternalAuthenticateRequest, ClusterVersionSetRequest, ClusterMemberAttrSetRequest, DowngradeInfoSetRequest
    => |_| Ok(())
}
