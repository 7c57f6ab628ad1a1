//! The hub against a small store in memory.

mod catching_up;
mod delivery;
mod model;
mod store;
mod stream;
mod threads;
