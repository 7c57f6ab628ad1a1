//! Everything that the log decides: one bundle, written by whoever applies entries, read by everyone.

pub(crate) mod conf_state;
pub(crate) mod ending;
pub(crate) mod leadership;
mod snapshots;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::time::Instant;

use ending::Recurring;
use keyport_storage::alarm::Alarms;
use keyport_storage::auth::AuthStore;
use keyport_storage::backend::{Applied, Backend, BackendError};
use keyport_storage::lease::{Lessor, RecoverError};
use keyport_storage::mvcc::{MvccError, Store};
use keyport_storage::watch::WatchHub;
use leadership::Leadership;
use tokio::sync::watch;

use crate::auth::identities::Identities;
use crate::auth::tokens::Tokens;
use crate::membership::{Membership, MembershipError};
use crate::metrics::Metrics;
pub(crate) use snapshots::{SnapshotFiles, Snapshots, Unfit};

/// The replicated state of this node.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) backend: Arc<Backend>,
    pub(crate) store: Arc<Store>,
    pub(crate) lessor: Arc<Lessor>,
    pub(crate) alarms: Arc<Alarms>,
    /// Users, roles and what they may.
    pub(crate) auth: Arc<AuthStore>,
    /// Happens whenever users, roles or what they may are others than before.
    pub(crate) rules_changed: Recurring,
    /// By which users are known.
    pub(crate) tokens: Tokens,
    /// By which users are known who come from outside; `None` when nobody does.
    pub(crate) identities: Option<Arc<Identities>>,
    pub(crate) hub: WatchHub,
    pub(crate) membership: Membership,
    pub(crate) applied: AppliedIndex,
    pub(crate) leadership: Leadership,
    /// Counts what is done to it.
    pub(crate) metrics: Arc<Metrics>,
}

/// Why a received state could not be put in place.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstallError {
    #[error(transparent)]
    Backend(#[from] BackendError),
    #[error(transparent)]
    Recover(#[from] RecoverError),
    #[error(transparent)]
    Store(#[from] MvccError),
    #[error(transparent)]
    Membership(#[from] MembershipError),
}

impl State {
    /// Puts the database in `file` in the place of this one, with everything that is derived from it. Watchers go on
    /// from what they have seen.
    ///
    /// # Errors
    /// When the file or the database cannot be used; the state is not to be used any more then.
    pub(crate) fn install(&self, file: &Path) -> Result<(), InstallError> {
        let applied = self.backend.install(file)?;
        self.store.reload()?;
        self.count_prefixes()?;
        self.lessor.recover(&self.backend, &self.store)?;
        self.alarms.recover(&self.backend)?;
        self.auth.recover(&self.backend)?;
        self.rules_changed.happened();
        self.membership.reload(&self.backend)?;
        self.hub.resync();
        self.applied.advance(applied.index, applied.term);
        Ok(())
    }

    /// Counts the keys by prefix, where that is wanted.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn count_prefixes(&self) -> Result<(), MvccError> {
        self.metrics.prefixes().map_or(Ok(()), |prefixes| prefixes.recount(&self.store))
    }

    /// What has failed for good: nothing is written any more, or a thread is missing.
    pub(crate) fn failure(&self) -> Option<BackendError> {
        let lost = || self.store.failure().or_else(|| self.hub.failure());
        self.backend.failure().or_else(|| lost().map(BackendError::from))
    }

    /// The entry that opened `term` has been applied, and with it everything before: if this member leads in it, it
    /// counts down the leases from now on.
    pub(crate) fn term_opened(&self, term: u64) {
        let leader = self.leadership.leader();
        if leader.is_local && leader.term == term {
            self.lessor.promote(term, self.leadership.election_timeout(), Instant::now());
        }
    }
}

/// How far the log has been applied.
#[derive(Debug)]
pub(crate) struct AppliedIndex {
    index: AtomicU64,
    /// Term of the last applied entry.
    term: AtomicU64,
    changed: watch::Sender<u64>,
}

impl AppliedIndex {
    pub(crate) fn new(index: u64, term: u64) -> AppliedIndex {
        AppliedIndex { index: index.into(), term: term.into(), changed: watch::Sender::new(index) }
    }

    pub(crate) fn index(&self) -> u64 {
        self.index.load(Ordering::Acquire)
    }

    pub(crate) fn term(&self) -> u64 {
        self.term.load(Ordering::Acquire)
    }

    /// Both; for the one who advances it.
    pub(crate) fn applied(&self) -> Applied {
        Applied { index: self.index(), term: self.term() }
    }

    pub(crate) fn advance(&self, index: u64, term: u64) {
        let before = self.applied();
        assert!(
            index >= before.index && term >= before.term,
            "what is applied goes from {before:?} to {index} of {term}"
        );
        self.term.store(term, Ordering::Release);
        self.index.store(index, Ordering::Release);
        // With the one in `reached`: either this sees the receiver, or that sees the index.
        fence(Ordering::SeqCst);
        if self.changed.receiver_count() > 0 {
            self.changed.send_replace(index);
        }
    }

    /// Returns once `index` is applied.
    pub(crate) async fn reached(&self, index: u64) {
        if self.index() >= index {
            return;
        }
        let mut changes = self.changed.subscribe();
        fence(Ordering::SeqCst);
        while self.index() < index {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }
}
