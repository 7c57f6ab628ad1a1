//! Sockets: one way in. What is accepted belongs to an event loop; what it speaks is none of this room's business.

pub(crate) mod event_loops;
mod listen;
mod stream;
pub(crate) mod turn;

pub use listen::{BindError, Face, Listener, bind};
pub(crate) use listen::{ListenSocket, bind_peers};
pub(crate) use stream::{StdStream, Stream};
