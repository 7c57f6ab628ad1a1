//! The appending side.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use keyport_api::raftpb::{Entry, EntryType, HardState};
use keyport_api::{etcdserverpb, walpb};
use prost::Message as _;

use super::disk::{Disk, DiskFile, write_all_at};
use super::record::{self, Kind};
use super::replay::{TornEnd, replay};
use super::segment::{SegmentName, UNFINISHED};
use super::spare::{Room, Spare, Spares, prepare};
use super::{Metadata, Recovered, SnapshotMark, WalError, WalOptions, settle};

/// A segment with less room than this is finished: the next batch would probably have to grow it.
const ROOM_BYTES: u64 = 256 << 10;
/// The batch buffer is given back to the allocator when one batch made it larger than this.
const BUFFER_KEPT_BYTES: usize = 2 << 20;
/// Each segment is this much larger than the one before, up to the full size.
const GROWTH: u64 = 4;

/// An entry to be written.
#[derive(Debug, Clone, Copy)]
pub struct EntryRef<'a> {
    /// `raftpb.EntryType`.
    pub kind: i32,
    /// Term.
    pub term: u64,
    /// Index.
    pub index: u64,
    /// Payload.
    pub data: &'a [u8],
}

impl<'a> From<&'a Entry> for EntryRef<'a> {
    fn from(entry: &'a Entry) -> EntryRef<'a> {
        EntryRef {
            kind: entry.r#type.unwrap_or_default(),
            term: entry.term(),
            index: entry.index(),
            data: entry.data.as_deref().unwrap_or_default(),
        }
    }
}

/// A log open for appending. Push what belongs together, then [`Wal::write`], then [`Wal::sync`].
#[derive(Debug)]
pub struct Wal {
    disk: Arc<dyn Disk>,
    options: WalOptions,
    metadata: Vec<u8>,
    /// Oldest first; the last one is being written.
    segments: VecDeque<SegmentName>,
    file: Box<dyn DiskFile>,
    /// End of the data written.
    offset: u64,
    /// Zeros up to here.
    size: u64,
    /// Since the segment was begun, or opened.
    syncs: u64,
    chain: u32,
    /// What was pushed since the last write.
    buf: Vec<u8>,
    /// An entry's fields in front of its payload, while it is being encoded.
    head: Vec<u8>,
    state: HardState,
    last_index: u64,
    /// Highest index known to be on disk.
    synced_index: u64,
    spares: Spares,
    poisoned: bool,
    /// Something was written since the last sync.
    dirty: bool,
}

impl Wal {
    /// Whether a directory holds a log.
    pub fn exists(disk: &dyn Disk) -> Result<bool, WalError> {
        Ok(!segments(disk)?.is_empty())
    }

    /// Makes a new log with its first records: whose it is, the snapshot mark at index 0, and the entries and state
    /// given. All or nothing of it is there after a crash.
    pub fn create(
        disk: Arc<dyn Disk>,
        options: WalOptions,
        metadata: Metadata,
        entries: &[Entry],
        state: HardState,
    ) -> Result<Wal, WalError> {
        if Wal::exists(disk.as_ref())? {
            return Err(WalError::Exists(disk.path().to_path_buf()));
        }
        remove_leftovers(disk.as_ref())?;
        let name = SegmentName { seq: 0, index: 0 };
        let path = disk.path().join(name.to_string());
        let sync = !options.unsafe_no_fsync;
        let spares = Spares::new(Arc::clone(&disk), options.background, sync)
            .map_err(WalError::io(disk.path(), "start thread"))?;
        let spare = prepare(disk.as_ref(), UNFINISHED[0], options.first_segment_bytes, Room::Zeros, sync, None);
        let Spare { name: temporary, file, bytes } = spare.map_err(WalError::io(&path, "create"))?;
        let mut wal = Wal {
            metadata: encode_metadata(metadata),
            segments: VecDeque::from([name]),
            file,
            offset: 0,
            size: bytes,
            syncs: 0,
            chain: 0,
            buf: Vec::new(),
            head: Vec::new(),
            state: HardState::default(),
            last_index: 0,
            synced_index: 0,
            spares,
            poisoned: false,
            dirty: false,
            disk,
            options,
        };
        wal.push_header();
        wal.push_snapshot(&SnapshotMark::default());
        entries.iter().for_each(|entry| wal.push_entry(entry.into()));
        wal.sync()?;
        wal.push_state(state);
        wal.sync()?;
        wal.disk.rename(temporary, &name.to_string()).map_err(WalError::io(&path, "rename"))?;
        wal.sync_dir()?;
        Ok(wal)
    }

