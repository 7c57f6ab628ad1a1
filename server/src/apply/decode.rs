//! From a log entry to the command that it carries, or to the reason why this release cannot tell what it asks for.

use bytes::Bytes;
use keyport_api::etcdserverpb::{InternalRaftRequest, RequestHeader};
use prost::{DecodeError, Message};
use thiserror::Error;

use super::legacy::{self, LegacyError};
use super::{Author, Command, Proposal};

/// Why an entry is not understood.
#[derive(Debug, Error)]
pub(crate) enum NotUnderstood {
    #[error("it is no request: {0}")]
    Encoding(#[from] DecodeError),
    #[error("it is no request that this release knows")]
    OtherRelease,
    #[error("{0} is not implemented")]
    NotImplemented(&'static str),
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
                let author = (!username.is_empty()).then_some(Author { user: username, auth_revision });
                let command = match command(envelope)? {
                    Some(command) => command,
                    None => legacy::wrapped(entry)?.ok_or(NotUnderstood::OtherRelease)?,
                };
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
    macro_rules! not_implemented {
        ($($field:ident),* $(,)?) => {
            $(if request.$field.is_some() { return Err(NotUnderstood::NotImplemented(stringify!($field))) })*
        };
    }
    not_implemented! {
        auth_enable, auth_disable, authenticate, auth_status,
        auth_user_add, auth_user_delete, auth_user_get, auth_user_change_password, auth_user_grant_role,
        auth_user_revoke_role, auth_user_list,
        auth_role_list, auth_role_add, auth_role_delete, auth_role_get, auth_role_grant_permission,
        auth_role_revoke_permission,
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
