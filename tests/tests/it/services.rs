//! The lock and election services.

mod election;
mod lock;
