//! `keyport doctor`: one archive for a bug report, of what a running member says of itself, of its log and of what a stopped
//! one left. No password, token, key of a certificate or value of a key is in it, and what could not be had is said.

mod archive;
mod ask;
mod command;
mod log_file;
mod scrub;

pub(crate) use command::shape;
pub use command::{is_asked_for, run};
