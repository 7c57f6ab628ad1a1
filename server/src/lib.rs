//! The process: listeners, middleware, services, the apply chain and bootstrap.

pub mod services;
