//! What may be changed of users and roles, by the rules of etcd and in its order of checks.

use bytes::Bytes;
use keyport_api::authpb::{Permission, Role, User, UserAddOptions};

use super::{AuthError, Policy, ROOT, rows};
use crate::backend::Batch;

/// What is stored for a password, once it is clear that it is needed.
///
/// # Errors
/// `NoPasswordUser` when it cannot be read.
pub trait PasswordHash: FnOnce() -> Result<Bytes, AuthError> {}

impl<F: FnOnce() -> Result<Bytes, AuthError>> PasswordHash for F {}

/// What came of granting a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    Granted,
    /// Nothing has changed.
    HeldAlready,
}

/// The next policy in the making, and the rows that come with it. Every method checks before it changes anything.
#[derive(Debug)]
pub struct Edit<'a> {
    policy: Policy,
    batch: &'a mut Batch,
    /// Whether this is a new revision.
    has_changed: bool,
}

impl<'a> Edit<'a> {
    pub(super) fn new(policy: Policy, batch: &'a mut Batch) -> Edit<'a> {
        Edit { policy, batch, has_changed: false }
    }

    pub(super) fn finish(self) -> Policy {
        let Edit { mut policy, batch, has_changed } = self;
        if has_changed {
            policy.revision += 1;
            rows::put_revision(batch, policy.revision);
        }
        policy
    }

    /// As it is so far.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// From now on callers need to be somebody. Not a new revision, as in etcd.
    ///
    /// # Errors
    /// `RootUserNotExist`, `RootRoleNotExist`: nobody could change anything any more.
    pub fn enable(&mut self) -> Result<(), AuthError> {
        if self.policy.enabled {
            return Ok(());
        }
        let root = self.policy.user(ROOT).ok_or(AuthError::RootUserNotExist)?;
        if !root.has_role(ROOT) {
            return Err(AuthError::RootRoleNotExist);
        }
        self.policy.enabled = true;
        rows::put_enabled(self.batch, true);
        Ok(())
    }

    /// From now on anybody may do anything.
    pub fn disable(&mut self) {
        if self.policy.enabled {
            self.policy.enabled = false;
            self.has_changed = true;
            rows::put_enabled(self.batch, false);
        }
    }

    /// # Errors
    /// `UserEmpty`, `UserAlreadyExist`; what `hash` says, which is asked unless the user has no password.
    pub fn user_add(&mut self, name: &str, no_password: bool, hash: impl PasswordHash) -> Result<(), AuthError> {
        if name.is_empty() {
            return Err(AuthError::UserEmpty);
        }
        if self.policy.user(name).is_some() {
            return Err(AuthError::UserAlreadyExist);
        }
        let password = if no_password { Bytes::new() } else { hash()? };
        self.put_user(User {
            name: Bytes::copy_from_slice(name.as_bytes()),
            password,
            roles: Vec::new(),
            options: Some(UserAddOptions { no_password }),
        });
        Ok(())
    }

    /// # Errors
    /// `InvalidAuthMgmt` for root, `UserNotFound`.
    pub fn user_delete(&mut self, name: &str) -> Result<(), AuthError> {
        if self.policy.enabled && name == ROOT {
            return Err(AuthError::InvalidAuthMgmt);
        }
        let (name, _) = self.policy.users.remove_entry(name.as_bytes()).ok_or(AuthError::UserNotFound)?;
        rows::delete_user(self.batch, name);
        self.has_changed = true;
        Ok(())
    }

    /// One without a password stays without.
    ///
    /// # Errors
    /// `UserNotFound`; what `hash` says.
    pub fn user_change_password(&mut self, name: &str, hash: impl PasswordHash) -> Result<(), AuthError> {
        let account = self.policy.user(name).ok_or(AuthError::UserNotFound)?;
        let password = if account.has_no_password() { Bytes::new() } else { hash()? };
        let row = User { password, ..account.row.clone() };
        self.put_user(row);
        Ok(())
    }

    /// # Errors
    /// `UserNotFound`, `RoleNotFound`; the role `root` needs no row.
    pub fn user_grant_role(&mut self, name: &str, role: &str) -> Result<Grant, AuthError> {
        let account = self.policy.user(name).ok_or(AuthError::UserNotFound)?;
        if role != ROOT && !self.policy.roles.contains_key(role.as_bytes()) {
            return Err(AuthError::RoleNotFound);
        }
        if account.has_role(role) {
            return Ok(Grant::HeldAlready);
        }
        let mut row = account.row.clone();
        row.roles.push(role.to_owned());
        row.roles.sort();
        self.put_user(row);
        Ok(Grant::Granted)
    }

    /// # Errors
    /// `InvalidAuthMgmt` for root's role root, `UserNotFound`, `RoleNotGranted`.
    pub fn user_revoke_role(&mut self, name: &str, role: &str) -> Result<(), AuthError> {
        if self.policy.enabled && name == ROOT && role == ROOT {
            return Err(AuthError::InvalidAuthMgmt);
        }
        let account = self.policy.user(name).ok_or(AuthError::UserNotFound)?;
        let row = without_role(&account.row, role).ok_or(AuthError::RoleNotGranted)?;
        self.put_user(row);
        Ok(())
    }

    /// # Errors
    /// `RoleEmpty`, `RoleAlreadyExist`.
    pub fn role_add(&mut self, name: &str) -> Result<(), AuthError> {
        if name.is_empty() {
            return Err(AuthError::RoleEmpty);
        }
        if self.policy.roles.contains_key(name.as_bytes()) {
            return Err(AuthError::RoleAlreadyExist);
        }
        self.put_role(Role { name: Bytes::copy_from_slice(name.as_bytes()), key_permission: Vec::new() });
        Ok(())
    }

    /// Takes it from everybody who holds it, too.
    ///
    /// # Errors
    /// `InvalidAuthMgmt` for root, `RoleNotFound`.
    pub fn role_delete(&mut self, name: &str) -> Result<(), AuthError> {
        if self.policy.enabled && name == ROOT {
            return Err(AuthError::InvalidAuthMgmt);
        }
        let (key, _) = self.policy.roles.remove_entry(name.as_bytes()).ok_or(AuthError::RoleNotFound)?;
        rows::delete_role(self.batch, key);
        self.has_changed = true;
        let held: Vec<_> = self.policy.users.values().filter_map(|user| without_role(&user.row, name)).collect();
        for row in held {
            self.put_user(row);
        }
        Ok(())
    }

    /// Lets a role do more. The same keys once more replace what was granted (etcd compares only with the first grant that begins at
    /// that key, and adds a second one beside the others; what may be done is the same).
    ///
    /// # Errors
    /// `PermissionNotGiven`, `InvalidAuthMgmt` for a range that is none, `RoleNotFound`.
    pub fn role_grant_permission(&mut self, name: &str, permission: Option<Permission>) -> Result<(), AuthError> {
        let permission = permission.ok_or(AuthError::PermissionNotGiven)?;
        if !is_range(&permission) {
            return Err(AuthError::InvalidAuthMgmt);
        }
        let role = self.policy.roles.get(name.as_bytes()).ok_or(AuthError::RoleNotFound)?;
        let mut row = Role::clone(role);
        let same = |granted: &&mut Permission| is_for(granted, &permission.key, &permission.range_end);
        match row.key_permission.iter_mut().find(same) {
            Some(granted) => *granted = permission,
            None => {
                row.key_permission.push(permission);
                row.key_permission.sort_by(|a, b| a.key.cmp(&b.key));
            }
        }
        self.put_role(row);
        Ok(())
    }

    /// # Errors
    /// `RoleNotFound`; `PermissionNotGranted` unless exactly these keys were granted.
    pub fn role_revoke_permission(&mut self, name: &str, key: &[u8], range_end: &[u8]) -> Result<(), AuthError> {
        let role = self.policy.roles.get(name.as_bytes()).ok_or(AuthError::RoleNotFound)?;
        let mut row = Role::clone(role);
        row.key_permission.retain(|granted| !is_for(granted, key, range_end));
        if row.key_permission.len() == role.key_permission.len() {
            return Err(AuthError::PermissionNotGranted);
        }
        self.put_role(row);
        Ok(())
    }

    fn put_user(&mut self, row: User) {
        rows::put_user(self.batch, &row);
        self.policy.put_user(row);
        self.has_changed = true;
    }

    fn put_role(&mut self, row: Role) {
        rows::put_role(self.batch, &row);
        self.policy.put_role(row);
        self.has_changed = true;
    }
}

/// None if it was not held.
fn without_role(row: &User, role: &str) -> Option<User> {
    let roles: Vec<_> = row.roles.iter().filter(|held| *held != role).cloned().collect();
    (roles.len() < row.roles.len()).then(|| User { roles, ..row.clone() })
}

fn is_for(permission: &Permission, key: &[u8], range_end: &[u8]) -> bool {
    permission.key == key && permission.range_end == range_end
}

/// A single key, keys up to another one behind it, or all from one on.
fn is_range(permission: &Permission) -> bool {
    let Permission { key, range_end, .. } = permission;
    !key.is_empty() && (range_end.is_empty() || key < range_end || range_end[..] == [0])
}
