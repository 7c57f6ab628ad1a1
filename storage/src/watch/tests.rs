//! The hub against a small store in memory.

mod delivery;
mod store;
mod stream;
