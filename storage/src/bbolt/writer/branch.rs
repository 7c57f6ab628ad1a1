//! A branch under construction, and the levels of them above a row of leaves.
//!
//! A branch never has a single child: bbolt, deleting from the file long after, would end in a panic. So a branch that is
//! full is written without its last child, with which the next one begins, and two at least are left for the last.

use std::io::{self, Seek, Write};

use super::sink::Sink;
use crate::bbolt::layout::{BranchElement, ELEMENT_BYTES, PageKind, node_bytes};

/// Children that a branch can be written of: two, and the one that is held back.
const ENOUGH: usize = 3;

/// Children that have no parent yet.
#[derive(Debug, Default)]
struct Branch {
    /// Bytes of the key, and page.
    children: Vec<(usize, u64)>,
    keys: Vec<u8>,
}

impl Branch {
    fn push(&mut self, key: &[u8], page: u64) {
        self.children.push((key.len(), page));
        self.keys.extend_from_slice(key);
    }

    fn is_full_before<W: Write + Seek>(&self, key: &[u8], sink: &Sink<W>) -> bool {
        !sink.is_one_page(node_bytes(self.children.len() + 1, self.keys.len() + key.len()))
    }

    /// Writes a branch of the first `count` children and forgets them; returns its first key and its page.
    fn write<W: Write + Seek>(&mut self, count: usize, sink: &mut Sink<W>) -> io::Result<(Vec<u8>, u64)> {
        let data = self.children.iter().take(count).map(|(bytes, _)| bytes).sum();
        let page = sink.begin_run(PageKind::Branch, count, node_bytes(count, data))?;
        let out = sink.elements();
        let mut pos = count * ELEMENT_BYTES;
        for (key_bytes, child) in self.children.iter().take(count) {
            let short = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
            BranchElement { pos: short(pos), key_bytes: short(*key_bytes), child: *child }.encode(out);
            pos = pos - ELEMENT_BYTES + key_bytes;
        }
        sink.push(self.keys.get(..data).unwrap_or_default())?;
        sink.end_run();
        let first = self.children.first().map_or(0, |(bytes, _)| *bytes);
        let key = self.keys.get(..first).unwrap_or_default().to_vec();
        self.children.drain(..count);
        self.keys.drain(..data);
        Ok((key, page))
    }
}

/// The levels of branches in a tree, the lowest first.
#[derive(Debug, Default)]
pub(super) struct Branches {
    levels: Vec<Branch>,
}

impl Branches {
    pub(super) fn is_empty(&self) -> bool {
        self.levels.iter().all(|level| level.children.is_empty())
    }

    /// Adds a leaf with this first key.
    pub(super) fn push<W: Write + Seek>(&mut self, key: &[u8], page: u64, sink: &mut Sink<W>) -> io::Result<()> {
        self.push_at(0, key, page, sink)
    }

    fn push_at<W: Write + Seek>(&mut self, level: usize, key: &[u8], page: u64, sink: &mut Sink<W>) -> io::Result<()> {
        if self.levels.len() <= level {
            self.levels.push(Branch::default());
        }
        let Some(branch) = self.levels.get_mut(level) else { return Ok(()) };
        let count = branch.children.len();
        if count < ENOUGH || !branch.is_full_before(key, sink) {
            branch.push(key, page);
            return Ok(());
        }
        let (first, written) = branch.write(count - 1, sink)?;
        branch.push(key, page);
        self.push_at(level + 1, &first, written, sink)
    }

    /// Writes what is left and begins anew; returns the root. There has to be a leaf.
    pub(super) fn finish<W: Write + Seek>(&mut self, sink: &mut Sink<W>) -> io::Result<u64> {
        let mut level = 0;
        loop {
            let branch = self.levels.get_mut(level).ok_or(io::ErrorKind::InvalidInput)?;
            // With one child nothing was written at this level: nothing is above it.
            if let [(_, root)] = branch.children[..] {
                *branch = Branch::default();
                return Ok(root);
            }
            let (first, page) = branch.write(branch.children.len(), sink)?;
            level += 1;
            self.push_at(level, &first, page, sink)?;
        }
    }
}
