//! Work on files that the writer must not wait for: zero-filling the next segment, trimming and removing old ones.
//!
//! The spare is a file of its own, so that filling it does not add dirty pages to the file being synced on the hot
//! path. Without a background thread the same work is done on demand, in the caller's time.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::disk::{Disk, DiskFile};
use super::segment::UNFINISHED;
use super::zeros;

/// Zeros are written in pieces of this size; in the background each is synced, so that no other sync waits behind all.
const PIECE: u64 = 256 << 10;
/// Time between two pieces, left to the syncs that somebody waits for.
const PAUSE: Duration = Duration::from_millis(4);

/// How a file is made ready to be written. It reads as zeros either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// With zeros: a sync of what is written over them needs no commit of the file system's journal.
    Zeros,
    /// By reserving it: such syncs cost a commit, but nothing is written twice.
    Reserved,
}

/// A file full of zeros, ready to become a segment.
#[derive(Debug)]
pub(super) struct Spare {
    pub(super) name: &'static str,
    pub(super) file: Box<dyn DiskFile>,
    pub(super) bytes: u64,
}

enum Job {
    Prepare { name: &'static str, bytes: u64, room: Room },
    Trim { file: Box<dyn DiskFile>, len: u64 },
    Remove(Vec<String>),
}

/// Where spares come from.
#[derive(Debug)]
pub(super) struct Spares {
    disk: Arc<dyn Disk>,
    thread: Option<Thread>,
    /// Spares alternate between two names, for the last one may still be on its way to its final name.
    prepared: u64,
    requested: bool,
}

#[derive(Debug)]
struct Thread {
    /// Unbounded, but a segment brings at most one job of each kind.
    jobs: Sender<Job>,
    done: Receiver<io::Result<Spare>>,
    /// The writer waits for a spare: no more pauses.
    urgent: Arc<AtomicBool>,
    join: Option<std::thread::JoinHandle<()>>,
}

impl Spares {
    pub(super) fn new(disk: Arc<dyn Disk>, background: bool, sync: bool) -> io::Result<Spares> {
        let thread = background.then(|| Thread::start(Arc::clone(&disk), sync)).transpose()?;
        Ok(Spares { disk, thread, prepared: 0, requested: false })
    }

    /// Asks for a spare of `bytes`, once; to be called when the current segment is half full.
    pub(super) fn request(&mut self, bytes: u64, room: Room) {
        if let Some(thread) = self.thread.as_ref().filter(|_| !self.requested) {
            self.requested = true;
            let name = next_name(self.prepared);
            // Without a receiver, `take` makes one itself.
            let _ = thread.jobs.send(Job::Prepare { name, bytes, room });
        }
    }

    /// The spare that was asked for, or one made now.
    pub(super) fn take(&mut self, bytes: u64, room: Room, sync: bool) -> io::Result<Spare> {
        let requested = std::mem::take(&mut self.requested);
        let spare = match self.thread.as_ref().filter(|_| requested).map(Thread::wait) {
            Some(Ok(spare)) => Ok(spare),
            _ => prepare(self.disk.as_ref(), next_name(self.prepared), bytes, room, sync, None),
        };
        self.prepared += 1;
        spare
    }

    /// Gives back what a finished segment did not use.
    pub(super) fn trim(&self, file: Box<dyn DiskFile>, len: u64) {
        self.run(Job::Trim { file, len });
    }

    /// Removes files.
    pub(super) fn remove(&self, names: Vec<String>) {
        self.run(Job::Remove(names));
    }

    fn run(&self, job: Job) {
        let job = match &self.thread {
            Some(thread) => match thread.jobs.send(job) {
                Ok(()) => return,
                Err(unsent) => unsent.0,
            },
            None => job,
        };
        tidy(self.disk.as_ref(), job);
    }
}

impl Drop for Spares {
    fn drop(&mut self) {
        if let Some(Thread { jobs, join, urgent, .. }) = self.thread.take() {
            drop(jobs);
            urgent.store(true, Ordering::Relaxed);
            // Waits for a spare being written, so that the directory's lock is not given up before.
            let _ = join.map(std::thread::JoinHandle::join);
        }
    }
}

fn next_name(prepared: u64) -> &'static str {
    if prepared.is_multiple_of(2) { UNFINISHED[0] } else { UNFINISHED[1] }
}

