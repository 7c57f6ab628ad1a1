//! How nodes agree: the Raft driver, its write-ahead log and the thread that runs both.
//!
//! The crate drives a [`StateMachine`] that it knows nothing about: it hands over committed entries in order, exactly
//! once per run, starting after the index that the state machine says it has. What an entry means, where the state is
//! kept and how clients are answered is the server's business.
//!
//! - [`wal`]: the log on disk, in etcd's framing; everything durable that this crate owns.
//! - [`driver`]: Raft itself as a synchronous state machine of inputs and outputs, without threads, clocks or I/O.
//! - [`node`]: the one thread that owns a driver and a log, and its loop.
//! - [`peers`]: streams of messages to and from the other members, and snapshots between them.
//! - [`RaftHandle`]: what the rest of the process holds.

pub mod bootstrap;
pub mod config;
mod convert;
pub mod driver;
pub mod handle;
mod inbox;
mod logger;
mod member;
pub mod node;
pub mod observer;
pub mod peers;
pub mod plant;
#[cfg_attr(not(any(test, feature = "sim")), expect(unreachable_pub, reason = "public in the simulation"))]
mod random;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
pub mod state_machine;
pub mod status;
pub mod transport;
pub mod wal;

pub use bootstrap::{ForceNewError, InitialMember, Rejoin, configuration_at, copy_log, create_log, force_new_cluster};
pub use config::Config;
pub use driver::DriverError;
pub use handle::{RaftHandle, ReadIndexError};
pub use inbox::ProposeError;
pub use member::Parts;
pub use node::{StartError, start};
pub use observer::{NoObserver, Observer};
pub use peers::{LocalMember, PeerOptions, Peers};
pub use state_machine::{Committed, CommittedKind, Configuration, DropReason, LeaderState, StateMachine, StopReason};
pub use status::{Progress, Status};
pub use transport::{NoTransport, Transport};
