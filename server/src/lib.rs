//! The process: listeners, middleware, services, the apply chain and bootstrap.

pub mod config;
pub mod gateway;
pub mod logging;
pub mod metrics;
pub mod services;
pub mod version;
