//! The peer port: what other members may ask of this one. Raft's own messages and snapshots, which share it, are
//! [`keyport_raft::peers`]'s; everything else is etcd's: the paths, the headers, the bodies.

mod defragment;
mod hashkv;
mod leases;
mod listener;
mod pages;
mod places;
mod probing;
mod reconfigure;
mod router;
mod standing;
mod whole_body;

pub(crate) use listener::serve;
pub(crate) use router::router;
