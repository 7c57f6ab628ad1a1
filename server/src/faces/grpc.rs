//! gRPC on the client port.
//!
//! Every service is there as tonic generates it. The calls that carry nearly all of the load are answered before
//! that, by `hot::HotPaths`: the same calls, but encoded straight from what the store shares, with nothing boxed
//! or copied on the way.

mod body;
mod compression;
mod health;
pub(super) mod hot;
mod keys;
pub(super) mod others;
pub(super) mod services;
mod unary;
mod watch_codec;

pub(super) use body::HotBody;
