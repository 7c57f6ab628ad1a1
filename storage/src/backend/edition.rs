//! One file of the database and what was committed for it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::RwLock;

use super::journal::Journal;
use super::layer::Layer;
use super::view::View;
use super::{Applied, BackendError, BackendOptions, Batch, Shared};

/// A transaction begins early at this many gathered bytes.
const BATCH_BYTES: usize = 16 << 20;

/// Gathering goes on while a transaction is written, up to this many times the limits; then `commit` waits.
pub(super) const BEHIND: usize = 2;

#[derive(Debug)]
pub(super) struct Contents {
    pub(super) buffers: RwLock<Buffers>,
}

#[derive(Debug)]
pub(super) struct Buffers {
    pub(super) active: Layer,
    pub(super) sealed: Option<Arc<Layer>>,
    pub(super) view: Arc<View>,
    /// What has changed in the file that `view` is of, if somebody copies it.
    pub(super) journal: Option<Journal>,
    /// The last entry that was committed, in the file or on its way there.
    applied: Applied,
    /// Another file has been installed: what is committed here is not written any more.
    pub(super) retired: bool,
}

impl Contents {
    /// A file that has everything up to `applied`.
    pub(super) fn new(view: Arc<View>, applied: Applied) -> Contents {
        let buffers = Buffers { active: Layer::default(), sealed: None, view, journal: None, applied, retired: false };
        Contents { buffers: RwLock::new(buffers) }
    }
}

impl Buffers {
    fn absorb(&mut self, batch: Batch, applied: Option<Applied>) {
        if let Some(next) = applied {
            // A restart would apply again what it has, or never what it has not.
            let last = self.applied;
            assert!(next.index >= last.index && next.term >= last.term, "{next:?} is committed after {last:?}");
            self.applied = next;
        }
        self.active.absorb(batch, applied);
    }

    /// Whether this many times the limits are gathered for the file.
    fn is_full(&self, options: &BackendOptions, times: usize) -> bool {
        let many = self.active.operations >= options.batch_limit.saturating_mul(times);
        !self.retired && (many || self.active.bytes >= BATCH_BYTES * times)
    }

    /// What is gathered and not in the file yet, about.
    pub(super) fn bytes(&self) -> u64 {
        (self.active.bytes + self.sealed.as_ref().map_or(0, |layer| layer.bytes)) as u64
    }
}

/// The database between two installations. Whoever holds one reads that file, whole, and no other: after an
/// installation it stays as it was, and what is committed to it is seen by its holders and lost with them.
#[derive(Clone)]
pub(crate) struct Edition {
    pub(super) shared: Arc<Shared>,
    pub(super) contents: Arc<Contents>,
}

impl Edition {
    /// Whether another file has been installed since.
    pub(crate) fn is_retired(&self) -> bool {
        self.contents.buffers.read().retired
    }

    pub(crate) fn is_same(&self, other: &Edition) -> bool {
        Arc::ptr_eq(&self.contents, &other.contents)
    }

    /// See [`super::Backend::commit`].
    pub(crate) fn commit(&self, batch: Batch, applied: Option<Applied>) {
        let shared = &*self.shared;
        let options = &shared.files.options;
        let (full, behind) = {
            let mut buffers = self.contents.buffers.write();
            buffers.absorb(batch, applied);
            shared.waiting.store(buffers.bytes(), Ordering::Relaxed);
            // Set here and taken back with the layer, both with the lock: the flusher is woken once for each.
            let full = buffers.is_full(options, 1) && !shared.full.swap(true, Ordering::Relaxed);
            (full, buffers.is_full(options, BEHIND))
        };
        if full {
            // With the lock, so that the flusher is either waiting or has yet to look at `full`.
            let _control = shared.control.lock();
            shared.wake.notify_one();
        }
        if !behind {
            return;
        }
        let mut control = shared.control.lock();
        while control.failure.is_none() && self.contents.buffers.read().is_full(options, BEHIND) {
            shared.done.wait(&mut control);
        }
    }

    /// Waits until everything committed so far is in the file; an edition that is retired was flushed before.
    pub(crate) fn flush(&self) -> Result<(), BackendError> {
        self.shared.flush().map(drop)
    }

    pub(super) fn view(&self) -> Arc<View> {
        Arc::clone(&self.contents.buffers.read().view)
    }
}

impl fmt::Debug for Edition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edition").field("contents", &self.contents).finish_non_exhaustive()
    }
}
