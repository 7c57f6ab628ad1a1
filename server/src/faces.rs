//! The faces of the node: adapters that decode a request, make the call, and encode what comes of it.
//!
//! Nothing is decided here. [`routes`] says which face answers which request.

pub mod grpc;
pub mod json;
mod kit;
pub mod ops;
pub mod routes;
mod sse;

#[cfg(test)]
mod tests;
