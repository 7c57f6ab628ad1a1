//! Tokens: what a caller is known by once he has said his password.

mod jwt;
mod simple;

use keyport_api::error::Error;
use keyport_storage::auth::Policy;

use super::Author;
use crate::config::{TokenConfig, TokenKind};
use jwt::JwtTokens;
pub(crate) use jwt::KeyError;
use simple::SimpleTokens;

/// What gives out tokens and knows them again.
#[derive(Debug)]
pub(crate) enum Tokens {
    /// Nobody gets one.
    None,
    Simple(SimpleTokens),
    Jwt(Box<JwtTokens>),
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
    /// Reads keys, where there are any.
    ///
    /// # Errors
    /// When they cannot be used.
    pub(crate) fn open(options: &TokenConfig) -> Result<Tokens, KeyError> {
        Ok(match &options.kind {
            TokenKind::None => Tokens::None,
            TokenKind::Simple => Tokens::Simple(SimpleTokens::new(options.lifetime)),
            TokenKind::Jwt(config) => Tokens::Jwt(Box::new(JwtTokens::open(config)?)),
        })
    }

    /// Who holds `token`, under the rules of this moment.
    pub(crate) fn meaning(&self, token: &str, policy: &Policy) -> Meaning {
        match self {
            Tokens::None => Meaning::Invalid,
            Tokens::Simple(tokens) => tokens.meaning(token, policy),
            Tokens::Jwt(tokens) => tokens.meaning(token, policy),
        }
    }

    /// What a request for a token takes along through the log; empty where tokens do not come from there.
    pub(crate) fn seed(&self) -> String {
        match self {
            Tokens::None | Tokens::Jwt(_) => String::new(),
            Tokens::Simple(_) => SimpleTokens::seed(),
        }
    }

    /// The log says at `index` that a user has said his password.
    pub(crate) fn enter(&self, user: &str, seed: &str, index: u64) {
        if let Tokens::Simple(tokens) = self {
            tokens.enter(user, seed, index);
        }
    }

    /// The token of a user who was entered so, at this revision of users and roles. Signing may take some milliseconds.
    ///
    /// # Errors
    /// `AuthFailed`, where nobody gets one; `VerifyOnlyKey`; `TokenNotSigned`.
    pub(crate) fn issue(&self, user: &str, auth_revision: u64, seed: &str, index: u64) -> Result<String, Error> {
        match self {
            Tokens::None => Err(Error::AuthFailed),
            Tokens::Simple(_) => Ok(SimpleTokens::text(seed, index)),
            Tokens::Jwt(tokens) => tokens.issue(user, auth_revision),
        }
    }

    /// Somebody gives a token back. Who has it is not known here any more; other members go on knowing it, and what is signed stays
    /// good.
    pub(crate) fn forget(&self, token: &str) {
        if let Tokens::Simple(tokens) = self {
            tokens.forget(token);
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
        match self {
            Tokens::None => {}
            Tokens::Simple(tokens) => tokens.forget_all(),
            Tokens::Jwt(tokens) => tokens.forget_all(),
        }
    }

    /// Drops what has not been used for too long.
    pub(crate) fn sweep(&self) {
        if let Tokens::Simple(tokens) = self {
            tokens.sweep();
        }
    }
}
