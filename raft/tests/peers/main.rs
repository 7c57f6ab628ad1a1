//! Members that talk over real sockets: clusters, and peers that do not behave.

#![allow(clippy::unwrap_used, missing_debug_implementations)]

mod catch_up;
mod cluster;
mod harness;
mod hostile;
mod machine;
mod plain;
mod raw;
mod refusals;
mod snapshots;
mod streams;
