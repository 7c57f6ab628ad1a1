//! What can be typed at all, for shells and for `man`: the flags of the server's one table and the commands with their own.

mod command;
mod tree;

pub use command::{is_asked_for, run};
