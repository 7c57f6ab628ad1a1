//! Members that talk over real sockets: clusters, and peers that do not behave.

#![allow(clippy::unwrap_used, missing_debug_implementations)]

mod cluster;
mod harness;
mod machine;