impl Thread {
    fn start(disk: Arc<dyn Disk>, sync: bool) -> io::Result<Thread> {
        let (jobs, queue) = unbounded();
        let (results, done) = bounded(1);
        let urgent = Arc::new(AtomicBool::new(false));
        let hurry = Arc::clone(&urgent);
        let join = std::thread::Builder::new().name("wal-files".into()).spawn(move || {
            let pause = || {
                if !hurry.load(Ordering::Relaxed) {
                    std::thread::sleep(PAUSE);
                }
            };
            for job in queue {
                match job {
                    Job::Prepare { name, bytes, room } => {
                        if results.send(prepare(disk.as_ref(), name, bytes, room, sync, Some(&pause))).is_err() {
                            return;
                        }
                    }
                    other => tidy(disk.as_ref(), other),
                }
            }
        })?;
        Ok(Thread { jobs, done, urgent, join: Some(join) })
    }

    fn wait(&self) -> io::Result<Spare> {
        self.urgent.store(true, Ordering::Relaxed);
        let spare = self.done.recv();
        self.urgent.store(false, Ordering::Relaxed);
        spare.unwrap_or_else(|_| Err(io::Error::other("the thread that prepares segments is gone")))
    }
}

/// Makes a file full of zeros; where they are written and nobody waits for it, with pauses, and a sync before each.
pub(super) fn prepare(
    disk: &dyn Disk,
    name: &'static str,
    bytes: u64,
    room: Room,
    sync: bool,
    pause: Option<&dyn Fn()>,
) -> io::Result<Spare> {
    let file = disk.create(name)?;
    let is_reserved = room == Room::Reserved
        && match file.reserve(bytes) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => false,
            outcome => outcome.map(|()| true)?,
        };
    if !is_reserved {
        fill(file.as_ref(), bytes, sync, pause)?;
    }
    if sync {
        file.sync_data()?;
    }
    Ok(Spare { name, file, bytes })
}

fn fill(file: &dyn DiskFile, bytes: u64, sync: bool, pause: Option<&dyn Fn()>) -> io::Result<()> {
    let mut at = 0;
    while at < bytes {
        let end = bytes.min(at + PIECE);
        zeros::write(file, at, end)?;
        at = end;
        if let Some(pause) = pause {
            if sync {
                file.sync_data()?;
            }
            pause();
        }
    }
    Ok(())
}

/// Housekeeping that may fail: what stays behind costs space, and is cleaned up at the next opportunity.
fn tidy(disk: &dyn Disk, job: Job) {
    let outcome = match job {
        Job::Trim { file, len } => file.set_len(len),
        Job::Remove(names) => names.iter().try_for_each(|name| disk.remove(name)),
        Job::Prepare { .. } => Ok(()),
    };
    if let Err(error) = outcome {
        tracing::warn!(dir = %disk.path().display(), %error, "could not tidy up the write-ahead log");
    }
}

#[cfg(test)]
mod tests {
    use super::super::disk::{FsDisk, read_full_at};
    use super::*;

    #[test]
    fn what_is_reserved_has_its_room_and_reads_as_zeros() {
        use std::os::unix::fs::MetadataExt;
        let dir = tempfile::tempdir().unwrap();
        let disk = FsDisk::open(dir.path()).unwrap();
        let bytes = 3 * PIECE + 512;
        for room in [Room::Zeros, Room::Reserved] {
            let spare = prepare(&disk, UNFINISHED[0], bytes, room, true, None).unwrap();
            assert_eq!(spare.file.len().unwrap(), bytes, "{room:?}");
            let blocks = std::fs::metadata(dir.path().join(spare.name)).unwrap().blocks();
            assert!(blocks * 512 >= bytes, "{room:?}: {blocks}");
            let mut content = vec![1; usize::try_from(bytes).unwrap()];
            assert_eq!(read_full_at(spare.file.as_ref(), &mut content, 0).unwrap(), content.len(), "{room:?}");
            assert!(zeros::is_zero(&content), "{room:?}");
        }
    }
}
