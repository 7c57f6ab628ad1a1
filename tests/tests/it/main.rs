//! End-to-end suites: what a client can see of a running server, one module an area.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a failed step fails the test")]

mod auth;
mod bad_input;
mod bootstrap;
mod clients;
mod cluster;
mod compressed;
mod crash;
mod dense;
mod differential;
mod etcdctl;
mod flags;
mod gateway;
mod half_closed;
mod headers;
mod idle;
mod kv;
mod lease;
mod log;
mod maintenance;
mod members;
mod metrics;
mod metrics_listener;
mod ops;
mod pages;
mod patience;
mod refusals;
mod resets;
mod service_manager;
mod services;
mod snapshots;
mod sse;
mod tls;
mod trial;
mod turns;
mod watch;
