//! Segments full of what a client can put into values to keep the search busy: the work is counted, not timed.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use keyport_api::raftpb::ConfState;

use super::*;
use crate::wal::DiskFile;
use crate::wal::tail::{Bad, Step};

const SEGMENT: usize = 64_000_000;
/// What the crafted records claim to cover, which is more than is asked for.
const COVERED: u64 = 0x7777_7777_7777;
const INDEX: u64 = 100;
/// A length word and a head, up to the grid.
const STRIDE: usize = 24;

#[derive(Debug)]
struct Counted {
    content: Vec<u8>,
    read: Arc<AtomicU64>,
}

impl DiskFile for Counted {
    fn len(&self) -> io::Result<u64> {
        Ok(self.content.len() as u64)
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let from = &self.content[usize::try_from(offset).unwrap()..];
        let n = buf.len().min(from.len());
        buf[..n].copy_from_slice(&from[..n]);
        self.read.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn reserve(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync_data(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Writes a length word and a head over what is there, for a frame of exactly `frame` bytes, a multiple of eight.
fn put_head(content: &mut [u8], at: usize, kind: Kind, frame: usize) {
    let len = frame - WORD;
    let mut head = vec![0x08, kind as u8, 0x10];
    record::put_varint(&mut head, 0x0fff_ffff - (at as u64 & 0xff));
    head.push(0x1a);
    let data = |len_bytes: usize| (len - head.len() - len_bytes) as u64;
    let bytes = (1..6).find(|bytes| data(*bytes) < 1 << (7 * bytes)).unwrap();
    let data = data(bytes);
    record::put_varint(&mut head, data);
    content[at..at + WORD].copy_from_slice(&(len as u64).to_le_bytes());
    content[at + WORD..at + WORD + head.len()].copy_from_slice(&head);
}

fn state() -> Vec<u8> {
    HardState { term: Some(1), vote: Some(1), commit: Some(COVERED) }.encode_to_vec()
}

/// One record that is torn, with a value in which there is everything at once.
fn crafted(segment: usize) -> Vec<u8> {
    let mut content = vec![0x55; segment];
    let quarter = segment / 4;
    // The last thing in the segment is a mark as long as one is taken, which decodes, and covers the index.
    let voters = vec![COVERED; usize::try_from(MAX_PROOF_BYTES).unwrap() / 8 - 10];
    let conf_state = Some(ConfState { voters, ..ConfState::default() });
    let mark = walpb::Snapshot { index: Some(COVERED), term: Some(1), conf_state }.encode_to_vec();
    let (mut far, mut chain) = (Vec::new(), 1);
    record::put(&mut far, &mut chain, Kind::Snapshot, &[&mark]);
    let far_at = (segment - far.len()) / 8 * 8;
    content[far_at..far_at + far.len()].copy_from_slice(&far);
    // Frames everywhere that lead to it.
    for at in (64..quarter).step_by(STRIDE) {
        put_head(&mut content, at, Kind::Entry, far_at - at);
    }
    // Frames that go to the very end, and beyond every bound of a proof.
    for at in (quarter..2 * quarter).step_by(STRIDE) {
        put_head(&mut content, at, Kind::State, segment - at);
    }
    // Marks everywhere that are as long as one may be, and hold the beginnings of the next ones.
    for at in (2 * quarter..3 * quarter).step_by(STRIDE) {
        put_head(&mut content, at, Kind::Snapshot, usize::try_from(MAX_PROOF_BYTES).unwrap());
    }
    // States that decode and cover the index; each follows another record, but not the one that it names.
    let mut at = 3 * quarter;
    let (mut states, mut chain) = (Vec::new(), 2);
    while at + states.len() + STRIDE * 4 < far_at {
        record::put(&mut states, &mut chain, Kind::State, &[&state()]);
        chain = chain.wrapping_add(1);
        if states.len() > 1 << 20 {
            content[at..at + states.len()].copy_from_slice(&states);
            at += states.len();
            states.clear();
        }
    }
    // All of it is the value of the first record, which lacks a sector.
    put_head(&mut content, 0, Kind::Entry, segment);
    content[quarter / 512 * 512..][..512].fill(0);
    content
}

/// Searches behind the torn record, and checks what that took.
fn search(content: Vec<u8>) -> bool {
    let (len, read) = (content.len() as u64, Arc::new(AtomicU64::new(0)));
    let file = Counted { content, read: Arc::clone(&read) };
    let mut reader = SegmentReader::new(&file, PathBuf::from("crafted"), Some(0)).unwrap();
    assert!(matches!(reader.step().unwrap(), Step::Bad(Bad { torn: true, .. })));
    read.store(0, Ordering::Relaxed);
    let mut search = Search { from: 0, end: len, index: INDEX, looked_at: 0 };
    let found = search.run(&mut reader).unwrap();
    // Two heads for each place on the grid, and no byte of data more than about once.
    let most = 2 * (len / GRID as u64) + len + len / 10;
    assert!(search.looked_at <= most, "{} of {most}", search.looked_at);
    let read = read.load(Ordering::Relaxed);
    assert!(read <= 2 * len + len / 10, "{read}");
    found
}

#[test]
fn crafted_values_do_not_keep_the_search_busy() {
    assert!(!search(crafted(SEGMENT)));
    // And they do not hide what is there.
    let mut content = crafted(SEGMENT / 16);
    let (mut proof, mut chain) = (Vec::new(), 9);
    record::put(&mut proof, &mut chain, Kind::Entry, &[b"acknowledged"]);
    record::put(&mut proof, &mut chain, Kind::State, &[&state()]);
    let at = content.len() / 2;
    content[at..at + proof.len()].copy_from_slice(&proof);
    assert!(search(content));
}

#[test]
fn a_record_proves_something_only_behind_the_one_that_it_continues() {
    let find = |mark: bool, index: u64, broken: bool| {
        let (mut content, mut chain) = (Vec::new(), 3);
        record::put(&mut content, &mut chain, Kind::Entry, &[&[0; 2000]]);
        let middle = content.len();
        record::put(&mut content, &mut chain, Kind::Entry, &[b"between"]);
        if broken {
            chain += 1;
        }
        let data = HardState { term: Some(1), vote: Some(1), commit: Some(index) }.encode_to_vec();
        let snapshot = walpb::Snapshot { index: Some(index), term: Some(1), conf_state: Some(ConfState::default()) };
        let snapshot = snapshot.encode_to_vec();
        let (kind, data) = if mark { (Kind::Snapshot, &snapshot) } else { (Kind::State, &data) };
        record::put(&mut content, &mut chain, kind, &[data]);
        // The data of the record before may be torn itself.
        content[middle + 20..middle + 24].fill(0);
        search(content)
    };
    for mark in [false, true] {
        assert!(find(mark, INDEX, false));
        assert!(!find(mark, INDEX - 1, false));
        assert!(!find(mark, INDEX, true));
    }
}
