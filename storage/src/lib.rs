//! What a node remembers: the backend on disk, the multi-version store over it, watchers, leases, alarms, users and
//! roles.
//!
//! Knows nothing of Raft, HTTP or gRPC. Time comes in as a value; one thread at a time writes (the apply
//! thread), any number read.

pub mod alarm;
pub mod auth;
pub mod backend;
pub mod bbolt;
mod event;
mod key_range;
pub mod lease;
pub mod mvcc;
mod record;
mod thread_panic;
pub mod watch;

pub use backend::schema;
pub use event::{Event, EventKind};
pub use key_range::{KeyRange, RangeEnd, next_key};
pub use record::{Outline, Record, RecordError, Versions};
pub use thread_panic::ThreadPanic;
