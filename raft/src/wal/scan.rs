//! Going through a log record by record, for who shows it or judges it. One record is held at a time, and nothing is written.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use keyport_api::raftpb::{Entry, HardState};
use keyport_api::{etcdserverpb, walpb};

use super::disk::Disk;
use super::record::Kind;
use super::replay::{decode, newest_run, open, path};
use super::tail::{self, Bad, SegmentReader, Step};
use super::writer::segments;
use super::{Metadata, SnapshotMark, Wal, WalError};

/// What a log is made of, in the order of writing. Entries that later ones replace are among it.
#[derive(Debug, Clone, PartialEq)]
pub enum Item<'a> {
    /// The records that follow are in this file.
    Segment(&'a Path),
    /// Whose log it is.
    Metadata(Metadata),
    /// An entry.
    Entry(Entry),
    /// Term, vote and commit index.
    State(HardState),
    /// A snapshot mark.
    Snapshot(SnapshotMark),
}

/// What was gone through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Files.
    pub segments: usize,
    /// Records of all kinds.
    pub records: u64,
    /// Where a crash tore the end, which the next start cuts off.
    pub torn: Option<TornAt>,
}

/// A torn end: nothing in it was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornAt {
    /// Segment.
    pub path: PathBuf,
    /// Offset of the first record that does not check.
    pub offset: u64,
    /// What is wrong with it.
    pub what: String,
}

/// Told each part of a log until it breaks.
pub type EachItem<'a> = dyn FnMut(Item<'_>) -> ControlFlow<()> + 'a;

impl Wal {
    /// Calls `each` for everything in a log until it breaks. That entries follow each other is not looked at: see [`Wal::look`].
    ///
    /// # Errors
    /// [`WalError::Corrupt`] for a record that does not check, and that no torn write explains; what else a log cannot be used for.
    pub fn scan(disk: &dyn Disk, each: &mut EachItem<'_>) -> Result<Scanned, WalError> {
        let segments = segments(disk)?;
        let segments = newest_run(&segments);
        let Some(last) = segments.last() else { return Err(WalError::NotFound(disk.path().to_path_buf())) };
        let mut scan = Scan { scanned: Scanned::default(), next: 1, header_read: false, each };
        let mut chain = None;
        for name in segments {
            let file = open(disk, name)?;
            let mut reader = SegmentReader::new(file.as_ref(), path(disk, name), chain)?;
            scan.scanned.segments += 1;
            let path = reader.path.clone();
            if (scan.each)(Item::Segment(&path)).is_break() {
                break;
            }
            match scan.segment(&mut reader)? {
                ControlFlow::Break(()) => break,
                // A segment gets its name with a synced header, so that was never torn.
                ControlFlow::Continue(Some(bad)) if name != last || !scan.header_read => {
                    return Err(bad.into_error(path));
                }
                ControlFlow::Continue(bad) if name == last => {
                    let torn = tail::judge(&mut reader, bad, scan.next)?;
                    scan.scanned.torn = torn.map(|torn| {
                        let (offset, what) = torn.start();
                        TornAt { path, offset, what }
                    });
                }
                ControlFlow::Continue(_) => chain = Some(reader.chain),
            }
        }
        Ok(scan.scanned)
    }
}

struct Scan<'a, 'b> {
    scanned: Scanned,
    /// Index of the entry that would be the next one.
    next: u64,
    header_read: bool,
    each: &'a mut EachItem<'b>,
}

impl Scan<'_, '_> {
    /// Goes through a segment; the record that does not check, if there is one.
    fn segment(&mut self, reader: &mut SegmentReader<'_>) -> Result<ControlFlow<(), Option<Bad>>, WalError> {
        let mut records = 0u64;
        self.header_read = false;
        loop {
            let at = reader.offset;
            match reader.step()? {
                Step::End if records < 2 => {
                    return Ok(ControlFlow::Continue(Some(Bad::new(at, "the segment has no header"))));
                }
                Step::End => return Ok(ControlFlow::Continue(None)),
                Step::Bad(bad) => return Ok(ControlFlow::Continue(Some(bad))),
                Step::Record { kind, data } => {
                    if (records == 0) != (kind == Kind::Crc) || (records == 1) != (kind == Kind::Metadata) {
                        let what = format!("a {kind:?} record in the wrong place");
                        return Ok(ControlFlow::Continue(Some(Bad::new(at, what))));
                    }
                    self.scanned.records += 1;
                    match item(kind, data) {
                        Ok(Some(item)) => {
                            if self.tell(item).is_break() {
                                return Ok(ControlFlow::Break(()));
                            }
                        }
                        Ok(None) => {}
                        Err(what) => return Ok(ControlFlow::Continue(Some(Bad::new(at, what)))),
                    }
                }
            }
            records += 1;
            self.header_read = records >= 2;
        }
    }
}

impl Scan<'_, '_> {
    fn tell(&mut self, item: Item<'_>) -> ControlFlow<()> {
        match &item {
            Item::Entry(entry) => self.next = entry.index().saturating_add(1),
            Item::Snapshot(mark) => self.next = self.next.max(mark.index.saturating_add(1)),
            Item::Segment(_) | Item::Metadata(_) | Item::State(_) => {}
        }
        (self.each)(item)
    }
}

fn item(kind: Kind, data: &[u8]) -> Result<Option<Item<'static>>, String> {
    Ok(Some(match kind {
        Kind::Crc => return Ok(None),
        Kind::Metadata => {
            let metadata: etcdserverpb::Metadata = decode(data, "metadata")?;
            Item::Metadata(Metadata { node_id: metadata.node_id(), cluster_id: metadata.cluster_id() })
        }
        Kind::Entry => Item::Entry(decode(data, "entry")?),
        Kind::State => Item::State(decode(data, "state")?),
        Kind::Snapshot => {
            let mark: walpb::Snapshot = decode(data, "snapshot")?;
            let (index, term) = (mark.index(), mark.term());
            Item::Snapshot(SnapshotMark { index, term, conf_state: mark.conf_state.unwrap_or_default() })
        }
    }))
}
