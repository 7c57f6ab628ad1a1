//! Why a lease operation is refused.

use prost::DecodeError;
use thiserror::Error;

use crate::backend::BackendError;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LeaseError {
    #[error("requested lease not found")]
    NotFound,
    #[error("lease already exists")]
    Exists,
    #[error("too large lease TTL")]
    TtlTooLarge,
    #[error("not a primary lessor")]
    NotPrimary,
}

/// Why rows could not be taken over at start.
#[derive(Debug, Error)]
pub enum RecoverError {
    #[error(transparent)]
    Backend(#[from] BackendError),
    #[error("bucket {bucket}, row {}: {source}", hex(key))]
    Row { bucket: &'static str, key: Vec<u8>, source: DecodeError },
    #[error("bucket {bucket}, row {}: not {bytes} bytes long", hex(key))]
    Length { bucket: &'static str, key: Vec<u8>, bytes: usize },
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
