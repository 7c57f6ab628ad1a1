//! Users, roles and what they may: the part of it that all members agree on through the log.
//!
//! Everything that a check looks at is one [`Policy`], which never changes: the apply thread makes the next one of it and
//! puts that in its place, rows and policy in one step of the log. So whoever checks takes no lock, and sees users, roles
//! and auth revision of one moment.
//!
//! Rows are etcd's, byte for byte: bucket `auth` (`authEnabled`, `authRevision`), `authUsers` and `authRoles` (the name, an
//! `authpb.User` or `authpb.Role`). Passwords come in hashed, and hashes are opaque here.

mod edit;
mod error;
mod intervals;
mod policy;
mod rows;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::backend::{Backend, Batch, Rows};
use crate::lease::RecoverError;

pub use edit::{Edit, Grant, PasswordHash};
pub use error::AuthError;
pub use policy::{Access, Account, Policy, Who};

/// The user, and the role, that may do everything.
pub const ROOT: &str = "root";

/// Keeps the current [`Policy`]. Shared by reference; [`AuthStore::change`] is for the apply thread, the rest for any.
#[derive(Debug)]
pub struct AuthStore {
    current: ArcSwap<Policy>,
}

impl Default for AuthStore {
    fn default() -> AuthStore {
        AuthStore { current: ArcSwap::from_pointee(Policy::new()) }
    }
}

impl AuthStore {
    /// Without users, and off.
    pub fn new() -> AuthStore {
        AuthStore::default()
    }

    /// Takes over what a backend holds, in place of everything known before. A backend without an auth revision gets its
    /// first, as etcd gives it.
    ///
    /// # Errors
    /// When the backend cannot be read, or holds what is no user or role. Nothing has changed then.
    pub fn recover(&self, backend: &Backend) -> Result<(), RecoverError> {
        let (policy, is_new) = rows::load(backend)?;
        if is_new {
            let mut batch = Batch::new();
            rows::put_revision(&mut batch, policy.revision());
            backend.commit(batch, None);
        }
        self.current.store(Arc::new(policy));
        Ok(())
    }

    /// Whether [`AuthStore::recover`] could take over what is there.
    ///
    /// # Errors
    /// As with that.
    pub fn check(rows: &impl Rows) -> Result<(), RecoverError> {
        rows::load(rows).map(drop)
    }

    /// Users, roles and revision as of now.
    pub fn policy(&self) -> Arc<Policy> {
        self.current.load_full()
    }

    /// Runs `look` on the current policy: cheaper than [`AuthStore::policy`] for a short look.
    pub fn with<T>(&self, look: impl FnOnce(&Policy) -> T) -> T {
        look(&self.current.load())
    }

    /// Whether callers need to be somebody.
    pub fn is_enabled(&self) -> bool {
        self.with(Policy::is_enabled)
    }

    /// Counts the changes of users, roles and permissions; 1 before the first.
    pub fn revision(&self) -> u64 {
        self.with(Policy::revision)
    }

    /// Makes the next policy; its rows go into `batch`.
    ///
    /// # Errors
    /// What `change` says; then nothing has changed, and nothing was added to the batch.
    pub fn change<T>(
        &self,
        batch: &mut Batch,
        change: impl FnOnce(&mut Edit<'_>) -> Result<T, AuthError>,
    ) -> Result<T, AuthError> {
        let mut edit = Edit::new(Policy::clone(&self.current.load()), batch);
        let outcome = change(&mut edit)?;
        self.current.store(Arc::new(edit.finish()));
        Ok(outcome)
    }
}
