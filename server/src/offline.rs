//! Data directories that no member has open, Keyport's and etcd's: `keyport check` says whether one is sound, and `keyport dump` what
//! is in it. Nothing is ever written to them.

mod check;
mod command;
mod counts;
mod database;
mod directory;
mod dump_hashes;
mod dump_keys;
mod dump_log;
mod request;

pub use command::{Outcome, is_asked_for, run};
pub(crate) use command::{report, shapes};
