//! Why a member cannot apply a committed entry.
//!
//! A refusal (`keyport_api::error::Error`) is an answer: every member comes to the same one. A fault is this member's own:
//! it knows nothing about the others, so it must not go on as if the entry had done nothing. Nothing of the entry is
//! committed here, nothing after it is applied, and the process ends.

use keyport_api::error::Error;
use keyport_storage::ThreadPanic;
use keyport_storage::backend::{Applied, BackendError};
use thiserror::Error;

use super::decode::NotUnderstood;
use crate::membership::ChangeError;
use crate::state::{InstallError, Unfit};

/// The reason by itself.
#[derive(Debug, Error)]
pub(crate) enum Fault {
    #[error(transparent)]
    Backend(#[from] BackendError),
    #[error("the entry is not understood: {0}")]
    NotUnderstood(#[from] NotUnderstood),
    #[error("refused after it had changed something: {0}")]
    HalfDone(Error),
    #[error("an accepted membership change cannot be carried out: {0}")]
    Membership(#[from] ChangeError),
    #[error("it does not follow on entry {0}, the last one that was applied")]
    Gap(u64),
    #[error("a row has no JSON form: {0}")]
    Row(#[from] serde_json::Error),
    #[error("the snapshot cannot be installed: {0}")]
    Install(#[from] InstallError),
    #[error("a read was given up in the middle of it")]
    Interrupted,
    #[error(transparent)]
    Unfit(#[from] Unfit),
    #[error(transparent)]
    Panicked(#[from] ThreadPanic),
}

/// A fault, and the entry that met it.
#[derive(Debug, Error)]
#[error("entry {} of term {} ({command}): {fault}", entry.index, entry.term)]
pub(crate) struct Failure {
    pub(crate) entry: Applied,
    /// As in [`super::Command::name`], where that is known.
    pub(crate) command: &'static str,
    #[source]
    pub(crate) fault: Fault,
}
