//! `raft-rs` logs through slog; this passes it on to tracing.

use slog::{Drain, Level, Logger, OwnedKVList, Record};

/// A logger whose lines come out as tracing events.
pub(crate) fn tracing_logger() -> Logger {
    Logger::root(Tracing, slog::o!())
}

struct Tracing;

impl Drain for Tracing {
    type Ok = ();
    type Err = slog::Never;

    fn log(&self, record: &Record<'_>, _: &OwnedKVList) -> Result<(), slog::Never> {
        let message = record.msg();
        match record.level() {
            Level::Critical | Level::Error => tracing::error!(target: "raft", "{message}"),
            Level::Warning => tracing::warn!(target: "raft", "{message}"),
            Level::Info => tracing::info!(target: "raft", "{message}"),
            Level::Debug => tracing::debug!(target: "raft", "{message}"),
            Level::Trace => tracing::trace!(target: "raft", "{message}"),
        }
        Ok(())
    }
}
