//! An entry of the log: who waits for it, who asks, and what for.

use keyport_api::etcdserverpb::{InternalRaftRequest, RequestHeader};

use super::Command;
use crate::auth::Author;

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
        let (username, auth_revision) =
            self.author.map_or_else(Default::default, |author| (author.user.to_string(), author.auth_revision));
        let header = RequestHeader { id: self.id, username, auth_revision };
        let mut envelope = InternalRaftRequest { header: Some(header), ..InternalRaftRequest::default() };
        self.command.put_into(&mut envelope);
        envelope
    }
}
