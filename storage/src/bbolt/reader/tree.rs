//! A bucket's rows, one after the other.

use super::node::{Element, Node, Rows};
use super::pages::{Pages, Trouble};
use super::reached::Reached;
use crate::bbolt::error::{Damage, Damaged, ReadError};
use crate::bbolt::read_at::ReadAt;

/// Pages from a root to a leaf, at most. The largest files that there are have seven.
const MAX_DEPTH: usize = 64;

/// A place in a tree: the nodes from the root down to it.
#[derive(Debug)]
pub(super) struct Tree {
    rows: Rows,
    levels: Vec<Level>,
    /// Levels that are not in use and keep their memory.
    spare: Vec<Level>,
}

#[derive(Debug, Default)]
struct Level {
    node: Node,
    /// The next element.
    next: usize,
}

/// What went wrong, and where. Boxed: nearly every row comes without.
#[derive(Debug)]
pub(super) struct Fault {
    page: u64,
    path: Vec<u64>,
    trouble: Trouble,
}

impl Fault {
    /// At the top of a tree.
    pub(super) fn at(page: u64, trouble: Trouble) -> Box<Fault> {
        Box::new(Fault { page, path: Vec::new(), trouble })
    }

    /// In the bucket of that name, or in what all share.
    pub(super) fn within(self, bucket: Option<&[u8]>) -> ReadError {
        let Fault { page, path, trouble } = self;
        match trouble {
            Trouble::Damage(damage) => {
                ReadError::Damaged(Box::new(Damaged { page, bucket: bucket.map(<[u8]>::to_vec), path, damage }))
            }
            Trouble::Other(error) => error,
        }
    }
}

impl Tree {
    /// Nowhere, in a tree of such rows.
    pub(super) fn of(rows: Rows) -> Tree {
        Tree { rows, levels: Vec::new(), spare: Vec::new() }
    }

    /// Goes to the beginning of the tree with this root.
    pub(super) fn begin<R: ReadAt>(
        &mut self,
        pages: &Pages<R>,
        root: u64,
        reached: &mut Reached,
    ) -> Result<(), Box<Fault>> {
        self.end();
        self.descend(pages, root, reached)
    }

    /// Goes to the beginning of an inline bucket, which is in this page.
    pub(super) fn begin_inline(&mut self, page: u64, leaf: &[u8]) -> Result<(), Box<Fault>> {
        self.end();
        let rows = self.rows;
        self.enter(page, |node, _| {
            node.load_inline(page, leaf)?;
            Ok(node.check(rows, None, None)?)
        })
    }

    /// Goes nowhere.
    pub(super) fn end(&mut self) {
        self.spare.append(&mut self.levels);
    }

    /// The next row and the page that it is in; none after the last one.
    pub(super) fn next<R: ReadAt>(
        &mut self,
        pages: &Pages<R>,
        reached: &mut Reached,
    ) -> Result<Option<(u64, Element<'_>)>, Box<Fault>> {
        while let Some(level) = self.levels.last_mut() {
            let (index, is_leaf) = (level.next, level.node.is_leaf());
            level.next += 1;
            match level.node.get(index).map(|element| element.child) {
                None => self.spare.extend(self.levels.pop()),
                Some(child) if !is_leaf => self.descend(pages, child, reached)?,
                // Looked up again: what is lent cannot be lent in a loop.
                Some(_) => return Ok(self.levels.last().and_then(|level| level.row(index))),
            }
        }
        Ok(None)
    }

    /// Goes down to a child, whose keys are between the one that it was found by and the next one in a branch above.
    fn descend<R: ReadAt>(&mut self, pages: &Pages<R>, page: u64, reached: &mut Reached) -> Result<(), Box<Fault>> {
        let rows = self.rows;
        self.enter(page, |node, above| {
            if above.len() == MAX_DEPTH {
                return Err(Damage::Deep(MAX_DEPTH).into());
            }
            node.load(pages, page, reached)?;
            let lower = above.last().and_then(|parent| parent.key(parent.next.checked_sub(1)?));
            let upper = above.iter().rev().find_map(|parent| parent.key(parent.next));
            Ok(node.check(rows, lower, upper)?)
        })
    }

    /// Is in a node if it can be loaded, knowing those above it.
    fn enter(
        &mut self,
        page: u64,
        load: impl FnOnce(&mut Node, &[Level]) -> Result<(), Trouble>,
    ) -> Result<(), Box<Fault>> {
        let mut level = self.spare.pop().unwrap_or_default();
        level.next = 0;
        match load(&mut level.node, &self.levels) {
            Ok(()) => {
                self.levels.push(level);
                Ok(())
            }
            Err(trouble) => {
                let path = self.levels.iter().map(|level| level.node.page()).collect();
                Err(Box::new(Fault { page, path, trouble }))
            }
        }
    }
}

impl Level {
    fn key(&self, index: usize) -> Option<&[u8]> {
        self.node.get(index).map(|element| element.key)
    }

    fn row(&self, index: usize) -> Option<(u64, Element<'_>)> {
        self.node.get(index).map(|row| (self.node.page(), row))
    }
}
