//! The harness of the end-to-end suites: starts real server binaries on loopback and talks to them the way clients do.
//!
//! It knows the servers only from outside: a command, ports, a data directory. The same suites run against Keyport
//! (the default) and, with `KEYPORT_TESTS_SERVER=etcd`, against a real etcd, which keeps the suites themselves honest.
//!
//! - [`cluster`] runs several members with a network between them that a test can cut
//! - [`history`] records what concurrent clients and watchers saw while it is cut, and judges it
//! - [`target`] finds the binaries, [`server`] runs them (start, stop, kill, restart, logs of a failed test)
//! - [`grpc`], [`http`], [`raw`], [`sse`] and [`etcdctl`] are the clients
//! - [`frames`] and [`websocket`] are HTTP/2 and WebSocket by hand
//! - [`certificates`] makes authorities and what they issue, [`encrypted`] is a client with TLS, and runs `curl`
//! - [`program`] is a command of the binary that goes on until it is told to end
//! - [`collector`] hears of calls as spans
//! - [`random`] makes seeded requests, [`differential`] compares two servers by them
//! - [`terminal`] is one for a program that looks whether it has one
//! - [`tiny`] is a disk that can be full
//! - [`trial`] is `keyport cluster` with somebody who types
//! - [`typist`] types the commands of a page into a shell
//! - [`wait`] waits for conditions with deadlines: no test sleeps for a guessed time

pub mod certificates;
pub mod cluster;
pub mod collector;
pub mod differential;
pub mod encrypted;
pub mod etcdctl;
pub mod frames;
pub mod grpc;
pub mod history;
pub mod http;
pub mod program;
pub mod random;
pub mod raw;
pub mod server;
mod spawn;
pub mod sse;
pub mod target;
pub mod terminal;
pub mod tiny;
pub mod trial;
pub mod typist;
pub mod wait;
pub mod websocket;

pub use cluster::Cluster;
pub use server::Server;
pub use target::Flavor;
