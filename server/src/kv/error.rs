//! What comes of an operation on keys that does not succeed, and what the store refuses, in the words that clients know.

use keyport_api::error::Error;
use keyport_storage::backend::BackendError;
use keyport_storage::mvcc::MvccError;

/// An operation on keys that did not succeed.
#[derive(Debug)]
pub(crate) enum KvError {
    /// The state is such that the request makes no sense; the same on every member.
    Refused(Error),
    /// This member could not find out.
    Failed(BackendError),
    /// Whoever read gave it up, see [`Store::range_while`](keyport_storage::mvcc::Store::range_while).
    Interrupted,
}

impl From<Error> for KvError {
    fn from(error: Error) -> KvError {
        KvError::Refused(error)
    }
}

impl From<BackendError> for KvError {
    fn from(error: BackendError) -> KvError {
        KvError::Failed(error)
    }
}

impl From<MvccError> for KvError {
    fn from(error: MvccError) -> KvError {
        match error {
            MvccError::Compacted => KvError::Refused(Error::Compacted),
            MvccError::FutureRevision => KvError::Refused(Error::FutureRev),
            MvccError::Interrupted => KvError::Interrupted,
            MvccError::Backend(error) => KvError::Failed(error),
        }
    }
}

/// For reads, whose failure changes nothing: a client learns that the database failed; why is the operator's business.
impl From<KvError> for Error {
    fn from(error: KvError) -> Error {
        match error {
            KvError::Refused(error) => error,
            KvError::Failed(error) => {
                tracing::error!(%error, "the database failed");
                Error::StorageFailed
            }
            // Nobody waits for the answer.
            KvError::Interrupted => Error::Stopped,
        }
    }
}
