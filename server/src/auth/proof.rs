//! What is left of a password once it was found right.

use std::sync::Arc;

use keyport_storage::auth::Policy;

use super::Author;

/// That somebody has said the password of a user. It lasts for as long as the user has that password.
#[derive(Clone, Debug)]
pub(crate) struct Proof {
    user: Arc<str>,
    /// What the password was compared with.
    hashed: Arc<[u8]>,
    /// The revision of users and roles then.
    pub(crate) auth_revision: u64,
}

impl Proof {
    pub(super) fn new(user: &str, hashed: &[u8], auth_revision: u64) -> Proof {
        Proof { user: user.into(), hashed: hashed.into(), auth_revision }
    }

    /// Who it stands for under these rules, if it still does.
    pub(crate) fn author(&self, policy: &Policy) -> Option<Author> {
        let hashed = policy.user(&self.user)?.password_hash()?;
        let author = || Author::of(Arc::clone(&self.user), policy.revision());
        (*hashed == *self.hashed).then(author)
    }
}