    /// Opens a log. `applied` is the last index that the state machine has durably: the result begins at the newest
    /// snapshot mark that it covers.
    pub fn open(disk: Arc<dyn Disk>, options: WalOptions, applied: u64) -> Result<(Wal, Recovered), WalError> {
        let segments = segments(disk.as_ref())?;
        if let Some(last) = segments.last().filter(|_| !options.unsafe_no_fsync) {
            settle::settle(disk.as_ref(), last, options.plants)?;
        }
        let replay = replay(disk.as_ref(), &segments, applied, TornEnd::Repaired)?;
        remove_leftovers(disk.as_ref())?;
        let sync = !options.unsafe_no_fsync;
        let spares = Spares::new(Arc::clone(&disk), options.background, sync)
            .map_err(WalError::io(disk.path(), "start thread"))?;
        let recovered = replay.recovered;
        let last_index = recovered.entries.last().map_or(recovered.snapshot.index, Entry::index);
        let mut wal = Wal {
            metadata: replay.metadata,
            segments: replay.segments.into(),
            file: replay.file,
            offset: replay.end,
            size: replay.size,
            syncs: 0,
            chain: replay.chain,
            buf: Vec::new(),
            head: Vec::new(),
            state: recovered.hard_state,
            last_index,
            synced_index: 0,
            spares,
            poisoned: false,
            dirty: false,
            disk,
            options,
        };
        // All of it counts as synced from now on, and the segment may be full.
        wal.sync()?;
        Ok((wal, recovered))
    }

    /// What [`Wal::open`] would give back, without writing anything: a torn end stays where it is.
    pub fn look(disk: &dyn Disk, applied: u64) -> Result<Recovered, WalError> {
        Ok(replay(disk, &segments(disk)?, applied, TornEnd::Left)?.recovered)
    }

    /// Adds an entry to the batch.
    pub fn push_entry(&mut self, entry: EntryRef<'_>) {
        self.head.clear();
        for (tag, value) in [(0x08, u64::from(entry.kind.unsigned_abs())), (0x10, entry.term), (0x18, entry.index)] {
            self.head.push(tag);
            record::put_varint(&mut self.head, value);
        }
        // A change's data is written even when there is none: without it a state record could pass for a change.
        if !entry.data.is_empty() || entry.kind != EntryType::EntryNormal as i32 {
            self.head.push(0x22);
            record::put_varint(&mut self.head, entry.data.len() as u64);
        }
        record::put(&mut self.buf, &mut self.chain, Kind::Entry, &[&self.head, entry.data]);
        self.last_index = entry.index;
        // An entry that replaces others takes their place on disk only with the next sync.
        self.synced_index = self.synced_index.min(entry.index.saturating_sub(1));
    }

    /// Adds term, vote and commit index to the batch.
    ///
    /// The commit index is written no higher than what was synced before this batch, so that a reader that finds a
    /// commit index behind a torn entry knows that the entry had been acknowledged.
    pub fn push_state(&mut self, mut state: HardState) {
        let commit = state.commit().min(self.synced_index).max(self.state.commit());
        state.commit = Some(commit);
        self.put_state(state);
    }

    fn put_state(&mut self, state: HardState) {
        self.state = state;
        let full = HardState { term: Some(state.term()), vote: Some(state.vote()), commit: Some(state.commit()) };
        record::put(&mut self.buf, &mut self.chain, Kind::State, &[&full.encode_to_vec()]);
    }

    /// Adds the mark of a snapshot of what was applied, behind the state record that says that its index is committed.
    pub fn push_snapshot(&mut self, mark: &SnapshotMark) {
        self.commit_to(mark.index);
        self.put_mark(mark);
    }

