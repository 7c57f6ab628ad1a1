//! Whose wish something is.

use std::sync::Arc;

use keyport_storage::auth::{ROOT, Who};

/// Names of roles; in one word, as an author is carried with every request.
pub(crate) type Roles = Arc<Vec<Arc<str>>>;

/// Whose wish it is, as the log records it and every member reads it. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Author {
    pub(crate) user: Arc<str>,
    /// The revision of users and roles at which the user was found to be who he is.
    pub(crate) auth_revision: u64,
    /// What he has in the place of the user's roles, if somebody else vouches for him and for them.
    pub(crate) roles: Option<Roles>,
}

impl Author {
    /// A user, with the roles that he has.
    pub(crate) fn of(user: Arc<str>, auth_revision: u64) -> Author {
        Author { user, auth_revision, roles: None }
    }

    /// The cluster itself: as root, whatever happens to users and roles meanwhile.
    pub(crate) fn cluster() -> Author {
        Author::of(ROOT.into(), u64::MAX)
    }

    pub(crate) fn who(&self) -> Who<'_> {
        Who { user: &self.user, auth_revision: self.auth_revision, roles: self.roles.as_deref().map(Vec::as_slice) }
    }
}
