//! What users are given for their passwords.

use std::time::Duration;

/// Settings of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenConfig {
    pub kind: TokenKind,
    /// How long a simple token lives from its last use.
    pub lifetime: Duration,
}

/// What kind of token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Nobody gets one.
    None,
    /// Random letters that every member remembers.
    Simple,
}
