//! What is written, changed while the process runs.
//!
//! The log is the process's, and so is what is set here: the last who sets it decides, until the process ends.

use std::sync::OnceLock;

use parking_lot::Mutex;
use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::{Registry, layer};

use super::{LogLevel, filter};

/// Decides which lines are written.
pub(super) type Filter = Box<dyn layer::Filter<Registry> + Send + Sync>;

static OF_PROCESS: OnceLock<Control> = OnceLock::new();

/// Longer directives say nothing that shorter ones cannot.
const MOST_BYTES: usize = 4096;

struct Control {
    handle: Handle<Filter, Registry>,
    verbosity: Mutex<Verbosity>,
}

/// What is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verbosity {
    pub(crate) level: LogLevel,
    /// `target=level` and levels, with commas between, instead of the level; empty where the level decides.
    pub(crate) targets: String,
}

/// Why nothing is changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ControlError {
    #[error("the log of this process is not the server's own")]
    NotOurs,
    #[error("targets of {0} bytes are more than {MOST_BYTES}")]
    TooLong(usize),
    #[error("targets: {0}")]
    Targets(#[from] ParseError),
    #[error("the log is gone: {0}")]
    Gone(#[from] reload::Error),
}

impl Verbosity {
    pub(super) fn filter(&self) -> Result<Filter, ParseError> {
        Ok(match self.targets.as_str() {
            "" => Box::new(filter(self.level)),
            directives => Box::new(directives.parse::<Targets>()?),
        })
    }
}

/// Has `handle`, of a filter that lets `verbosity` through, set from now on.
pub(super) fn install(handle: Handle<Filter, Registry>, verbosity: Verbosity) {
    // A second log was refused before.
    let _ = OF_PROCESS.set(Control { handle, verbosity: Mutex::new(verbosity) });
}

/// What is written now.
///
/// # Errors
/// `NotOurs`.
pub(crate) fn verbosity() -> Result<Verbosity, ControlError> {
    OF_PROCESS.get().map(|control| control.verbosity.lock().clone()).ok_or(ControlError::NotOurs)
}

/// Writes that from now on.
///
/// # Errors
/// All of them; nothing is changed then.
pub(crate) fn set_verbosity(verbosity: Verbosity) -> Result<(), ControlError> {
    let control = OF_PROCESS.get().ok_or(ControlError::NotOurs)?;
    if verbosity.targets.len() > MOST_BYTES {
        return Err(ControlError::TooLong(verbosity.targets.len()));
    }
    let filter = verbosity.filter()?;
    let mut known = control.verbosity.lock();
    control.handle.reload(filter)?;
    *known = verbosity;
    Ok(())
}
