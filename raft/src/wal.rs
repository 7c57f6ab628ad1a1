//! The write-ahead log: segments of framed, checksummed records, in etcd's format.
//!
//! What it promises:
//! - After [`Wal::sync`] returned, everything pushed before survives a crash of the machine.
//! - [`Wal::open`] gives back exactly what was synced, in the order of writing, possibly followed by some of what was
//!   written but never synced. A write that a crash tore at the very end is cut off (a copy of the segment stays beside
//!   it as `.broken`); anything else that does not check is refused with path and offset, and nothing is changed.
//! - After a failed write or sync the log is poisoned: what the disk holds is then unknown, so nothing more is
//!   acknowledged on this handle. The next [`Wal::open`] writes what it can read of the last segment again before it
//!   trusts it, for after a failed sync the system may take for written what is not on the disk.
//!
//! One batch is one `pwrite` of a reused buffer and one `fdatasync`. Segments are filled with real zeros ahead of the
//! writing (a sync that only overwrites allocated blocks needs no journal commit), the next one by a thread in the
//! background. Where batches are large, zeros that are written first cost more than they save, and the next segment is
//! reserved only, which reads the same. A log starts with a small segment, and each next one is larger, up to [`WalOptions::segment_bytes`], so
//! that an idle server keeps little on disk.
//!
//! What the entries mean, and when a snapshot is due, is left to the caller.
//!
//! # Files
//!
//! `{number:016x}-{index:016x}.wal`, numbers consecutive, `index` the first entry that the segment may hold (0 for the
//! very first). A segment is a sequence of frames (see [`record`]): a checksum record with the chain's value at the end
//! of the segment before, metadata, the current state (not in the first segment), then entries, states and snapshot
//! marks. It ends with the file or with a length word of zero. `0.tmp` and `1.tmp` are segments in the making;
//! `.broken` is the copy of a segment whose torn end was cut off.
//!
//! # What a crash can do
//!
//! - *While a log is made:* it is written and synced as `0.tmp`; before the rename there is no log, after it there is
//!   all of it.
//! - *While a batch is written:* any of its sectors may be missing. The first record that does not check has a sector
//!   of zeros, as the file had been filled with them; from there on the batch is cut off. Nothing of it was
//!   acknowledged. A bad sector in what had been acknowledged may look the same: but a state record is never written
//!   with a commit index beyond what was synced before it, so one further on that covers the bad place gives it away,
//!   and the log is refused.
//! - *While a segment is begun:* the old one is synced before, the new one is synced with its header before it gets
//!   its name. Either the old one is still the last, or the new one is there and empty. The same goes for a segment
//!   that begins with entries that must not be there in part ([`Wal::append_committed`]).
//! - *While a snapshot is recorded:* the mark counts only if a state record says that its index is committed; until
//!   both are there, reading starts at the mark before, whose segments are released only after the sync of this one.
//! - *While old segments are removed:* they go in any order; only those that follow each other up to the newest are
//!   read, and they hold everything from the newest mark on.
//! - *While a log is opened:* its last segment is written again with the bytes that it has, which changes nothing where
//!   they are on the disk, and elsewhere keeps some sectors of what was never synced.
//! - *While a torn end is repaired:* the copy is synced first; then zeros are written over what is torn, which stays
//!   torn until the last of them is there.

pub mod disk;
pub mod record;
mod replay;
mod scan;
mod segment;
mod settle;
mod spare;
mod tail;
#[cfg(test)]
mod tests;
mod writer;
mod zeros;

use std::io;
use std::path::{Path, PathBuf};

use keyport_api::raftpb::{ConfState, Entry, HardState};

use crate::plant::Plants;

pub use disk::{Disk, DiskFile, FsDisk, make_dir};
pub use scan::{EachItem, Item, Scanned, TornAt};
pub use writer::{EntryRef, Wal};

