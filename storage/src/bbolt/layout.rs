//! The bytes of a bbolt file.
//!
//! A file is a row of pages of one size, 4096 bytes on most machines; page `n` is at `n` times that. Numbers are in the
//! order of the machine that wrote them: little-endian, on all that etcd runs on today. A page begins with a header; more
//! of them that follow may belong to it (a run), and have none.
//!
//! | Offset | Bytes | Header of a page |
//! |---|---|---|
//! | 0 | 8 | its own number; 0 in an inline bucket |
//! | 8 | 2 | kind: 0x01 branch, 0x02 leaf, 0x04 meta, 0x10 free list |
//! | 10 | 2 | number of elements |
//! | 12 | 4 | overflow: how many pages follow in the run |
//!
//! Pages 0 and 1 are metas: the file as of two transactions, of which the last good one counts.
//!
//! | Offset | Bytes | Meta |
//! |---|---|---|
//! | 16 | 4 | magic, 0xED0CDAED |
//! | 20 | 4 | version, 2 |
//! | 24 | 4 | bytes of a page |
//! | 28 | 4 | flags, 0 |
//! | 32 | 8 | page of the root bucket |
//! | 40 | 8 | sequence of the root bucket, 0 |
//! | 48 | 8 | page of the free list, or FFFFFFFFFFFFFFFF: what is not in use is free |
//! | 56 | 8 | high water mark: the first page that was never used |
//! | 64 | 8 | transaction |
//! | 72 | 8 | FNV-1a 64 of the bytes from 16 to 72 |
//!
//! A bucket is a tree of branches and leaves: header, all elements, then key and value of each element, without gaps. `pos`
//! counts from the beginning of its element to the key.
//!
//! | Offset | Bytes | Element of a leaf | | Offset | Bytes | Element of a branch |
//! |---|---|---|---|---|---|---|
//! | 0 | 4 | flags: 1 if the value is a bucket | | 0 | 4 | pos |
//! | 4 | 4 | pos | | 4 | 4 | bytes of the key |
//! | 8 | 4 | bytes of the key | | 8 | 8 | page of the child |
//! | 12 | 4 | bytes of the value | | | | |
//!
//! The key in a branch is no larger than the first one in the child. The root bucket's rows are the others: name, and a
//! value of page (8 bytes) and sequence (8 bytes, 0). Is the page 0, then the rest of the value is the bucket: a leaf
//! (inline). A free list is a row of page numbers of 8 bytes; if their number is FFFF, the first of them is the number.

mod meta;

pub use meta::{Meta, MetaFault, checksum};

/// Bytes of a page in files that are written here. Every etcd reads them, whatever its own machine's pages are.
pub const PAGE_BYTES: u32 = 4096;

/// What bbolt takes as a key, in bytes. None is empty.
pub const MAX_KEY_BYTES: usize = 32768;

/// What bbolt takes as a value, in bytes.
pub const MAX_VALUE_BYTES: usize = (1 << 31) - 2;

pub(super) const HEADER_BYTES: usize = 16;
pub(super) const ELEMENT_BYTES: usize = 16;

/// Pages 0 and 1: what is in a tree begins behind them.
pub(super) const META_PAGES: u64 = 2;

/// Of a leaf's element: its value is a bucket.
pub(super) const IS_BUCKET: u32 = 1;

/// In the header of a free list: the count is in the first of its numbers.
pub(super) const MANY: u16 = 0xFFFF;

/// What a page is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum PageKind {
    Branch,
    #[default]
    Leaf,
    Meta,
    FreeList,
}

impl PageKind {
    const ALL: [PageKind; 4] = [PageKind::Branch, PageKind::Leaf, PageKind::Meta, PageKind::FreeList];

    const fn flags(self) -> u16 {
        match self {
            PageKind::Branch => 0x01,
            PageKind::Leaf => 0x02,
            PageKind::Meta => 0x04,
            PageKind::FreeList => 0x10,
        }
    }

