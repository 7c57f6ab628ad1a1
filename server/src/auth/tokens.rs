//! Tokens: what a caller is known by once he has said his password.

mod simple;

use keyport_storage::auth::Policy;

use super::Author;
use crate::config::{TokenConfig, TokenKind};
pub(crate) use simple::SimpleTokens;

/// What gives out tokens and knows them again.
#[derive(Debug)]
pub(crate) enum Tokens {
    /// Nobody gets one.
    None,
    Simple(SimpleTokens),
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    Author(Author),
    /// This member hears of it, if it exists, once the entry at this index is applied here.
    NotBefore(u64),
    Invalid,
}

impl Tokens {
    pub(crate) fn of(options: &TokenConfig) -> Tokens {
        match options.kind {
            TokenKind::None => Tokens::None,
            TokenKind::Simple => Tokens::Simple(SimpleTokens::new(options.lifetime)),
        }
    }

    /// Who holds `token`, under the rules of this moment.
    pub(crate) fn meaning(&self, token: &str, policy: &Policy) -> Meaning {
        match self {
            Tokens::None => Meaning::Invalid,
            Tokens::Simple(tokens) => tokens.meaning(token, policy),
        }
    }

    /// What a request for a token takes along through the log; empty where tokens do not come from there.
    pub(crate) fn seed(&self) -> String {
        match self {
            Tokens::None => String::new(),
            Tokens::Simple(_) => SimpleTokens::seed(),
        }
    }

    /// The log says at `index` that a user has said his password.
    pub(crate) fn enter(&self, user: &str, seed: &str, index: u64) {
        if let Tokens::Simple(tokens) = self {
            tokens.enter(user, seed, index);
        }
    }

    /// The token of a user who was entered so; none where nobody gets one.
    pub(crate) fn issue(&self, seed: &str, index: u64) -> Option<String> {
        match self {
            Tokens::None => None,
            Tokens::Simple(_) => Some(SimpleTokens::text(seed, index)),
        }
    }

    /// The log says that a user's tokens are not good any more.
    pub(crate) fn forget_user(&self, user: &str) {
        if let Tokens::Simple(tokens) = self {
            tokens.forget_user(user);
        }
    }

    /// The log says that nobody needs any.
    pub(crate) fn forget_all(&self) {
        if let Tokens::Simple(tokens) = self {
            tokens.forget_all();
        }
    }

    /// Drops what has not been used for too long.
    pub(crate) fn sweep(&self) {
        if let Tokens::Simple(tokens) = self {
            tokens.sweep();
        }
    }
}