/// How a log is kept.
#[derive(Debug, Clone)]
pub struct WalOptions {
    /// Size of a full-grown segment.
    pub segment_bytes: u64,
    /// Size of the first segment; the following ones grow from here.
    pub first_segment_bytes: u64,
    /// Of a batch, on average: a segment of larger ones is followed by one that is reserved and not filled with zeros.
    pub large_batch_bytes: u64,
    /// Skips every sync. A crash of the machine then loses acknowledged writes.
    pub unsafe_no_fsync: bool,
    /// Prepares segments on a thread in the background; otherwise in the writer's own time.
    pub background: bool,
    /// A bug for the simulation to find.
    pub plants: Plants,
}

impl Default for WalOptions {
    fn default() -> WalOptions {
        WalOptions {
            segment_bytes: 64_000_000,
            first_segment_bytes: 4 << 20,
            large_batch_bytes: 128 << 10,
            unsafe_no_fsync: false,
            background: true,
            plants: Plants::default(),
        }
    }
}

/// Whose log it is; the same in every segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    /// Member id.
    pub node_id: u64,
    /// Cluster id.
    pub cluster_id: u64,
}

/// A point in the log from which the state machine has everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SnapshotMark {
    /// Last index covered.
    pub index: u64,
    /// Its term.
    pub term: u64,
    /// The configuration at that index.
    pub conf_state: ConfState,
}

/// What a log held when it was opened.
#[derive(Debug, Clone, PartialEq)]
pub struct Recovered {
    /// Whose log it is.
    pub metadata: Metadata,
    /// Last term, vote and commit index written.
    pub hard_state: HardState,
    /// Where `entries` begin.
    pub snapshot: SnapshotMark,
    /// Entries behind the snapshot, without gaps.
    pub entries: Vec<Entry>,
    /// The copy of a segment whose torn end was cut off.
    pub repaired: Option<PathBuf>,
}

impl Recovered {
    /// The term of an entry, or of the snapshot before the first; none for any other index.
    pub fn term_at(&self, index: u64) -> Option<u64> {
        match index.checked_sub(self.snapshot.index)?.checked_sub(1) {
            None => Some(self.snapshot.term),
            Some(at) => self.entries.get(usize::try_from(at).ok()?).map(Entry::term),
        }
    }
}

/// Why a log could not be used.
#[derive(Debug, thiserror::Error)]
pub enum WalError {
    /// Another process has it open.
    #[error("write-ahead log {} is in use by another process", .0.display())]
    Locked(PathBuf),
    /// There is none.
    #[error("no write-ahead log in {}", .0.display())]
    NotFound(PathBuf),
    /// There is one already, where a new one should be made.
    #[error("a write-ahead log exists already in {}", .0.display())]
    Exists(PathBuf),
    /// The system refused.
    #[error("{}: {action}: {source}", path.display())]
    Io {
        /// File or directory.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A record that does not check, and that no torn write explains.
    #[error("{}: corrupt at offset {offset}: {what}", path.display())]
    Corrupt {
        /// Segment.
        path: PathBuf,
        /// Offset of the record.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// The segments are not one log.
    #[error("write-ahead log {}: {what}", path.display())]
    Inconsistent {
        /// Directory.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The log begins behind what the state machine has: the state of this snapshot has to be brought first.
    #[error(
        "write-ahead log {} continues from the snapshot at index {index}, but the state ends at index {applied}",
        path.display()
    )]
    SnapshotNeeded {
        /// Directory.
        path: PathBuf,
        /// Index of the snapshot that the log continues from.
        index: u64,
        /// Its term.
        term: u64,
        /// Last index that the state machine has.
        applied: u64,
    },
    /// The state machine has applied more than the log holds.
    #[error(
        "write-ahead log {} ends at index {last}, but index {applied} was committed already: entries were lost",
        path.display()
    )]
    Lost {
        /// Directory.
        path: PathBuf,
        /// Last index in the log.
        last: u64,
        /// Index known to be committed.
        applied: u64,
    },
    /// A write or sync failed before.
    #[error("write-ahead log is unusable after an earlier failure")]
    Poisoned,
}

impl WalError {
    pub(crate) fn io(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> WalError {
        let path = path.to_path_buf();
        move |source| WalError::Io { path, action, source }
    }
}
