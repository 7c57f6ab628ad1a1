//! Where the processor's time goes: stacks of whatever works, about a hundred in a second of work, for `pprof` and its kin.
//!
//! The signal that samples is the process's, so one profile is taken at a time.

mod folded;
mod format;

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use pprof::{Frames, ProfilerGuard, ProfilerGuardBuilder};
use tokio::sync::{Semaphore, TryAcquireError};
use tokio::task::JoinError;

/// Not a hundred, lest it keeps step with what happens so often.
const FREQUENCY: i32 = 99;
/// What finds the callers of a frame cannot be interrupted to find its own, and what the kernel lends has none.
const NOT_SAMPLED: [&str; 2] = ["libgcc", "vdso"];

static PLACE: Semaphore = Semaphore::const_new(1);

/// How a profile is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `profile.proto`, packed with gzip.
    Pprof,
    /// A line a stack, as programs that draw flames read them.
    Folded,
}

/// What was found.
struct Taken {
    /// With how often.
    stacks: HashMap<Frames, isize>,
    start: SystemTime,
    time: Duration,
}

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProfileError {
    #[error("a profile is being taken already")]
    Busy,
    #[error("cannot take a profile: {0}")]
    Sampling(#[from] pprof::Error),
    #[error("cannot write a profile: {0}")]
    Writing(#[from] std::io::Error),
    #[error("cannot write a profile: {0}")]
    Broken(#[from] JoinError),
}

impl From<TryAcquireError> for ProfileError {
    fn from(_: TryAcquireError) -> Self {
        ProfileError::Busy
    }
}

/// Samples for so long. Given up, it ends.
///
/// # Errors
/// All of them.
pub(crate) async fn take(time: Duration, form: Form) -> Result<Vec<u8>, ProfileError> {
    let place = PLACE.try_acquire()?;
    let guard = ProfilerGuardBuilder::default().frequency(FREQUENCY).blocklist(&NOT_SAMPLED).build()?;
    tokio::time::sleep(time).await;
    // Names of functions and lines are looked up in the program's file.
    let written = tokio::task::spawn_blocking(move || {
        let written = write(&guard, form);
        drop((guard, place));
        written
    });
    written.await?
}

fn write(guard: &ProfilerGuard<'_>, form: Form) -> Result<Vec<u8>, ProfileError> {
    let report = guard.report().build()?;
    let (start, time) = (report.timing.start_time, report.timing.duration);
    let taken = Taken { stacks: report.data, start, time };
    Ok(match form {
        Form::Pprof => format::packed(&taken, FREQUENCY)?,
        Form::Folded => folded::lines(&taken).into_bytes(),
    })
}
