//! Why a file is not taken, and why a row is not.

use std::{fmt, io};

use thiserror::Error;

use super::layout::MetaFault;

/// A file cannot be read. Which one, its caller knows.
#[derive(Debug, Error)]
pub enum ReadError {
    #[error("cannot be read at byte {offset}: {source}")]
    Io { offset: u64, source: io::Error },
    #[error("not a bbolt file")]
    NotBbolt,
    #[error("written by a big-endian machine: have it copied by an etcd on a little-endian one")]
    BigEndian,
    #[error("bbolt version {0}, which this program does not know")]
    Version(u32),
    #[error("both meta pages are damaged: of page 0, {first}; of page 1, {second}")]
    Metas { first: MetaFault, second: MetaFault },
    #[error("truncated: {missing} of {expected} bytes are missing")]
    Truncated { expected: u64, missing: u64 },
    #[error("damaged: {0}")]
    Damaged(Box<Damaged>),
}

/// Damage, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    pub page: u64,
    /// The name of the bucket; none in what all share.
    pub bucket: Option<Vec<u8>>,
    /// The pages from the root of that bucket down to this page, without it.
    pub path: Vec<u64>,
    pub damage: Damage,
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "page {}", self.page)?;
        if let Some(name) = &self.bucket {
            write!(f, " of bucket \"{}\"", name.escape_ascii())?;
        }
        for (number, page) in self.path.iter().enumerate() {
            write!(f, "{}{page}", if number == 0 { ", by way of " } else { " → " })?;
        }
        write!(f, ": {}", self.damage)
    }
}

/// What is wrong with a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Damage {
    #[error("its meta speaks of pages that there cannot be")]
    Meta,
    #[error("there is no such page, the last one is {last}")]
    NoPage { last: u64 },
    #[error("it says that it is page {0}")]
    OtherPage(u64),
    #[error("it is of another kind")]
    Kind,
    #[error("it goes on for {pages} pages, beyond the end")]
    Run { pages: u64 },
    #[error("page {0} is in use twice")]
    Twice(u64),
    #[error("page {0} is in use, and in the list of free pages")]
    Free(u64),
    #[error("its elements do not fit into it")]
    Table,
    #[error("it says that it is empty and is not")]
    NotEmpty,
    #[error("element {0} goes beyond its end")]
    Beyond(usize),
    #[error("element {0} does not lie where the one before it ends")]
    Gap(usize),
    #[error("element {0} has a key of {1} bytes")]
    Key(usize, u32),
    #[error("element {0} has a key that does not follow the one before it")]
    Order(usize),
    #[error("it has keys before the one in its parent")]
    Before,
    #[error("it has keys that belong to the next page")]
    After,
    #[error("element {0} has unknown flags, {1:#x}")]
    Flags(usize, u32),
    #[error("a branch has no children")]
    NoChildren,
    #[error("the tree is deeper than {0} pages")]
    Deep(usize),
    #[error("element {0} is a bucket within a bucket")]
    Nested(usize),
    #[error("element {0} should be a bucket and is none")]
    NotBucket(usize),
    #[error("it does not say where the bucket is")]
    Bucket,
    #[error("the list of free pages is longer than its page")]
    FreeList,
    #[error("page {0} cannot be free")]
    NotFree(u64),
    #[error("page {0} is listed as free twice")]
    FreeTwice(u64),
    #[error("it is neither in use nor free")]
    Lost,
}

/// A file cannot be written.
#[derive(Debug, Error)]
pub enum WriteError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("pages of {0} bytes are not written")]
    PageBytes(u32),
    #[error("a row before the first bucket")]
    NoBucket,
    #[error("bucket \"{}\": {error}", name.escape_ascii())]
    Bucket { name: Vec<u8>, error: RowError },
    #[error("a row of bucket \"{}\": {error}", bucket.escape_ascii())]
    Row { bucket: Vec<u8>, error: RowError },
}

/// Why a row, or the name of a bucket, cannot be in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RowError {
    #[error("an empty key")]
    EmptyKey,
    #[error("a key of {0} bytes, and 32768 is the most")]
    LongKey(usize),
    #[error("a value of {0} bytes, and 2147483646 is the most")]
    LargeValue(usize),
    #[error("the key does not come after the one before it")]
    Order,
}
