//! Leases over gRPC.

mod expire;
mod grant;
mod keep_alive;
