//! Data directories of etcd: one that it left behind is taken over where it is, and one is made that it starts from.
//!
//! The log is the same in both, byte for byte. What differs is the database (bbolt there, redb here) and that etcd up to
//! 3.7 keeps a snapshot file beside it, with what was left in the store of its second version.

mod command;
mod database;
mod history;
mod old_store;
mod refusal;
mod snap_file;
mod take_over;
mod to_etcd;

pub(crate) use command::shape;
pub use command::{is_asked_for, run};
pub(crate) use refusal::TakeOverError;
pub(crate) use take_over::{Places, take_over};
