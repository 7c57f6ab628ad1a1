//! Watch over gRPC: creating and cancelling, what is delivered, history, progress.

mod bursts;
mod create;
mod deliver;
mod history;
mod progress;
mod sizes;
