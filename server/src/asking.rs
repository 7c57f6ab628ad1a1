//! What this member asks of others, over their peer ports. Paths, headers and bodies are etcd's.

pub(crate) mod client;
pub(crate) mod hashkv;
pub(crate) mod paths;
pub(crate) mod standing;

pub(crate) use client::PeerClient;
