//! Where the requests of one connection stand that cannot be worked on at once; a layer has them stand there.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// Further ones are refused: their clients know best when to come again.
const MOST_WAITING: usize = 16 * 1024;

/// The line of one connection.
#[derive(Debug)]
pub(crate) struct Line {
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Line {
    /// Behind as many requests as may be worked on; none if that is 0, for as many as there are.
    pub(super) fn new(places: usize) -> Option<Arc<Line>> {
        let line = |places| Line { places: Arc::new(Semaphore::new(places)), waiting: AtomicUsize::new(0) };
        (places > 0).then(|| Arc::new(line(places.min(Semaphore::MAX_PERMITS))))
    }

    /// A place, if there is one and nobody waits for it.
    pub(super) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }
}

/// Somebody's turn, to be waited for.
pub struct Turn {
    comes: Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send>>,
    line: Arc<Line>,
}

impl Turn {
    /// At the end of the line, if that is not too long.
    pub(super) fn new(line: Arc<Line>) -> Option<Turn> {
        let comes = Box::pin(Arc::clone(&line.places).acquire_owned());
        let turn = Turn { comes, line };
        (turn.line.waiting.fetch_add(1, Relaxed) < MOST_WAITING).then_some(turn)
    }

    /// The place, once it is free. (Nobody closes the line, which would leave none.)
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<OwnedSemaphorePermit>> {
        self.comes.as_mut().poll(cx).map(Result::ok)
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("line", &self.line).finish_non_exhaustive()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.line.waiting.fetch_sub(1, Relaxed);
    }
}
