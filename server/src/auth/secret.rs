//! What a caller says to prove who he is. Not to be shown.

use std::fmt;
use std::sync::Arc;

/// A token or a password. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// The secret itself, without a scheme before it.
    pub fn new(secret: &str) -> Secret {
        Secret(secret.into())
    }

    /// For whoever checks it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A user, as somebody calls himself, and the password that he says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    pub user: Box<str>,
    pub password: Secret,
}
