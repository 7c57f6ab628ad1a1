//! The parts of the crate together, over a real file.

mod restart;
mod watch_history;