    /// Records a snapshot that a leader sent; the log starts over behind it. The mark is synced before the state record
    /// is pushed that makes its index committed: such an index without the mark would tell of entries that were lost.
    pub fn install_snapshot(&mut self, mark: &SnapshotMark) -> Result<(), WalError> {
        self.put_mark(mark);
        self.last_index = mark.index;
        self.sync()?;
        self.commit_to(mark.index);
        Ok(())
    }

    fn commit_to(&mut self, index: u64) {
        if index > self.state.commit() {
            self.put_state(HardState { commit: Some(index), ..self.state });
        }
    }

    fn put_mark(&mut self, mark: &SnapshotMark) {
        let encoded = walpb::Snapshot {
            index: Some(mark.index),
            term: Some(mark.term),
            conf_state: (mark.index > 0).then(|| mark.conf_state.clone()),
        }
        .encode_to_vec();
        record::put(&mut self.buf, &mut self.chain, Kind::Snapshot, &[&encoded]);
    }

    /// Writes the batch; returns how many bytes that were.
    pub fn write(&mut self) -> Result<u64, WalError> {
        if self.poisoned {
            return Err(WalError::Poisoned);
        }
        if self.buf.is_empty() {
            return Ok(0);
        }
        if let Err(error) = write_all_at(self.file.as_ref(), &self.buf, self.offset) {
            return Err(self.poison("write", error));
        }
        let bytes = self.buf.len() as u64;
        self.offset += bytes;
        self.dirty = true;
        self.buf.clear();
        self.buf.shrink_to(BUFFER_KEPT_BYTES);
        Ok(bytes)
    }

    /// Makes everything pushed durable, then moves on to the next segment if this one is full.
    pub fn sync(&mut self) -> Result<(), WalError> {
        self.write()?;
        if self.dirty {
            if let Err(error) = self.sync_file() {
                return Err(self.poison("sync", error));
            }
            self.dirty = false;
            self.syncs += 1;
        }
        self.synced_index = self.last_index;
        if self.offset * 2 > self.size {
            self.spares.request(self.next_size(), self.next_room());
        }
        let room = ROOM_BYTES.min(self.size / 4);
        if self.offset + room > self.size { self.cut() } else { Ok(()) }
    }

    /// Term, vote and commit index as last pushed.
    pub fn hard_state(&self) -> HardState {
        self.state
    }

    /// Index of the last entry pushed, or of the snapshot installed after it.
    pub fn last_index(&self) -> u64 {
        self.last_index
    }

    /// Lets go of segments that only hold entries up to `index`, a snapshot mark that is already synced.
    pub fn release(&mut self, index: u64) {
        let mut names = Vec::new();
        while self.segments.get(1).is_some_and(|next| next.index <= index) {
            names.extend(self.segments.pop_front().map(|name| name.to_string()));
        }
        if !names.is_empty() {
            self.spares.remove(names);
        }
    }

    /// Files of this log, the oldest first.
    pub fn segment_paths(&self) -> Vec<PathBuf> {
        self.segments.iter().map(|name| self.disk.path().join(name.to_string())).collect()
    }

    /// Appends entries together with the state that commits them, in a segment of their own that gets its name when all
    /// of it is on disk: after a crash everything is there, or nothing.
    pub fn append_committed(&mut self, entries: &[Entry], state: HardState) -> Result<(), WalError> {
        self.sync()?;
        let outcome = self.start_segment(|wal| {
            entries.iter().for_each(|entry| wal.push_entry(entry.into()));
            wal.put_state(state);
        });
        outcome.map_err(|error| self.poison("start segment", error))?;
        self.synced_index = self.last_index;
        Ok(())
    }

    /// Goes on in a new segment. Everything in the old one is durable.
    fn cut(&mut self) -> Result<(), WalError> {
        let outcome = self.start_segment(|_| {});
        outcome.map_err(|error| self.poison("start segment", error))
    }

