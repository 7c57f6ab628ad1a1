//! Who somebody is, and what he may: tokens, passwords, and what each request needs its caller to be allowed.
//!
//! Users, roles and permissions themselves are in the storage (`keyport_storage::auth`), as the log decides them. What is
//! here looks at them, and changes nothing.

mod author;
mod needs;
pub(crate) mod passwords;
mod refusal;
mod rights;
pub(crate) mod tokens;

pub(crate) use author::Author;
pub(crate) use needs::{Needs, ReadsOfLease, Root, Watches};
pub(crate) use refusal::refused;
pub(crate) use rights::Rights;
