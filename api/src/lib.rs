//! The wire: everything a client, a peer or a log file says, generated from `proto/`, with its JSON form ([`json`]), the
//! table of methods ([`methods`]), the gateway's routes ([`routes`]), the errors that can come back ([`error`]) and what
//! bounds the decoding of requests ([`bounds`]).
//!
//! It knows no task, no disk and no socket.

#[macro_use]
pub mod routes;

pub mod bounds;
pub mod codec;
pub mod error;
pub mod json;
pub mod methods;

mod generated;

pub use generated::{
    authpb, etcdserverpb, health, leasepb, membershippb, mvccpb, raftpb, snappb, v3electionpb, v3lockpb, walpb,
};

/// The encoded `FileDescriptorSet` of everything in `proto/`, for reflection and the OpenAPI document.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The encoded `FileDescriptorSet` of [`health`], for reflection.
pub const HEALTH_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/health.bin"));
