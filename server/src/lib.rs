//! The process: listeners, middleware, calls, the apply chain and bootstrap.
//!
//! What is public is what a program needs that has a member, or a part of one, inside: settings ([`config`]), a member with
//! layers of one's own around it ([`run_within`]; `examples/member.rs`), or the server and its layers around a service of
//! one's own ([`http::Server`], [`http::Stack`]; `examples/in_process.rs`). The rest is for the `keyport` program.

#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr, reason = "they panic once nobody listens"))]

mod apply;
mod asking;
mod audit;
mod auth;
pub mod backups;
mod bootstrap;
mod bulk;
mod calls;
mod command_line;
pub mod config;
mod courier;
pub mod doctor;
pub mod etcd_dir;
mod faces;
mod gate;
pub mod http;
mod kv;
pub mod logging;
mod membership;
mod memory;
pub mod metrics;
pub mod net;
mod node;
pub mod offline;
mod peer_port;
mod profiling;
mod provider;
mod rates;
pub mod reference;
mod run;
mod service_manager;
pub mod staging;
mod state;
mod steps;
pub mod tcp_gateway;
#[cfg(test)]
pub(crate) mod testing;
pub mod tls;
mod traces;
pub mod trial;
mod version;

pub use gate::{Caller, Claims, Identified, Login, Secret};
pub use run::{Clients, RunError, run, run_within};
