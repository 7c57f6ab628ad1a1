//! The reading side: segments in, a checked log out.

use std::path::PathBuf;

use keyport_api::raftpb::{Entry, EntryType, HardState};
use keyport_api::{etcdserverpb, walpb};
use prost::Message as _;

use super::disk::{Disk, DiskFile};
use super::record::Kind;
use super::segment::SegmentName;
use super::tail::{self, Bad, SegmentReader, Step};
use super::{Metadata, Recovered, SnapshotMark, WalError};

/// A log read to its end, and where to go on.
pub(super) struct Replay {
    pub(super) recovered: Recovered,
    pub(super) metadata: Vec<u8>,
    pub(super) segments: Vec<SegmentName>,
    pub(super) file: Box<dyn DiskFile>,
    pub(super) end: u64,
    pub(super) size: u64,
    pub(super) chain: u32,
}

/// What becomes of a torn end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TornEnd {
    /// It is cut off.
    Repaired,
    /// It is passed over, and stays on the disk.
    Left,
}

/// Reads a log up to its end, or to where that was torn.
pub(super) fn replay(
    disk: &dyn Disk,
    segments: &[SegmentName],
    applied: u64,
    torn_end: TornEnd,
) -> Result<Replay, WalError> {
    let segments = newest_run(segments);
    let Some((last, finished)) = segments.split_last() else {
        return Err(WalError::NotFound(disk.path().to_path_buf()));
    };
    let mut log = Log { applied, ..Log::default() };
    let mut chain = None;
    for name in finished {
        let file = open(disk, name)?;
        let mut reader = SegmentReader::new(file.as_ref(), path(disk, name), chain)?;
        if let Some(bad) = read_segment(&mut reader, &mut log)? {
            return Err(bad.into_error(reader.path));
        }
        chain = Some(reader.chain);
    }

    let file = open(disk, last)?;
    let mut reader = SegmentReader::new(file.as_ref(), path(disk, last), chain)?;
    let bad = read_segment(&mut reader, &mut log)?;
    if let Some(bad) = bad.as_ref().filter(|_| !log.header_read) {
        // A segment gets its name with a synced header, so this one was never torn.
        return Err(bad.clone().into_error(reader.path));
    }
    let torn = tail::judge(&mut reader, bad, log.next())?.filter(|_| torn_end == TornEnd::Repaired);
    let repaired = torn.map(|torn| tail::repair(disk, &mut reader, &last.to_string(), torn)).transpose()?;
    let (end, chain, size) = (reader.offset, reader.chain, reader.len);
    let metadata = log.metadata.clone().unwrap_or_default();
    let recovered = log.finish(disk, repaired)?;
    Ok(Replay { recovered, metadata, segments: segments.to_vec(), file, end, size, chain })
}

/// The segments that follow each other up to the newest. Older ones are being removed: a crash may have kept some of
/// those, out of order.
pub(super) fn newest_run(segments: &[SegmentName]) -> &[SegmentName] {
    let run = segments.windows(2).rev().take_while(|pair| matches!(pair, [a, b] if a.seq + 1 == b.seq)).count() + 1;
    segments.get(segments.len().saturating_sub(run)..).unwrap_or_default()
}

pub(super) fn path(disk: &dyn Disk, name: &SegmentName) -> PathBuf {
    disk.path().join(name.to_string())
}

pub(super) fn open(disk: &dyn Disk, name: &SegmentName) -> Result<Box<dyn DiskFile>, WalError> {
    disk.open(&name.to_string()).map_err(WalError::io(&path(disk, name), "open"))
}

/// Reads one segment; returns the record that does not check, if there is one.
fn read_segment(reader: &mut SegmentReader<'_>, log: &mut Log) -> Result<Option<Bad>, WalError> {
    log.header_read = false;
    let mut records = 0u64;
    loop {
        let at = reader.offset;
        match reader.step()? {
            Step::End if records < 2 => return Ok(Some(Bad::new(at, "the segment has no header"))),
            Step::End => return Ok(None),
            Step::Bad(bad) => return Ok(Some(bad)),
            Step::Record { kind, data } => {
                if (records == 0) != (kind == Kind::Crc) || (records == 1) != (kind == Kind::Metadata) {
                    return Ok(Some(Bad::new(at, format!("a {kind:?} record in the wrong place"))));
                }
                if let Err(what) = log.add(kind, data) {
                    return Ok(Some(Bad::new(at, what)));
                }
            }
        }
        records += 1;
        log.header_read = records >= 2;
    }
}

