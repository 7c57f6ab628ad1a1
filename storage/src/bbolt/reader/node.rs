//! A leaf or a branch in memory.

use super::pages::{Pages, Trouble};
use super::reached::Reached;
use crate::bbolt::error::Damage;
use crate::bbolt::layout::{
    BranchElement, ELEMENT_BYTES, IS_BUCKET, LeafElement, MAX_KEY_BYTES, PageHeader, PageKind, node_bytes,
};
use crate::bbolt::read_at::ReadAt;

/// A run of pages, or the value of an inline bucket. What it says is believed after [`Node::check`].
#[derive(Debug, Default)]
pub(super) struct Node {
    page: u64,
    kind: PageKind,
    count: usize,
    bytes: Vec<u8>,
}

/// What the rows of a tree are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rows {
    /// In the root bucket, and nowhere else.
    Buckets,
    Values,
}

impl Rows {
    fn flags(self) -> u32 {
        match self {
            Rows::Buckets => IS_BUCKET,
            Rows::Values => 0,
        }
    }
}

/// An element: a row, or a child, which has no value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    pub(super) key: &'a [u8],
    pub(super) value: &'a [u8],
    /// In a branch.
    pub(super) child: u64,
}

/// Where an element is within the node.
struct Span {
    start: usize,
    key_bytes: u32,
    value_bytes: u32,
    flags: u32,
    child: u64,
}

impl Node {
    /// Reads a run from the file.
    pub(super) fn load<R: ReadAt>(
        &mut self,
        pages: &Pages<R>,
        page: u64,
        reached: &mut Reached,
    ) -> Result<(), Trouble> {
        let header = pages.read_run(page, &mut self.bytes, reached)?;
        let kind = header.kind.filter(|kind| matches!(kind, PageKind::Branch | PageKind::Leaf)).ok_or(Damage::Kind)?;
        (self.page, self.kind, self.count) = (page, kind, usize::from(header.count));
        if kind == PageKind::Branch && self.count == 0 {
            return Err(Damage::NoChildren.into());
        }
        Ok(())
    }

    /// Takes the leaf in a bucket's value, which is in this page.
    pub(super) fn load_inline(&mut self, page: u64, bytes: &[u8]) -> Result<(), Damage> {
        let header = PageHeader::decode(bytes).ok_or(Damage::Table)?;
        let inline = PageHeader { page: 0, kind: Some(PageKind::Leaf), count: header.count, overflow: 0 };
        if header != inline {
            return Err(Damage::Kind);
        }
        (self.page, self.kind, self.count) = (page, PageKind::Leaf, usize::from(header.count));
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Each element is within the node and follows the one before it, the rows are such, and the keys ascend from
    /// `lower` to before `upper`.
    pub(super) fn check(&self, rows: Rows, lower: Option<&[u8]>, upper: Option<&[u8]>) -> Result<(), Damage> {
        let mut end = node_bytes(self.count, 0);
        if end > self.bytes.len() {
            return Err(Damage::Table);
        }
        // A count that became 0 would be rows that are lost without a word.
        if self.count == 0 && self.bytes.iter().skip(end).any(|byte| *byte != 0) {
            return Err(Damage::NotEmpty);
        }
        let mut last: Option<&[u8]> = None;
        for index in 0..self.count {
            let span = self.span(index).ok_or(Damage::Beyond(index))?;
            if span.start != end {
                return Err(Damage::Gap(index));
            }
            let Element { key, value, .. } = self.element(&span).ok_or(Damage::Beyond(index))?;
            if key.is_empty() || key.len() > MAX_KEY_BYTES {
                return Err(Damage::Key(index, span.key_bytes));
            }
            if self.is_leaf() && span.flags != rows.flags() {
                return Err(wrong_flags(rows, index, span.flags));
            }
            match last {
                Some(last) if key <= last => return Err(Damage::Order(index)),
                None if lower.is_some_and(|lower| key < lower) => return Err(Damage::Before),
                _ => {}
            }
            last = Some(key);
            end = span.start + key.len() + value.len();
        }
        if last.is_some_and(|last| upper.is_some_and(|upper| last >= upper)) {
            return Err(Damage::After);
        }
        Ok(())
    }

    pub(super) fn page(&self) -> u64 {
        self.page
    }

    pub(super) fn is_leaf(&self) -> bool {
        self.kind == PageKind::Leaf
    }

    /// None behind the last one.
    pub(super) fn get(&self, index: usize) -> Option<Element<'_>> {
        if index >= self.count {
            return None;
        }
        self.element(&self.span(index)?)
    }

    fn span(&self, index: usize) -> Option<Span> {
        let at = node_bytes(index, 0);
        let bytes = self.bytes.get(at..at + ELEMENT_BYTES)?;
        if self.is_leaf() {
            let LeafElement { flags, pos, key_bytes, value_bytes } = LeafElement::decode(bytes)?;
            Some(Span { start: at.checked_add(pos as usize)?, key_bytes, value_bytes, flags, child: 0 })
        } else {
            let BranchElement { pos, key_bytes, child } = BranchElement::decode(bytes)?;
            Some(Span { start: at.checked_add(pos as usize)?, key_bytes, value_bytes: 0, flags: 0, child })
        }
    }

    fn element(&self, span: &Span) -> Option<Element<'_>> {
        let rest = self.bytes.get(span.start..)?;
        let (key, rest) = rest.split_at_checked(span.key_bytes as usize)?;
        let value = rest.get(..span.value_bytes as usize)?;
        Some(Element { key, value, child: span.child })
    }
}

fn wrong_flags(rows: Rows, index: usize, flags: u32) -> Damage {
    match (rows, flags) {
        (Rows::Values, IS_BUCKET) => Damage::Nested(index),
        (Rows::Buckets, 0) => Damage::NotBucket(index),
        _ => Damage::Flags(index, flags),
    }
}
