//! Users and roles as of one auth revision, and what may be asked of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use keyport_api::authpb::{Permission, Role, User, permission};

use super::intervals::Intervals;
use super::{AuthError, ROOT};
use crate::KeyRange;

/// What is done to keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    Read,
    Write,
}

/// Somebody, and the auth revision at which he was found to be who he is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who<'a> {
    pub user: &'a str,
    pub auth_revision: u64,
    /// Roles that count in the place of the user's, who need not be there then.
    pub roles: Option<&'a [Arc<str>]>,
}

/// A user, with what all roles together let him do.
#[derive(Clone, Debug)]
pub struct Account {
    pub(super) row: User,
    read: Intervals,
    write: Intervals,
}

impl Account {
    fn new(row: User, roles: &BTreeMap<Bytes, Arc<Role>>) -> Account {
        let granted = || row.roles.iter().filter_map(|role| roles.get(role.as_bytes())).flat_map(|r| &r.key_permission);
        let of = |access| Intervals::of(granted().filter(|permission| allows(permission, access)));
        let (read, write) = (of(Access::Read), of(Access::Write));
        Account { row, read, write }
    }

    /// The bcrypt text. None if the user can only be known by a certificate.
    pub fn password_hash(&self) -> Option<&[u8]> {
        (!self.has_no_password()).then_some(&self.row.password)
    }

    pub(super) fn has_no_password(&self) -> bool {
        self.row.options.is_some_and(|options| options.no_password)
    }

    /// Names, in their order.
    pub fn roles(&self) -> &[String] {
        &self.row.roles
    }

    pub fn has_role(&self, role: &str) -> bool {
        self.row.roles.binary_search_by(|held| held.as_str().cmp(role)).is_ok()
    }

    /// Which keys may be accessed so: ranges that neither touch nor overlap, in the order of keys.
    pub fn keys(&self, access: Access) -> Vec<KeyRange> {
        match access {
            _ if self.has_role(ROOT) => vec![KeyRange::prefix(b"")],
            Access::Read => self.read.ranges().collect(),
            Access::Write => self.write.ranges().collect(),
        }
    }

    /// Whether every key of `range` may be accessed so.
    pub fn may(&self, access: Access, range: &KeyRange) -> bool {
        let keys = match access {
            Access::Read => &self.read,
            Access::Write => &self.write,
        };
        self.has_role(ROOT) || keys.cover(range)
    }
}

fn allows(permission: &Permission, access: Access) -> bool {
    match permission.perm_type() {
        permission::Type::Readwrite => true,
        permission::Type::Read => access == Access::Read && permission.perm_type == permission::Type::Read as i32,
        permission::Type::Write => access == Access::Write,
    }
}

/// See the module's text. Cheap enough to clone: users and roles are shared.
#[derive(Clone, Debug)]
pub struct Policy {
    pub(super) enabled: bool,
    pub(super) revision: u64,
    pub(super) users: BTreeMap<Bytes, Arc<Account>>,
    pub(super) roles: BTreeMap<Bytes, Arc<Role>>,
}

impl Policy {
    pub(super) const FIRST_REVISION: u64 = 1;

    pub(super) fn new() -> Policy {
        Policy { enabled: false, revision: Policy::FIRST_REVISION, users: BTreeMap::new(), roles: BTreeMap::new() }
    }

    /// Whether callers need to be somebody.
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Counts the changes of users, roles and permissions.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    pub fn user(&self, name: &str) -> Option<&Account> {
        self.users.get(name.as_bytes()).map(|account| &**account)
    }

    /// Names, in their order.
    pub fn users(&self) -> impl Iterator<Item = String> {
        self.users.keys().map(|name| String::from_utf8_lossy(name).into_owned())
    }

    /// Names, in their order.
    pub fn roles(&self) -> impl Iterator<Item = String> {
        self.roles.keys().map(|name| String::from_utf8_lossy(name).into_owned())
    }

