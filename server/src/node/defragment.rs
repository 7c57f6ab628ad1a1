//! Defragmentation while the member serves: on a thread of its own, behind others.

mod auto;
mod turn;

use std::cell::Cell;
use std::io;
use std::time::{Duration, Instant};

use keyport_storage::backend::BackendError;
use tokio::sync::oneshot;

use super::Node;
use crate::bulk::{Pace, step_behind};
pub(crate) use auto::{Load, Question as TurnQuestion};
pub(crate) use turn::{Running, Turn};

/// Between two slices there is a pause half as long as the one before took, and no longer than this.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Why the database is as it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DefragmentError {
    #[error(transparent)]
    Backend(#[from] BackendError),
    #[error("cannot have a thread: {0}")]
    Thread(#[source] io::Error),
    #[error("a mistake in the program")]
    Panicked,
}

impl Node {
    /// Because somebody wants it, whatever other members do. It goes on when nobody waits any more, and ends with the member.
    ///
    /// # Errors
    /// See [`DefragmentError`].
    pub(crate) async fn defragment(&self) -> Result<(), DefragmentError> {
        self.defragment_in(self.turn().begin_by_hand()).await
    }

    pub(crate) fn load(&self) -> &Load {
        &self.0.load
    }

    /// Whether this member is being defragmented, and who may have that begin.
    pub(crate) fn turn(&self) -> &Turn {
        &self.0.turn
    }

    pub(super) async fn defragment_in(&self, running: Running) -> Result<(), DefragmentError> {
        let (tell, told) = oneshot::channel();
        let node = self.clone();
        let work = move || {
            let done = node.defragment_here();
            drop(running);
            // Nobody may be left to hear of it.
            let _ = tell.send(done);
        };
        std::thread::Builder::new().name("keyport-defrag".to_owned()).spawn(work).map_err(DefragmentError::Thread)?;
        Ok(told.await.map_err(|_| DefragmentError::Panicked)??)
    }

    fn defragment_here(&self) -> Result<(), BackendError> {
        step_behind();
        let (metrics, backend, stopping) = (self.metrics(), &self.state().backend, self.stopping().token());
        let (before, compacted) = (backend.size(), self.store().compacted());
        tracing::info!(current_db_size_bytes = before, "starting defragment");
        metrics.defrag_inflight.inc();
        let timed = metrics.backend_defrag.start_timer();
        let slice = Cell::new(Instant::now());
        let mut pace = Pace::begin();
        let done = backend.defragment_while(&mut || pace.step(), &|| {
            std::thread::sleep((slice.get().elapsed() / 2).min(LONGEST_PAUSE));
            slice.set(Instant::now());
            !stopping.is_cancelled()
        });
        let took = timed.stop_and_record();
        // What a compaction has freed meanwhile may be in the copy.
        let residue = if self.store().compacted() == compacted { self.free_bytes() } else { 0 };
        self.load().note_residue(residue);
        metrics.defrag_inflight.dec();
        if done.is_ok() {
            tracing::info!(
                previous_db_size_bytes = before,
                current_db_size_bytes = backend.size(),
                took = ?Duration::from_secs_f64(took),
                "finished defragment"
            );
        }
        done
    }
}
