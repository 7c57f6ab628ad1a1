//! The faces of the node: adapters that decode a request, make the call, and encode what comes of it.
//!
//! Nothing is decided here. [`routes`] says which face answers which request.

mod backup;
mod body;
mod byte_range;
mod events;
mod fields;
pub(crate) mod grpc;
pub(crate) mod json;
mod kit;
mod negotiation;
pub(crate) mod ops;
mod packing;
mod pieces;
mod problem;
mod query;
mod rest;
pub(crate) mod routes;
mod session;
mod socket;
mod sse;
mod text;
mod unknown;

#[cfg(test)]
mod tests;
