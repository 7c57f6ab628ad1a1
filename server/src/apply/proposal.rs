//! An entry of the log: who waits for it, who asks, and what for.

use keyport_api::etcdserverpb::{InternalRaftRequest, RequestHeader};

use super::Command;

/// Whose wish it is, as the log records it and every member reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Author {
    pub(crate) user: String,
    /// The revision of users and roles at which the user was found to be who he is.
    pub(crate) auth_revision: u64,
}

/// A decoded entry.
#[derive(Clone, Debug)]
pub(crate) struct Proposal {
    /// 0 when nobody waits.
    pub(crate) id: u64,
    /// None for the node's own wishes, and while there are no users.
    pub(crate) author: Option<Author>,
    pub(crate) command: Command,
}

impl Proposal {
    /// The entry, in etcd's envelope.
    pub(crate) fn encode(self) -> InternalRaftRequest {
        let Author { user, auth_revision } = self.author.unwrap_or(Author { user: String::new(), auth_revision: 0 });
        let header = RequestHeader { id: self.id, username: user, auth_revision };
        let mut envelope = InternalRaftRequest { header: Some(header), ..InternalRaftRequest::default() };
        self.command.put_into(&mut envelope);
        envelope
    }
}
