//! The process: listeners, middleware, calls, the apply chain and bootstrap.

mod apply;
mod asking;
pub mod bootstrap;
mod bulk;
pub mod calls;
pub mod config;
mod courier;
pub mod faces;
mod gate;
pub mod http;
mod kv;
pub mod logging;
mod membership;
mod memory;
pub mod metrics;
pub mod net;
mod node;
mod peer_port;
mod run;
mod service_manager;
mod state;
#[cfg(test)]
pub(crate) mod testing;
pub mod trial;
pub mod version;

pub use run::{RunError, run};
