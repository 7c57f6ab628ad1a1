//! The wire: everything a client, a peer or a log file says, generated from `proto/`.

pub mod error;
mod generated;
pub mod routes;

pub use generated::{
    authpb, etcdserverpb, leasepb, membershippb, mvccpb, raftpb, snappb, v3electionpb, v3lockpb, walpb,
};

/// The encoded `FileDescriptorSet` of everything in `proto/`, for reflection and the OpenAPI document.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
