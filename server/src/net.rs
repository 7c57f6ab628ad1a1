//! Sockets: one way in, one way out. What is accepted belongs to an event loop; what it speaks is none of this room's
//! business.

pub(crate) mod dial;
pub(crate) mod event_loops;
mod listen;
mod overheard;
mod own_address;
mod socket;
mod stream;
pub(crate) mod turn;

pub use listen::{BindError, Face, Listener, bind};
pub(crate) use listen::{ListenSocket, bind_peers, check_free};
pub(crate) use overheard::{Ear, Overheard};
pub use own_address::{own_address, own_name};
pub(crate) use socket::{Socket, StdSocket};
pub(crate) use stream::Stream;
