//! End-to-end suites: what a client can see of a running server, one module an area.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a failed step fails the test")]

mod clients;
mod differential;
mod etcdctl;
mod headers;
mod kv;
mod lease;
mod services;
mod watch;