    fn start_segment(&mut self, begin: impl FnOnce(&mut Wal)) -> io::Result<()> {
        let seq = self.segments.back().map_or(0, |name| name.seq) + 1;
        let name = SegmentName { seq, index: self.last_index + 1 };
        let spare = self.spares.take(self.next_size(), self.next_room(), !self.options.unsafe_no_fsync)?;
        let old = std::mem::replace(&mut self.file, spare.file);
        self.spares.trim(old, self.offset);
        self.push_header();
        self.put_state(self.state);
        begin(self);
        write_all_at(self.file.as_ref(), &self.buf, 0)?;
        self.offset = self.buf.len() as u64;
        self.size = spare.bytes;
        self.syncs = 0;
        self.buf.clear();
        self.sync_file()?;
        self.disk.rename(spare.name, &name.to_string())?;
        if !self.options.unsafe_no_fsync {
            self.disk.sync()?;
        }
        self.segments.push_back(name);
        Ok(())
    }

    fn push_header(&mut self) {
        record::put(&mut self.buf, &mut self.chain, Kind::Crc, &[]);
        record::put(&mut self.buf, &mut self.chain, Kind::Metadata, &[&self.metadata]);
    }

    fn next_size(&self) -> u64 {
        self.size.saturating_mul(GROWTH).min(self.options.segment_bytes)
    }

    /// For a log that goes on as this segment did.
    fn next_room(&self) -> Room {
        if self.offset >= (self.syncs + 1).saturating_mul(self.options.large_batch_bytes) {
            Room::Reserved
        } else {
            Room::Zeros
        }
    }

    fn sync_file(&self) -> io::Result<()> {
        if self.options.unsafe_no_fsync { Ok(()) } else { self.file.sync_data() }
    }

    fn sync_dir(&self) -> Result<(), WalError> {
        self.disk.sync().map_err(WalError::io(self.disk.path(), "sync directory"))
    }

    fn poison(&mut self, action: &'static str, source: io::Error) -> WalError {
        self.poisoned = true;
        let name = self.segments.back().map(SegmentName::to_string).unwrap_or_default();
        WalError::Io { path: self.disk.path().join(name), action, source }
    }
}

fn encode_metadata(metadata: Metadata) -> Vec<u8> {
    etcdserverpb::Metadata { node_id: Some(metadata.node_id), cluster_id: Some(metadata.cluster_id) }.encode_to_vec()
}

/// The segments in a directory, in order.
pub(super) fn segments(disk: &dyn Disk) -> Result<Vec<SegmentName>, WalError> {
    let names = disk.list().map_err(WalError::io(disk.path(), "list directory"))?;
    let mut segments: Vec<_> = names.iter().filter_map(|name| SegmentName::parse(name)).collect();
    segments.sort_unstable();
    Ok(segments)
}

/// Removes segments that were never finished.
fn remove_leftovers(disk: &dyn Disk) -> Result<(), WalError> {
    let names = disk.list().map_err(WalError::io(disk.path(), "list directory"))?;
    for name in names.iter().filter(|name| UNFINISHED.contains(&name.as_str())) {
        disk.remove(name).map_err(WalError::io(&disk.path().join(name), "remove"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::SimDisk;

    #[test]
    fn large_batches_are_followed_by_room_that_is_reserved_only() {
        let options = WalOptions {
            segment_bytes: 1 << 20,
            large_batch_bytes: 10_000,
            background: false,
            ..WalOptions::default()
        };
        let metadata = Metadata { node_id: 1, cluster_id: 2 };
        let disk = Arc::new(SimDisk::new(1));
        let mut wal = Wal::create(disk, options, metadata, &[], HardState::default()).unwrap();
        let push = |wal: &mut Wal, bytes: usize| {
            let index = wal.last_index() + 1;
            wal.push_entry(EntryRef { kind: 0, term: 1, index, data: &vec![1; bytes] });
            wal.sync().unwrap();
        };
        (0..9).for_each(|_| push(&mut wal, 9_000));
        assert_eq!(wal.next_room(), Room::Zeros);
        (0..60).for_each(|_| push(&mut wal, 11_000));
        assert_eq!(wal.next_room(), Room::Reserved);
        // Another segment, of which only that counts which is in it.
        while wal.segments.len() < 2 {
            push(&mut wal, 500_000);
        }
        (0..9).for_each(|_| push(&mut wal, 9_000));
        assert_eq!(wal.next_room(), Room::Zeros);
    }
}
