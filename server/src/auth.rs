//! Who somebody is, and what he may: tokens, passwords, and what each request needs its caller to be allowed.
//!
//! Users, roles and permissions themselves are in the storage (`keyport_storage::auth`), as the log decides them. What is
//! here looks at them, and changes nothing.

mod author;
mod hashing;
pub(crate) mod identities;
mod logins;
mod needs;
pub(crate) mod passwords;
mod proof;
mod refusal;
mod remembered;
mod rights;
mod secret;
mod signed;
pub(crate) mod tokens;
mod told;
mod tries;
mod turned_away;
mod turns;

pub(crate) use author::{Author, Roles};
pub(crate) use logins::Logins;
pub(crate) use needs::{Needs, ReadsLeased, ReadsOfLease, Root, Watches};
pub(crate) use proof::Proof;
pub(crate) use refusal::refused;
pub(crate) use rights::Rights;
pub use secret::{Login, Secret};
pub(crate) use turns::Line;
