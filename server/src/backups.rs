//! `keyport snapshot`: copies of the database that a server has made, or an etcd, looked at and made the beginning of a new
//! cluster. No server has to run.

mod command;
mod file;
mod restore;
mod shown;
mod status;

pub use command::{is_asked_for, run};
