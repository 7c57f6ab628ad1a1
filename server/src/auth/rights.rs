//! What somebody may, as of one moment.

use bytes::Bytes;
use keyport_storage::KeyRange;
use keyport_storage::auth::{Access, AuthError, Policy, Who};
use keyport_storage::lease::Lessor;

/// Somebody before the rules of one moment, or nobody.
#[derive(Debug)]
pub(crate) struct Rights<'a> {
    policy: &'a Policy,
    who: Option<Who<'a>>,
    /// Which keys a lease would take with it.
    lessor: &'a Lessor,
}

impl<'a> Rights<'a> {
    pub(crate) fn new(policy: &'a Policy, who: Option<Who<'a>>, lessor: &'a Lessor) -> Rights<'a> {
        Rights { policy, who, lessor }
    }

    /// Whether he is anybody.
    ///
    /// # Errors
    /// `UserEmpty`.
    pub(crate) fn is_somebody(&self) -> Result<(), AuthError> {
        if self.who.is_some() || !self.policy.is_enabled() { Ok(()) } else { Err(AuthError::UserEmpty) }
    }

    /// Whether there is such a user. Who only has a name may be nobody.
    ///
    /// # Errors
    /// `PermissionDenied`.
    pub(crate) fn is_user(&self) -> Result<(), AuthError> {
        let is_user = !self.policy.is_enabled() || self.who.is_some_and(|who| self.policy.knows(who));
        if is_user { Ok(()) } else { Err(AuthError::PermissionDenied) }
    }

    /// # Errors
    /// `UserEmpty`, `OldRevision`, `PermissionDenied`.
    pub(crate) fn may_read_range(&self, range: &KeyRange) -> Result<(), AuthError> {
        self.policy.check_keys(self.who, Access::Read, range)
    }

    /// # Errors
    /// The same.
    pub(crate) fn may_read(&self, key: &Bytes, range_end: &Bytes) -> Result<(), AuthError> {
        self.may(Access::Read, key, range_end)
    }

    /// # Errors
    /// The same.
    pub(crate) fn may_write(&self, key: &Bytes, range_end: &Bytes) -> Result<(), AuthError> {
        self.may(Access::Write, key, range_end)
    }

    fn may(&self, access: Access, key: &Bytes, range_end: &Bytes) -> Result<(), AuthError> {
        self.policy.check_keys(self.who, access, &KeyRange::new(key.clone(), range_end.clone()))
    }

    /// Whether he may do this to every key of a lease. One that is not there has none.
    ///
    /// # Errors
    /// The same.
    pub(crate) fn may_all_of_lease(&self, access: Access, id: i64) -> Result<(), AuthError> {
        if self.policy.check_admin(self.who).is_ok() {
            return Ok(());
        }
        self.may_all_leased(access, &self.lessor.keys(id).unwrap_or_default())
    }

    /// The same of keys that are known to be a lease's. Of root not even the revision counts.
    ///
    /// # Errors
    /// The same.
    pub(crate) fn may_all_leased(&self, access: Access, keys: &[Bytes]) -> Result<(), AuthError> {
        if self.policy.check_admin(self.who).is_ok() {
            return Ok(());
        }
        let mut keys = keys.iter().map(|key| KeyRange::single(key.clone()));
        keys.try_for_each(|key| self.policy.check_keys(self.who, access, &key))
    }

    /// Whether he has the role root.
    ///
    /// # Errors
    /// `UserEmpty`, `UserNotFound`, `PermissionDenied`.
    pub(crate) fn is_root(&self) -> Result<(), AuthError> {
        self.policy.check_admin(self.who)
    }

    /// Whether he is this user, or has the role root.
    ///
    /// # Errors
    /// As [`Rights::is_root`].
    pub(crate) fn is_root_or_user(&self, name: &str) -> Result<(), AuthError> {
        self.is_root().or_else(|error| match self.who {
            Some(who) if who.user == name => Ok(()),
            _ => Err(error),
        })
    }

    /// Whether he holds this role, or has the role root.
    ///
    /// # Errors
    /// As [`Rights::is_root`].
    pub(crate) fn is_root_or_holds(&self, role: &str) -> Result<(), AuthError> {
        self.is_root()
            .or_else(|error| if self.who.is_some_and(|who| self.policy.holds(who, role)) { Ok(()) } else { Err(error) })
    }
}
