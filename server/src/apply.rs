//! The state machine: committed entries become revisions, leases, alarms and members, in log order.
//!
//! One entry is one write transaction of the store and carries the consistent index with it, so replay after a crash
//! applies nothing twice. Watchers hear of a batch before its callers do. An entry that this member cannot apply, for a
//! reason of its own ([`fault`]), ends it before anything of that entry, or after it, is committed.

mod chain;
mod command;
mod decode;
pub(crate) mod error;
mod execute;
mod fault;
mod legacy;
mod proposal;
mod queue;
mod quota;
mod replica;
mod summary;
pub(crate) mod waiters;

pub(crate) use chain::Chain;
pub(crate) use command::{Command, Replicated, Reply};
pub(crate) use decode::NotUnderstood;
pub(crate) use legacy::LegacyError;
pub(crate) use proposal::Proposal;
pub(crate) use queue::ReplicaQueue;
pub(crate) use quota::{Cost, Quota};
pub(crate) use replica::{Ended, Notice, Replica};
pub(crate) use summary::ShownKeys;
