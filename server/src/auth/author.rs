//! Whose wish something is.

use std::sync::Arc;

use keyport_storage::auth::{ROOT, Who};

/// Whose wish it is, as the log records it and every member reads it. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Author {
    pub(crate) user: Arc<str>,
    /// The revision of users and roles at which the user was found to be who he is.
    pub(crate) auth_revision: u64,
}

impl Author {
    /// The cluster itself: as root, whatever happens to users and roles meanwhile.
    pub(crate) fn cluster() -> Author {
        Author { user: ROOT.into(), auth_revision: u64::MAX }
    }

    pub(crate) fn who(&self) -> Who<'_> {
        Who { user: &self.user, auth_revision: self.auth_revision }
    }
}
