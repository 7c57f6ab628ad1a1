//! Three and five members: what every member answers, and what holds while they are killed, paused, cut off and replaced.

mod apply;
mod auth;
mod bad_peers;
mod catch_up;
mod checkpoints;
mod corruption;
mod ctl;
mod encrypted;
mod forged_snapshots;
mod hosts;
mod keys;
mod late_revocations;
mod leases;
mod lost_data;
mod membership;
mod mixin;
mod peer_port;
mod proxies;
mod quorum;
mod robustness;
mod settings;
mod slow_disk;
mod stuck;
mod users;
