//! One segment, frame by frame, and the judgement over its end.
//!
//! A crash may keep any of the 512-byte sectors of a write that was never synced; the others still hold the zeros they
//! were prepared with. So a bad record in the last segment with a sector of zeros may be the torn end of the log. But a
//! state record further on, with a commit index that covers what is torn, proves that it had been synced: then the
//! medium is at fault, and the log is refused.

mod proof;

use std::path::PathBuf;

use super::WalError;
use super::disk::{Disk, DiskFile, read_full_at, write_all_at};
use super::record::{self, Kind, WORD};
use super::zeros::{self, is_zero};

const SECTOR: u64 = 512;
const READ_AHEAD: usize = 1 << 20;

/// A record that does not check.
#[derive(Debug, Clone)]
pub(super) struct Bad {
    pub(super) offset: u64,
    what: String,
    /// Whether an interrupted write could look like this.
    torn: bool,
}

impl Bad {
    pub(super) fn new(offset: u64, what: impl Into<String>) -> Bad {
        Bad { offset, what: what.into(), torn: false }
    }

    pub(super) fn into_error(self, path: PathBuf) -> WalError {
        WalError::Corrupt { path, offset: self.offset, what: self.what }
    }
}

/// The next thing in a segment.
pub(super) enum Step<'a> {
    Record { kind: Kind, data: &'a [u8] },
    End,
    Bad(Bad),
}

/// Reads a segment from its start.
#[derive(Debug)]
pub(super) struct SegmentReader<'a> {
    file: &'a dyn DiskFile,
    pub(super) path: PathBuf,
    pub(super) len: u64,
    /// End of the last good record.
    pub(super) offset: u64,
    pub(super) chain: u32,
    /// The chain's value is not known yet: the first checksum record sets it.
    unchained: bool,
    window: Vec<u8>,
    window_at: u64,
}

impl<'a> SegmentReader<'a> {
    /// `chain` is the chain's value at the end of the segment before, if that was read.
    pub(super) fn new(file: &'a dyn DiskFile, path: PathBuf, chain: Option<u32>) -> Result<Self, WalError> {
        let len = file.len().map_err(WalError::io(&path, "read length"))?;
        Ok(SegmentReader {
            file,
            path,
            len,
            offset: 0,
            chain: chain.unwrap_or_default(),
            unchained: chain.is_none(),
            window: Vec::new(),
            window_at: 0,
        })
    }

    /// Reads the next record. On anything else than a record the reader stays where it is.
    pub(super) fn step(&mut self) -> Result<Step<'_>, WalError> {
        let at = self.offset;
        if at >= self.len {
            return Ok(Step::End);
        }
        let (record_len, frame_len) = match self.frame(at)? {
            Frame::Zero => return Ok(Step::End),
            Frame::Cut => return Ok(Step::Bad(Bad { torn: true, ..Bad::new(at, "the file ends within a record") })),
            Frame::Nonsense => return Ok(Step::Bad(Bad::new(at, "not a record length"))),
            Frame::Record { len, frame } => (len, frame),
        };
        let (chain, unchained) = (self.chain, self.unchained);
        let bytes = self.bytes(at + WORD as u64, record_len)?;
        let fields = record::parse_record(bytes);
        let problem = match &fields {
            None => Some("not a record"),
            Some(fields) if fields.kind == Kind::Crc => {
                (fields.crc != chain && !unchained).then_some("the segment does not continue the one before")
            }
            Some(fields) => {
                let data = bytes.get(fields.data.clone()).unwrap_or_default();
                (crc32c::crc32c_append(chain, data) != fields.crc).then_some("checksum mismatch")
            }
        };
        let Some(fields) = fields.filter(|_| problem.is_none()) else {
            let torn = has_zero_sector(bytes, at + WORD as u64);
            return Ok(Step::Bad(Bad { torn, ..Bad::new(at, problem.unwrap_or_default()) }));
        };
        self.offset = at + frame_len;
        self.chain = fields.crc;
        self.unchained = false;
        let bytes = self.bytes(at + WORD as u64, record_len)?;
        Ok(Step::Record { kind: fields.kind, data: bytes.get(fields.data).unwrap_or_default() })
    }

    fn frame(&mut self, at: u64) -> Result<Frame, WalError> {
        let word = self.bytes(at, (self.len - at).min(WORD as u64))?;
        let Ok(word) = <[u8; WORD]>::try_from(word) else {
            return Ok(if word.iter().all(|b| *b == 0) { Frame::Zero } else { Frame::Cut });
        };
        let word = u64::from_le_bytes(word);
        if word == 0 {
            return Ok(Frame::Zero);
        }
        let Some((len, pad)) = record::parse_word(word) else { return Ok(Frame::Nonsense) };
        let frame = WORD as u64 + len + pad;
        Ok(if frame > self.len - at { Frame::Cut } else { Frame::Record { len, frame } })
    }

    /// `len` bytes at `at`, which are inside of the file.
    fn bytes(&mut self, at: u64, len: u64) -> Result<&[u8], WalError> {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let inside = |at: u64, window_at: u64| at.checked_sub(window_at).and_then(|from| usize::try_from(from).ok());
        let held = inside(at, self.window_at).is_some_and(|from| from + len <= self.window.len());
        if !held {
            let rest = usize::try_from(self.len - at).unwrap_or(usize::MAX);
            self.window.resize(len.max(READ_AHEAD).min(rest), 0);
            self.window_at = at;
            let read = read_full_at(self.file, &mut self.window, at).map_err(WalError::io(&self.path, "read"))?;
            if read < len {
                return Err(WalError::io(&self.path, "read")(std::io::ErrorKind::UnexpectedEof.into()));
            }
            self.window.truncate(read);
        }
        let from = inside(at, self.window_at).unwrap_or_default();
        Ok(self.window.get(from..from + len).unwrap_or_default())
    }

    /// End of the last byte that is not zero, from `at` on.
    fn end_of_content(&mut self, mut at: u64) -> Result<u64, WalError> {
        let mut end = at;
        while at < self.len {
            let len = (self.len - at).min(READ_AHEAD as u64);
            let piece = self.bytes(at, len)?;
            // Mostly there is nothing.
            if !is_zero(piece) {
                let last = piece.iter().rposition(|b| *b != 0).unwrap_or_default();
                end = at + last as u64 + 1;
            }
            at += len;
        }
        Ok(end)
    }
}

