//! What can be wrong with a set of keys.

use std::io;
use std::path::PathBuf;

use super::MOST_KEY_SET_BYTES;

/// Why keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeySetError {
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("the set of keys has more than {MOST_KEY_SET_BYTES} bytes")]
    TooLarge,
    #[error("it is no set of keys in JSON: {{\"keys\": [...]}}, without a name that is there twice")]
    Form,
    #[error("the set has more than {0} keys")]
    TooMany(usize),
    #[error("the set has no key for signatures that could be used{0}")]
    Unusable(String),
}
