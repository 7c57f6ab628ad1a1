//! What Raft refuses, in the words that clients know.

use keyport_api::error::Error;
use keyport_raft::{ProposeError, ReadIndexError};

pub(super) fn proposing(error: ProposeError) -> Error {
    match error {
        ProposeError::Busy => Error::RequestTooManyRequests,
        ProposeError::Stopped => Error::Stopped,
    }
}

pub(super) fn reading(error: ReadIndexError) -> Error {
    match error {
        ReadIndexError::Busy => Error::RequestTooManyRequests,
        ReadIndexError::Stopped => Error::Stopped,
    }
}
