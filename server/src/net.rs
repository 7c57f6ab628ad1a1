//! Sockets: one way in, one way out, encrypted or not. What is accepted belongs to an event loop; what it speaks is none of this room's
//! business.

mod arrival;
pub(crate) mod dial;
pub(crate) mod event_loops;
mod handed;
mod listen;
mod names;
mod overheard;
mod own_address;
mod proxy;
mod secure;
mod socket;
mod stream;
pub(crate) mod turn;
mod wire;

pub(crate) use arrival::{Arrival, Ready};
pub(crate) use handed::{Handed, HandedError};
pub use listen::{BindError, Face, Listener, bind};
pub(crate) use listen::{PeerListener, bind_clients, bind_peers, check_free, listen};
pub(crate) use names::{Names, RESOLVE, Target};
pub(crate) use overheard::{Ear, Overheard};
pub use own_address::{own_address, own_name};
pub(crate) use secure::Secure;
pub(crate) use socket::Socket;
pub(crate) use stream::Stream;
pub(crate) use wire::{StdSocket, Wire};
