//! Lines on their way to the file: bounded by their bytes, and written by a thread of their own.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use std::{io, thread};

use parking_lot::Mutex;

use super::file::{LogFile, Unwritten};
use super::limits::{Limits, WINDOW};
use super::line;
use crate::metrics::IntCounter;

/// Bytes that may wait.
const MOST_WAITING: usize = 8 << 20;
/// What a line takes beside its bytes.
const OVERHEAD: usize = 128;
/// How long is waited for a disk when the server ends.
const PATIENCE: Duration = Duration::from_secs(5);

enum Message {
    Line(Vec<u8>),
    /// Something is withheld.
    Look,
    Flush(Sender<()>),
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Queue {
    messages: Sender<Message>,
    /// Bytes that wait.
    waiting: Arc<AtomicUsize>,
    lost: IntCounter,
    /// Whether the operator was told that lines are lost.
    told: AtomicBool,
}

impl Queue {
    /// # Errors
    /// When the file cannot be opened, or the thread not be had.
    pub(super) fn start(path: &Path, lost: IntCounter, limits: Arc<Mutex<Limits>>) -> io::Result<Queue> {
        let (messages, received) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let writer =
            Writer { file: LogFile::open(path)?, received, waiting: Arc::clone(&waiting), limits, lost: lost.clone() };
        thread::Builder::new().name("keyport-audit".to_owned()).spawn(move || writer.run())?;
        Ok(Queue { messages, waiting, lost, told: AtomicBool::new(false) })
    }

    /// The line is written, or lost; one that is about no change when half of the room is taken.
    pub(super) fn push(&self, line: Vec<u8>, is_change: bool) {
        let room = if is_change { MOST_WAITING } else { MOST_WAITING / 2 };
        let size = line.len() + OVERHEAD;
        if self.waiting.fetch_add(size, Relaxed) + size <= room && self.messages.send(Message::Line(line)).is_ok() {
            self.told.store(false, Relaxed);
            return;
        }
        self.waiting.fetch_sub(size, Relaxed);
        self.lost.inc();
        if !self.told.swap(true, Relaxed) {
            tracing::error!("the audit log is behind: lines are lost");
        }
    }

    /// What is withheld is said when its time has come.
    pub(super) fn look_at_limits(&self) {
        // Without the thread there is nobody to say it.
        let _ = self.messages.send(Message::Look);
    }

    /// Returns when all that was pushed is written.
    pub(super) fn flush(&self) {
        let (done, written) = channel();
        if self.messages.send(Message::Flush(done)).is_ok() && written.recv_timeout(PATIENCE).is_err() {
            tracing::error!("the audit log is behind: lines are lost");
        }
    }
}

struct Writer {
    file: LogFile,
    received: Receiver<Message>,
    waiting: Arc<AtomicUsize>,
    limits: Arc<Mutex<Limits>>,
    lost: IntCounter,
}

impl Writer {
    fn run(mut self) {
        loop {
            // Not in the condition, where it would be locked while this waits.
            let holds = self.limits.lock().holds();
            let first = if holds {
                self.received.recv_timeout(WINDOW)
            } else {
                self.received.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            let messages = match first {
                Ok(first) => Some(first),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let flushed = self.write(messages);
            for done in flushed {
                // Whoever asked has gone on.
                let _ = done.send(());
            }
        }
    }

    /// Writes what there is; who wants to hear of it.
    fn write(&mut self, first: Option<Message>) -> Vec<Sender<()>> {
        let (mut lines, mut size, mut flushed) = (Vec::new(), 0, Vec::new());
        let mut next = first;
        while let Some(message) = next {
            match message {
                Message::Line(line) => {
                    size += line.len() + OVERHEAD;
                    lines.extend(line);
                }
                Message::Look => {}
                Message::Flush(done) => flushed.push(done),
            }
            next = self.received.try_recv().ok();
        }
        let withheld = self.limits.lock().withheld(Instant::now(), !flushed.is_empty());
        for withheld in withheld {
            lines.extend(line::withheld(&withheld));
        }
        if let Err(Unwritten { error, lines }) = self.file.write(&lines) {
            self.lost.inc_by(lines);
            tracing::error!(%error, lines, "cannot write the audit log");
        }
        self.waiting.fetch_sub(size, Relaxed);
        flushed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn lost() -> IntCounter {
        IntCounter::new("lost", "Lines that are lost.").unwrap()
    }

    #[test]
    fn what_waits_is_bounded_by_its_bytes_and_changes_find_room() {
        let (messages, received) = channel();
        let queue = Queue { messages, waiting: Arc::default(), lost: lost(), told: AtomicBool::new(false) };
        let line = || vec![b'x'; MOST_WAITING / 16];
        for _ in 0..100 {
            queue.push(line(), false);
        }
        assert_eq!((received.try_iter().count(), queue.lost.get()), (7, 93));
        for _ in 0..100 {
            queue.push(line(), true);
        }
        assert_eq!((received.try_iter().count(), queue.lost.get()), (8, 93 + 92));
        assert!(queue.waiting.load(Relaxed) <= MOST_WAITING);
    }

    #[test]
    fn all_is_in_the_file_when_it_is_flushed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit");
        let queue = Queue::start(&path, lost(), Arc::new(Mutex::new(Limits::new(Instant::now())))).unwrap();
        for _ in 0..1000 {
            queue.push(b"{}\n".to_vec(), true);
        }
        queue.flush();
        assert_eq!(fs::read(&path).unwrap().len(), 3000);
        assert_eq!((queue.waiting.load(Relaxed), queue.lost.get()), (0, 0));
    }
}
