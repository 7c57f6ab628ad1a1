//! An entry of the log: who waits for it, who asks, and what for.

use std::sync::Arc;

use keyport_api::etcdserverpb::{InternalRaftRequest, RequestHeader};
use prost::{DecodeError, Message};

use super::Command;
use crate::auth::{Author, Roles};

/// A decoded entry.
#[derive(Clone, Debug)]
pub(crate) struct Proposal {
    /// 0 when nobody waits.
    pub(crate) id: u64,
    /// None for the node's own wishes, and while there are no users.
    pub(crate) author: Option<Author>,
    pub(crate) command: Command,
}

/// An entry on its way into the log.
#[derive(Debug)]
pub(crate) struct Entry {
    envelope: InternalRaftRequest,
    beside: Beside,
}

/// What is in an entry beside what etcd knows.
#[derive(Clone, PartialEq, Message)]
struct Beside {
    #[prost(message, optional, boxed, tag = "30000")]
    vouched: Option<Box<Vouched>>,
}

/// A request of somebody for whom somebody else vouches. It stands in here and not in the envelope: a release that does not know
/// of roles that come with an author must not take it for one that it could judge.
#[derive(Clone, PartialEq, Message)]
struct Vouched {
    /// Those of the author.
    #[prost(string, repeated, tag = "1")]
    roles: Vec<String>,
    /// Without a header.
    #[prost(message, optional, tag = "2")]
    request: Option<InternalRaftRequest>,
}

impl Proposal {
    /// The entry, in etcd's envelope.
    pub(crate) fn encode(self) -> Entry {
        let (username, auth_revision, roles) = self.author.map_or_else(Default::default, |author| {
            let Author { user, auth_revision, roles } = author;
            (user.to_string(), auth_revision, roles)
        });
        let header = RequestHeader { id: self.id, username, auth_revision };
        let mut envelope = InternalRaftRequest { header: Some(header), ..InternalRaftRequest::default() };
        let vouched = if let Some(roles) = roles {
            let mut request = InternalRaftRequest::default();
            self.command.put_into(&mut request);
            let roles = roles.iter().map(|role| role.to_string()).collect();
            Some(Box::new(Vouched { roles, request: Some(request) }))
        } else {
            self.command.put_into(&mut envelope);
            None
        };
        Entry { envelope, beside: Beside { vouched } }
    }
}

impl Entry {
    /// In bytes.
    pub(crate) fn encoded_len(&self) -> usize {
        self.envelope.encoded_len() + self.beside.encoded_len()
    }

    pub(crate) fn encode_to_vec(&self) -> Vec<u8> {
        let mut bytes = self.envelope.encode_to_vec();
        bytes.extend(self.beside.encode_to_vec());
        bytes
    }
}

/// What stands beside the envelope of an entry, if something does: a request, and the roles of its author.
///
/// # Errors
/// When it is no message.
pub(super) fn beside(entry: &[u8]) -> Result<Option<(InternalRaftRequest, Roles)>, DecodeError> {
    let Beside { vouched } = Beside::decode(entry)?;
    Ok(vouched.map(|vouched| {
        let Vouched { roles, request } = *vouched;
        (request.unwrap_or_default(), Arc::new(roles.into_iter().map(Arc::from).collect()))
    }))
}
