//! The other members, over HTTP on the peer port: what they may ask of this one, and what this one asks of them.
//!
//! Raft's own messages and snapshots travel by [`keyport_raft::peers`], which shares the port. Everything here is
//! etcd's: the paths, the headers, the bodies.

pub(crate) mod client;
pub(crate) mod hashkv;
pub(crate) mod leases;
mod listener;
mod reconfigure;
mod router;

pub(crate) use client::PeerClient;
pub(crate) use listener::serve;
pub(crate) use router::router;

/// Names the cluster of whoever speaks, in hex.
pub(crate) const CLUSTER_ID_HEADER: &str = "x-etcd-cluster-id";
