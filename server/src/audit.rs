//! The audit log: who asked for what, from where, and what came of it, a line of JSON for each. No values and no secrets.
//!
//! Written down is what was decided about a request once it is known whose it is: reads and writes of keys, changes of
//! leases, users and members, watches, logins, and whatever was refused. What the member does of its own accord is not, nor
//! that a lease is kept alive.
//!
//! Lines wait in a bounded queue for a thread of their own. One that finds it full is lost, and counted: whoever asks for keys
//! does not wait for the disk of the log.

mod file;
mod line;
mod trail;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::{io, thread};

use crate::metrics::IntCounter;
use file::LogFile;
use line::Line;
pub(crate) use trail::Trail;

/// So many lines may wait.
const MOST_WAITING: usize = 16 * 1024;

/// See the module's text. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct AuditLog(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    lines: SyncSender<Vec<u8>>,
    lost: IntCounter,
    /// Whether the operator was told that lines are lost.
    told: AtomicBool,
}

impl AuditLog {
    /// Appends to a file, which is made if it is not there; `lost` counts the lines that are missing.
    ///
    /// # Errors
    /// When the file cannot be opened, or the thread not be had.
    pub(crate) fn open(path: &Path, lost: IntCounter) -> io::Result<AuditLog> {
        let mut file = LogFile::open(path)?;
        let (lines, waiting) = sync_channel::<Vec<u8>>(MOST_WAITING);
        let failed = lost.clone();
        thread::Builder::new().name("keyport-audit".to_owned()).spawn(move || {
            while let Ok(mut batch) = waiting.recv() {
                let mut count = 1;
                while let Ok(line) = waiting.try_recv() {
                    batch.extend(line);
                    count += 1;
                }
                if let Err(error) = file.write(&batch) {
                    failed.inc_by(count);
                    tracing::error!(%error, lines = count, "cannot write the audit log");
                }
            }
        })?;
        Ok(AuditLog(Arc::new(Inner { lines, lost, told: AtomicBool::new(false) })))
    }

    fn write(&self, line: &Line<'_>) {
        let Inner { lines, lost, told } = &*self.0;
        match lines.try_send(line.to_json()) {
            Ok(()) => told.store(false, Ordering::Relaxed),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                lost.inc();
                if !told.swap(true, Ordering::Relaxed) {
                    tracing::error!("the audit log is behind: lines are lost");
                }
            }
        }
    }
}
