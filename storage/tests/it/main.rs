//! The parts of the crate together, over a real file.

mod catch_up;
mod etcd_files;
mod restart;
mod streams;
mod watch_history;
