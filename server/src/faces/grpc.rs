//! gRPC on the client port.
//!
//! Every service is there as tonic generates it. The calls that carry nearly all of the load are answered before
//! that, by [`hot::HotPaths`]: the same services, but encoded straight from what the store shares, with nothing boxed
//! or copied on the way.

mod body;
mod deadline;
pub mod hot;
mod unary;
mod watch_codec;

pub use body::HotBody;
