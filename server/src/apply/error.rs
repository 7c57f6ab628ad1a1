//! What comes of an operation that does not succeed, and what storage refuses, in the words that clients know.

use keyport_api::error::Error;
use keyport_storage::backend::BackendError;
use keyport_storage::lease::LeaseError;
use keyport_storage::mvcc::MvccError;

use super::fault::Fault;

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

impl From<MvccError> for OpError {
    fn from(error: MvccError) -> OpError {
        match error {
            MvccError::Compacted => OpError::Refused(Error::Compacted),
            MvccError::FutureRevision => OpError::Refused(Error::FutureRev),
            MvccError::Backend(error) => OpError::Failed(error.into()),
        }
    }
}

impl From<serde_json::Error> for OpError {
    fn from(error: serde_json::Error) -> OpError {
        OpError::Failed(error.into())
    }
}

/// For reads, whose failure changes nothing: a client learns that the database failed; why is the operator's business.
impl From<OpError> for Error {
    fn from(error: OpError) -> Error {
        match error {
            OpError::Refused(error) => error,
            OpError::Failed(fault) => {
                tracing::error!(error = %fault, "the database failed");
                Error::StorageFailed
            }
        }
    }
}

pub(crate) fn mvcc(error: MvccError) -> Error {
    OpError::from(error).into()
}

pub(crate) fn lease(error: LeaseError) -> Error {
    match error {
        LeaseError::NotFound => Error::LeaseNotFound,
        LeaseError::Exists => Error::LeaseExist,
        LeaseError::TtlTooLarge => Error::LeaseTtlTooLarge,
        LeaseError::NotPrimary => Error::NotPrimaryLessor,
    }
}

pub(crate) fn backend(error: &BackendError) -> Error {
    OpError::Failed(error.clone().into()).into()
}
