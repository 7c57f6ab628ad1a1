//! From a log entry to the command that it carries, or to the reason why this release cannot tell what it asks for.

use bytes::Bytes;
use keyport_api::etcdserverpb::{InternalRaftRequest, RequestHeader};
use prost::{DecodeError, Message};
use thiserror::Error;

use super::legacy::{self, LegacyError};
use super::proposal::beside;
use super::{Command, Proposal};
use crate::auth::{Author, Roles};

/// Why an entry is not understood.
#[derive(Debug, Error)]
pub(crate) enum NotUnderstood {
    #[error("it is no request: {0}")]
    Encoding(#[from] DecodeError),
    #[error("it is no request that this release knows")]
    OtherRelease,
    #[error(transparent)]
    Legacy(#[from] LegacyError),
}

impl Proposal {
    /// # Errors
    /// When this release does not know what the entry asks for.
    pub(crate) fn decode(entry: &Bytes) -> Result<Proposal, NotUnderstood> {
        match InternalRaftRequest::decode(entry.clone()) {
            Ok(mut envelope) => {
                let RequestHeader { id, username, auth_revision } = envelope.header.take().unwrap_or_default();
                let id = if id == 0 { envelope.id } else { id };
                let (command, roles) = match command(envelope)? {
                    Some(command) => (command, None),
                    None => elsewhere(entry)?,
                };
                let author = Author { user: username.into(), auth_revision, roles };
                let author = Some(author).filter(|author| !author.user.is_empty());
                Ok(Proposal { id, author, command })
            }
            // Nobody here waits for what another program has proposed.
            Err(error) => match legacy::bare(entry)? {
                Some(command) => Ok(Proposal { id: 0, author: None, command }),
                None => Err(error.into()),
            },
        }
    }
}

/// The request of an entry whose envelope has none, and the roles that its author has by somebody else's word.
fn elsewhere(entry: &Bytes) -> Result<(Command, Option<Roles>), NotUnderstood> {
    if let Some((request, roles)) = beside(entry)? {
        return Ok((command(request)?.ok_or(NotUnderstood::OtherRelease)?, Some(roles)));
    }
    Ok((legacy::wrapped(entry)?.ok_or(NotUnderstood::OtherRelease)?, None))
}

/// The one request in the envelope; none if there is none in a field of its own.
fn command(mut request: InternalRaftRequest) -> Result<Option<Command>, NotUnderstood> {
    if let Some(command) = Command::take_from(&mut request) {
        return Ok(Some(command));
    }
    if request.range.is_some() {
        return Ok(Some(Command::Nothing("Range")));
    }
    if request.downgrade_version_test.is_some() {
        return Ok(Some(Command::Nothing("DowngradeVersionTest")));
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
