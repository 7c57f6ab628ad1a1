//! The process: listeners, middleware, services, the apply chain and bootstrap.

mod apply;
pub mod bootstrap;
pub mod config;
mod courier;
mod deadline;
pub mod gateway;
pub mod grpc;
pub mod http;
pub mod logging;
mod membership;
pub mod metrics;
mod node;
mod peers;
mod run;
pub mod services;
mod sse;
mod state;
pub mod trial;
pub mod version;

pub use run::{RunError, run};
