//! The client port: listeners, connections, the stack that every request passes, and the endpoints for operators.
//!
//! One port speaks everything: gRPC, gRPC-Web, JSON, REST, events, over HTTP/1.1 and HTTP/2 without encryption. What
//! answers is an [`App`]; [`serve`] puts the stack in front of it and runs until it is told to stop.

mod app;
mod body;
mod call;
mod connection;
mod event_loops;
mod layers;
mod listener;
pub mod ops;
mod routes;
mod stack;

pub use app::{App, BoxError};
pub use body::{BodyTooLarge, RequestBody, ResponseBody};
pub use call::ConnInfo;
pub use connection::serve;
pub use layers::identity::AuthInfo;
pub use listener::{BindError, Face, Listener, bind, bind_peers};
pub use routes::{AnyBody, Routes};
pub use stack::StackOptions;

#[cfg(test)]
mod tests;