/// What the records read so far amount to.
#[derive(Default)]
struct Log {
    /// Last index that the state machine has.
    applied: u64,
    header_read: bool,
    metadata: Option<Vec<u8>>,
    state: HardState,
    marks: Vec<SnapshotMark>,
    /// Index of the newest mark known to be usable; entries up to it are not kept.
    covered: u64,
    /// Without gaps.
    entries: Vec<Entry>,
    /// Index before the first of `entries`, once known.
    base: Option<u64>,
}

impl Log {
    fn add(&mut self, kind: Kind, data: &[u8]) -> Result<(), String> {
        match kind {
            Kind::Crc => Ok(()),
            Kind::Metadata => self.add_metadata(data),
            Kind::Entry => self.add_entry(decode(data, "entry")?),
            Kind::State => self.add_state(decode(data, "state")?),
            Kind::Snapshot => self.add_mark(decode(data, "snapshot")?),
        }
    }

    fn add_metadata(&mut self, data: &[u8]) -> Result<(), String> {
        match &self.metadata {
            None => {
                self.metadata = Some(data.to_vec());
                Ok(())
            }
            Some(first) if first == data => Ok(()),
            Some(_) => Err("the metadata differs from that of earlier segments".into()),
        }
    }

    fn add_state(&mut self, state: HardState) -> Result<(), String> {
        if state.term() < self.state.term() || state.commit() < self.state.commit() {
            return Err(format!(
                "term or commit index goes back from {}/{} to {}/{}",
                self.state.term(),
                self.state.commit(),
                state.term(),
                state.commit()
            ));
        }
        self.state = state;
        Ok(())
    }

