//! What comes of an applied operation that does not succeed.

use keyport_api::error::Error;
use keyport_storage::auth::AuthError;
use keyport_storage::lease::LeaseError;
use keyport_storage::mvcc::MvccError;

use super::fault::Fault;
use crate::auth::refused;
use crate::kv::KvError;

/// An operation on the state that did not succeed.
#[derive(Debug)]
pub(crate) enum OpError {
    /// The state is such that the request makes no sense; the same on every member.
    Refused(Error),
    /// This member could not find out.
    Failed(Fault),
}

impl From<Error> for OpError {
    fn from(error: Error) -> OpError {
        OpError::Refused(error)
    }
}

impl From<LeaseError> for OpError {
    fn from(error: LeaseError) -> OpError {
        OpError::Refused(lease(error))
    }
}

impl From<AuthError> for OpError {
    fn from(error: AuthError) -> OpError {
        OpError::Refused(refused(error))
    }
}

impl From<KvError> for OpError {
    fn from(error: KvError) -> OpError {
        match error {
            KvError::Refused(error) => OpError::Refused(error),
            KvError::Failed(error) => OpError::Failed(error.into()),
            KvError::Interrupted => OpError::Failed(Fault::Interrupted),
        }
    }
}

impl From<MvccError> for OpError {
    fn from(error: MvccError) -> OpError {
        KvError::from(error).into()
    }
}

impl From<serde_json::Error> for OpError {
    fn from(error: serde_json::Error) -> OpError {
        OpError::Failed(error.into())
    }
}

pub(crate) fn lease(error: LeaseError) -> Error {
    match error {
        LeaseError::NotFound => Error::LeaseNotFound,
        LeaseError::Exists => Error::LeaseExist,
        LeaseError::TtlTooLarge => Error::LeaseTtlTooLarge,
        LeaseError::NotPrimary => Error::NotPrimaryLessor,
    }
}
