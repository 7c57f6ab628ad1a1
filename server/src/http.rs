//! The way of every request on the client port: its connection, the stack of layers, bodies and deadlines. Knows no face:
//! what answers is an [`App`].

mod app;
mod body;
mod call;
mod connection;
pub(crate) mod deadline;
mod layers;
pub(crate) mod plain;
mod stack;

pub use app::{App, BoxError};
pub use body::{BodyTooLarge, RequestBody, ResponseBody};
pub use call::ConnInfo;
pub use connection::serve;
pub use layers::identity::AuthInfo;
pub use stack::StackOptions;

#[cfg(test)]
mod tests;