enum Frame {
    Zero,
    Cut,
    Nonsense,
    Record { len: u64, frame: u64 },
}

/// The name of the copy that a repair keeps of a segment.
pub(super) fn copy_name(segment: &str) -> String {
    format!("{segment}.broken")
}

/// Whether any of the sectors that `bytes` lie on has only zeros of it.
fn has_zero_sector(mut bytes: &[u8], mut at: u64) -> bool {
    while !bytes.is_empty() {
        let room = usize::try_from(SECTOR - at % SECTOR).unwrap_or(usize::MAX);
        let (sector, rest) = bytes.split_at(room.min(bytes.len()));
        if sector.iter().all(|b| *b == 0) {
            return true;
        }
        at += sector.len() as u64;
        bytes = rest;
    }
    false
}

/// Where the end of the last segment was torn: from the last good record to the last byte that is not zero.
#[derive(Debug)]
pub(super) struct Torn {
    why: Bad,
    end: u64,
}

impl Torn {
    /// Where it begins, and what is wrong there.
    pub(super) fn start(self) -> (u64, String) {
        (self.why.offset, self.why.what)
    }
}

/// Judges the end of the last segment, of which `next_index` would be the next entry. None when it is as it was written.
pub(super) fn judge(
    reader: &mut SegmentReader<'_>,
    bad: Option<Bad>,
    next_index: u64,
) -> Result<Option<Torn>, WalError> {
    let end = reader.end_of_content(reader.offset)?;
    if bad.is_none() && end == reader.offset {
        return Ok(None);
    }
    let bad = bad.unwrap_or_else(|| Bad { torn: true, ..Bad::new(reader.offset, "data behind the end of the log") });
    if !bad.torn {
        return Err(bad.into_error(reader.path.clone()));
    }
    if proof::later_records_cover(reader, next_index, end)? {
        let what = format!("{}, although what was there had been committed", bad.what);
        return Err(Bad { what, ..bad }.into_error(reader.path.clone()));
    }
    Ok(Some(Torn { why: bad, end }))
}

/// Keeps a copy of a segment that was torn, fills everything behind the last good record with zeros, and returns the copy's
/// path.
pub(super) fn repair(
    disk: &dyn Disk,
    reader: &mut SegmentReader<'_>,
    name: &str,
    torn: Torn,
) -> Result<PathBuf, WalError> {
    let Torn { why, end } = torn;
    let copy_name = copy_name(name);
    tracing::warn!(path = %reader.path.display(), offset = why.offset, reason = why.what, "cutting off the torn end of the write-ahead log");
    let copy = copy_out(disk, reader, &copy_name, end);
    copy.map_err(WalError::io(&disk.path().join(&copy_name), "keep a copy of the torn segment"))?;
    zero(reader, end).map_err(WalError::io(&reader.path, "repair"))?;
    reader.window.clear();
    Ok(disk.path().join(copy_name))
}

fn copy_out(disk: &dyn Disk, reader: &SegmentReader<'_>, name: &str, end: u64) -> std::io::Result<()> {
    let copy = disk.create(name)?;
    let mut piece = vec![0; READ_AHEAD];
    let mut at = 0;
    while at < end {
        let want = usize::try_from(end - at).unwrap_or(READ_AHEAD).min(READ_AHEAD);
        let room = piece.get_mut(..want).unwrap_or_default();
        let read = read_full_at(reader.file, room, at)?;
        if read == 0 {
            break;
        }
        write_all_at(copy.as_ref(), piece.get(..read).unwrap_or_default(), at)?;
        at += read as u64;
    }
    copy.sync_data()?;
    disk.sync()
}

fn zero(reader: &SegmentReader<'_>, end: u64) -> std::io::Result<()> {
    zeros::write(reader.file, reader.offset, end)?;
    reader.file.sync_data()
}