    fn add_entry(&mut self, entry: Entry) -> Result<(), String> {
        let index = entry.index();
        if index == 0 || entry.term() == 0 {
            return Err("an entry without index or term".into());
        }
        // The checksum does not cover a record's kind. The fields of term, vote and commit index are those of type, term
        // and index, so a state record under the name of an entry decodes, and it is the data that it lacks.
        match entry.r#type.map_or(Ok(EntryType::EntryNormal), EntryType::try_from) {
            Ok(EntryType::EntryNormal) => {}
            Ok(_) if entry.data.is_some() => {}
            Ok(_) => return Err(format!("entry {index} is a membership change without data")),
            Err(_) => return Err(format!("entry {index} is of no known type")),
        }
        if index <= self.covered {
            return Err(format!("entry {index} rewrites what the snapshot at {} covers", self.covered));
        }
        let base = *self.base.get_or_insert(index - 1);
        if index <= base {
            // It replaces entries of a segment that is gone, and everything after.
            self.entries.clear();
            self.base = Some(index - 1);
        } else if index <= self.last() {
            self.entries.truncate(usize::try_from(index - 1 - base).unwrap_or(usize::MAX));
        } else if index > self.last() + 1 {
            // Only a snapshot that a leader sent may replace what is missing.
            if !self.marks.iter().any(|mark| mark.index == index - 1) {
                return Err(format!("entry {index} follows entry {}", self.last()));
            }
            self.entries.clear();
            self.base = Some(index - 1);
        }
        if self.entries.last().is_some_and(|before| before.term() > entry.term()) {
            return Err(format!("entry {index} has an older term than the one before"));
        }
        self.entries.push(entry);
        Ok(())
    }

    fn add_mark(&mut self, mark: walpb::Snapshot) -> Result<(), String> {
        let index = mark.index();
        if index > 0 && mark.conf_state.is_none() {
            return Err("a snapshot record without configuration".into());
        }
        let term = mark.term();
        self.marks.push(SnapshotMark { index, term, conf_state: mark.conf_state.unwrap_or_default() });
        if self.get(index).is_some_and(|entry| entry.term() != term) {
            // A leader sent it, because the log here was not like its own: what was here from there on is void.
            self.entries.truncate(usize::try_from(index - 1 - self.base.unwrap_or_default()).unwrap_or(usize::MAX));
        }
        if index <= self.state.commit() && index <= self.applied {
            // Whatever follows, reading will not start before this mark.
            self.covered = self.covered.max(index);
            // Without entries so far nothing is known: those behind an older mark may be in a segment that is gone.
            if let Some(base) = self.base.filter(|base| *base < index) {
                let covered = usize::try_from(index - base).unwrap_or(usize::MAX).min(self.entries.len());
                self.entries.drain(..covered);
                self.base = Some(index);
            }
        }
        Ok(())
    }

    fn get(&self, index: u64) -> Option<&Entry> {
        let at = index.checked_sub(self.base? + 1)?;
        self.entries.get(usize::try_from(at).ok()?)
    }

    /// Index of the last entry.
    fn last(&self) -> u64 {
        self.base.unwrap_or_default() + self.entries.len() as u64
    }

    /// The lowest index that was not synced, if the log was torn here.
    fn next(&self) -> u64 {
        self.marks.iter().map(|mark| mark.index).max().unwrap_or_default().max(self.last()) + 1
    }

    fn finish(self, disk: &dyn Disk, repaired: Option<PathBuf>) -> Result<Recovered, WalError> {
        let path = disk.path().to_path_buf();
        let inconsistent = |what: String| WalError::Inconsistent { path: path.clone(), what };
        let metadata = self.metadata.clone().unwrap_or_default();
        let metadata = etcdserverpb::Metadata::decode(metadata.as_slice())
            .map_err(|error| inconsistent(format!("metadata does not decode: {error}")))?;
        let metadata = Metadata { node_id: metadata.node_id(), cluster_id: metadata.cluster_id() };

        let commit = self.state.commit();
        let base = self.base.unwrap_or_default();
        let committed = || self.marks.iter().filter(|mark| mark.index <= commit);
        let newest = committed().max_by_key(|mark| mark.index);
        let usable = committed().filter(|mark| mark.index <= self.applied && mark.index >= base);
        let Some(start) = usable.max_by_key(|mark| mark.index) else {
            return Err(match newest {
                Some(mark) => {
                    WalError::SnapshotNeeded { path, index: mark.index, term: mark.term, applied: self.applied }
                }
                None => inconsistent("there is no snapshot record to start from".into()),
            });
        };
        let last = self.last().max(start.index);
        if commit > last {
            return Err(match newest.filter(|mark| mark.index > last) {
                Some(mark) => {
                    WalError::SnapshotNeeded { path, index: mark.index, term: mark.term, applied: self.applied }
                }
                None => WalError::Lost { path, last, applied: commit },
            });
        }
        if self.applied > last {
            return Err(WalError::Lost { path, last, applied: self.applied });
        }

        let snapshot = start.clone();
        let mut entries = self.entries;
        let covered = entries.partition_point(|entry| entry.index() <= snapshot.index);
        let at_mark = covered.checked_sub(1).and_then(|at| entries.get(at));
        if at_mark.is_some_and(|entry| entry.index() == snapshot.index && entry.term() != snapshot.term) {
            return Err(inconsistent(format!("entry and snapshot differ in the term of index {}", snapshot.index)));
        }
        entries.drain(..covered);
        if entries.first().is_some_and(|entry| entry.index() != snapshot.index + 1) {
            return Err(inconsistent(format!("entries after the snapshot at index {} are missing", snapshot.index)));
        }
        Ok(Recovered { metadata, hard_state: self.state, snapshot, entries, repaired })
    }
}

pub(super) fn decode<M: prost::Message + Default>(data: &[u8], what: &str) -> Result<M, String> {
    M::decode(data).map_err(|error| format!("{what} does not decode: {error}"))
}