    /// What a role lets do; everything for `root`, whatever its row says.
    pub fn role(&self, name: &str) -> Option<Vec<Permission>> {
        let role = self.roles.get(name.as_bytes())?;
        if name == ROOT {
            let everything = Permission {
                perm_type: permission::Type::Readwrite as i32,
                key: Bytes::new(),
                range_end: Bytes::from_static(&[0]),
            };
            return Some(vec![everything]);
        }
        Some(role.key_permission.clone())
    }

    /// Whether `who` may do this to all keys of a range. Nobody is none.
    ///
    /// # Errors
    /// In this order: `UserEmpty`, `OldRevision`, `PermissionDenied`, which is also the answer for who is no user any more.
    pub fn check_keys(&self, who: Option<Who<'_>>, access: Access, range: &KeyRange) -> Result<(), AuthError> {
        if !self.enabled {
            return Ok(());
        }
        let who = who.filter(|who| who.auth_revision != 0).ok_or(AuthError::UserEmpty)?;
        if who.auth_revision < self.revision {
            return Err(AuthError::OldRevision);
        }
        let allowed = match who.roles {
            None => self.user(who.user).is_some_and(|account| account.may(access, range)),
            Some(_) => self.holds(who, ROOT) || self.keys_of(who, access).cover(range),
        };
        if allowed { Ok(()) } else { Err(AuthError::PermissionDenied) }
    }

    /// Whether `who` may do everything. The revision is not compared: etcd does not, either.
    ///
    /// # Errors
    /// `UserEmpty`, `UserNotFound`, `PermissionDenied`.
    pub fn check_admin(&self, who: Option<Who<'_>>) -> Result<(), AuthError> {
        if !self.enabled {
            return Ok(());
        }
        let who = who.filter(|who| !who.user.is_empty()).ok_or(AuthError::UserEmpty)?;
        if who.roles.is_none() && self.user(who.user).is_none() {
            return Err(AuthError::UserNotFound);
        }
        if self.holds(who, ROOT) { Ok(()) } else { Err(AuthError::PermissionDenied) }
    }

    /// Whether there is such a role.
    pub fn has_role(&self, name: &str) -> bool {
        self.roles.contains_key(name.as_bytes())
    }

    /// Whether somebody is more than a name: a user, or one who has a role that there is.
    pub fn knows(&self, who: Who<'_>) -> bool {
        match who.roles {
            None => self.user(who.user).is_some(),
            Some(roles) => roles.iter().any(|role| self.has_role(role)),
        }
    }

    /// Whether somebody has a role that there is.
    pub fn holds(&self, who: Who<'_>, role: &str) -> bool {
        match who.roles {
            None => self.user(who.user).is_some_and(|account| account.has_role(role)),
            Some(roles) => roles.iter().any(|held| **held == *role) && self.has_role(role),
        }
    }

    /// What roles let do that nobody here was given: there is no account in which that would be kept.
    fn keys_of(&self, who: Who<'_>, access: Access) -> Intervals {
        let held = who.roles.unwrap_or_default().iter().filter_map(|role| self.roles.get(role.as_bytes()));
        Intervals::of(held.flat_map(|role| &role.key_permission).filter(|permission| allows(permission, access)))
    }

    pub(super) fn put_user(&mut self, row: User) {
        let account = Account::new(row, &self.roles);
        self.users.insert(account.row.name.clone(), Arc::new(account));
    }

    /// Also whoever holds it.
    pub(super) fn put_role(&mut self, row: Role) {
        let name = row.name.clone();
        self.roles.insert(name.clone(), Arc::new(row));
        let holds = |account: &Account| account.row.roles.iter().any(|role| role.as_bytes() == name);
        for account in self.users.values_mut().filter(|account| holds(account)) {
            *account = Arc::new(Account::new(account.row.clone(), &self.roles));
        }
    }
}
