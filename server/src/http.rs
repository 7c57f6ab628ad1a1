//! The way of every request on the client port: its connection, the stack of layers, bodies. Knows no face: what answers is
//! any [`tower::Service`] of HTTP.

pub(crate) mod answered;
mod body;
mod call;
mod connection;
pub(crate) mod credentials;
mod crowd;
mod ending;
mod frames;
pub mod layers;
mod line;
mod listening;
mod patience;
mod pings;
pub(crate) mod plain;
mod rare;
pub(crate) mod refusal;
pub(crate) mod session_cookie;
mod stack;
mod unheard;
mod unread;
pub(crate) mod vigil;

pub use body::{BodyTooLarge, Metered, Pace, RequestBody};
pub(crate) use call::asks_for_websocket;
pub use call::{Call, Connection, Protocol};
pub use connection::Server;
pub use credentials::Ways;
pub use ending::Ending;
pub(crate) use rare::Rare;
pub(crate) use stack::hosts_for_peers;
pub use stack::{Column, Stack, StackOptions};
pub(crate) use unread::Unread;
pub use vigil::Deadlines;

/// Any error of a body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[cfg(test)]
mod tests;
