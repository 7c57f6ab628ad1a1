//! The audit log: who asked for what, from where, and what came of it, a line of JSON for each. No values and no secrets.
//!
//! Written down is what was decided about a request once it is known whose it is: reads and writes of keys, changes of
//! leases, users and members, watches, logins, and whatever was refused or given up. What the member does of its own accord
//! is not, nor that a lease is kept alive.
//!
//! Lines wait in a bounded queue for a thread of their own. One that finds it full is lost, and counted: whoever asks for keys
//! does not wait for the disk of the log. What changes nothing may take half of the queue, so that nobody asks for so much
//! that his changes are lost; and of those who have proved nothing so many lines are written a second, and the others counted.

mod about;
mod file;
mod limits;
mod line;
mod queue;
mod short;
mod trail;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use crate::metrics::IntCounter;
pub(crate) use about::Subject;
use limits::{Kind, Limits};
use line::Line;
use queue::Queue;
pub(crate) use trail::Trail;

/// See the module's text. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct AuditLog(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    queue: Queue,
    limits: Arc<Mutex<Limits>>,
}

impl AuditLog {
    /// Appends to a file, which is made if it is not there; `lost` counts the lines that are missing.
    ///
    /// # Errors
    /// When the file cannot be opened, or the thread not be had.
    pub(crate) fn open(path: &Path, lost: IntCounter) -> io::Result<AuditLog> {
        let limits = Arc::new(Mutex::new(Limits::new(Instant::now())));
        let queue = Queue::start(path, lost, Arc::clone(&limits))?;
        Ok(AuditLog(Arc::new(Inner { queue, limits })))
    }

    /// Returns when what was written so far is in the file, or has been lost. Blocks.
    pub(crate) fn flush(&self) {
        self.0.queue.flush();
    }

    /// A line of somebody, or of a change.
    fn write(&self, line: &Line<'_>, is_change: bool) {
        self.0.queue.push(line.to_json(), is_change);
    }

    /// A line of who has proved nothing and has changed nothing.
    fn write_one_of_many(&self, line: &Line<'_>, kind: Kind) {
        let now = Instant::now();
        let (goes, is_first) = self.0.limits.lock().goes(kind, now);
        if goes {
            let line = line.to_json();
            self.0.limits.lock().written(line.len());
            self.0.queue.push(line, false);
        } else if is_first {
            self.0.queue.look_at_limits();
        }
    }
}