    /// None for anything else, and for several at once.
    fn of_flags(flags: u16) -> Option<PageKind> {
        PageKind::ALL.into_iter().find(|kind| kind.flags() == flags)
    }
}

/// The first 16 bytes of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PageHeader {
    pub(super) page: u64,
    pub(super) kind: Option<PageKind>,
    pub(super) count: u16,
    pub(super) overflow: u32,
}

impl PageHeader {
    pub(super) fn encode(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.page.to_le_bytes());
        out.extend_from_slice(&self.kind.map_or(0, PageKind::flags).to_le_bytes());
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&self.overflow.to_le_bytes());
    }

    /// None if there are too few bytes.
    pub(super) fn decode(mut bytes: &[u8]) -> Option<PageHeader> {
        Some(PageHeader {
            page: u64::from_le_bytes(take(&mut bytes)?),
            kind: PageKind::of_flags(u16::from_le_bytes(take(&mut bytes)?)),
            count: u16::from_le_bytes(take(&mut bytes)?),
            overflow: u32::from_le_bytes(take(&mut bytes)?),
        })
    }
}

/// Where a row of a leaf is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LeafElement {
    pub(super) flags: u32,
    pub(super) pos: u32,
    pub(super) key_bytes: u32,
    pub(super) value_bytes: u32,
}

impl LeafElement {
    pub(super) fn encode(self, out: &mut Vec<u8>) {
        let numbers = [self.flags, self.pos, self.key_bytes, self.value_bytes].map(u32::to_le_bytes);
        out.extend_from_slice(numbers.as_flattened());
    }

    pub(super) fn decode(mut bytes: &[u8]) -> Option<LeafElement> {
        Some(LeafElement {
            flags: u32::from_le_bytes(take(&mut bytes)?),
            pos: u32::from_le_bytes(take(&mut bytes)?),
            key_bytes: u32::from_le_bytes(take(&mut bytes)?),
            value_bytes: u32::from_le_bytes(take(&mut bytes)?),
        })
    }
}

/// Where a child of a branch is, and from which key on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BranchElement {
    pub(super) pos: u32,
    pub(super) key_bytes: u32,
    pub(super) child: u64,
}

impl BranchElement {
    pub(super) fn encode(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.pos.to_le_bytes());
        out.extend_from_slice(&self.key_bytes.to_le_bytes());
        out.extend_from_slice(&self.child.to_le_bytes());
    }

    pub(super) fn decode(mut bytes: &[u8]) -> Option<BranchElement> {
        Some(BranchElement {
            pos: u32::from_le_bytes(take(&mut bytes)?),
            key_bytes: u32::from_le_bytes(take(&mut bytes)?),
            child: u64::from_le_bytes(take(&mut bytes)?),
        })
    }
}

/// The value of a row that is a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BucketValue<'a> {
    /// A tree with this root.
    Tree(u64),
    /// A leaf within the value.
    Inline(&'a [u8]),
}

impl<'a> BucketValue<'a> {
    /// None if it is neither.
    pub(super) fn decode(mut bytes: &'a [u8]) -> Option<BucketValue<'a>> {
        let root = u64::from_le_bytes(take(&mut bytes)?);
        let _sequence: [u8; 8] = take(&mut bytes)?;
        match (root, bytes) {
            (0, leaf) => Some(BucketValue::Inline(leaf)),
            (root, []) => Some(BucketValue::Tree(root)),
            _ => None,
        }
    }

    /// A tree with this root.
    pub(super) fn encode_tree(root: u64) -> [u8; 16] {
        u128::from(root).to_le_bytes()
    }
}

/// Bytes of a leaf or branch with so many elements, of whose keys and values there are so many bytes.
pub(super) const fn node_bytes(count: usize, data: usize) -> usize {
    HEADER_BYTES + count * ELEMENT_BYTES + data
}

/// Takes a number from the beginning.
pub(super) fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (number, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*number)
}
