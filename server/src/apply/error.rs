//! What storage refuses, in the words that clients know.

use keyport_api::error::Error;
use keyport_storage::backend::BackendError;
use keyport_storage::lease::LeaseError;
use keyport_storage::mvcc::MvccError;

pub(crate) fn mvcc(error: MvccError) -> Error {
    match error {
        MvccError::Compacted => Error::Compacted,
        MvccError::FutureRevision => Error::FutureRev,
        MvccError::Backend(error) => backend(&error),
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

/// A client learns that the database failed; why is the operator's business.
pub(crate) fn backend(error: &BackendError) -> Error {
    tracing::error!(%error, "the database failed");
    Error::StorageFailed
}
