//! Taking an image apart that someone else has put together.

use std::path::Path;

use super::{BUCKET, ENCODING_VERSION, END, MAGIC, MAX_ROW_BYTES, ROW, ROWS_VERSION};
use crate::backend::{BackendError, Bucket, RowKey};
use crate::record::Record;

/// The bytes that have come and are not taken yet.
pub(super) struct Items<'a> {
    pub(super) path: &'a Path,
    pub(super) rest: &'a [u8],
}

/// What is next. An item that has not come as a whole is none, and stays.
#[derive(Debug)]
pub(super) enum Item<'a> {
    Bucket(Bucket),
    Row(&'a [u8], &'a [u8]),
    /// How many rows there were.
    End(u64),
}

impl<'a> Items<'a> {
    /// Says whether the head has come.
    pub(super) fn head(&mut self) -> Result<bool, BackendError> {
        let begun = self.rest.len().min(MAGIC.len());
        if self.rest.get(..begun) != MAGIC.get(..begun) {
            return Err(self.wrong("does not begin like one"));
        }
        let Some((head, rest)) = self.rest.split_at_checked(MAGIC.len() + 1 + size_of::<u64>()) else {
            return Ok(false);
        };
        let newer = |found: String, known: String| BackendError::NewerSchema {
            path: self.path.to_path_buf(),
            found: found.into(),
            known: known.into(),
        };
        let (encoding, schema) = (head.get(MAGIC.len()).copied(), number(head));
        if encoding != Some(ENCODING_VERSION) {
            return Err(newer(format!("image {}", encoding.unwrap_or(0)), format!("image {ENCODING_VERSION}")));
        }
        if schema > ROWS_VERSION {
            return Err(newer(schema.to_string(), ROWS_VERSION.to_string()));
        }
        self.rest = rest;
        Ok(true)
    }

    /// The next item, which is in `bucket` or follows it.
    pub(super) fn next(&mut self, bucket: Option<Bucket>) -> Result<Option<Item<'a>>, BackendError> {
        let Some((tag, rest)) = self.rest.split_first() else { return Ok(None) };
        let found = match (*tag, bucket) {
            (BUCKET, before) => self.bucket(rest, before)?,
            (ROW, Some(bucket)) => self.row(rest, bucket)?,
            (END, Some(Bucket::Meta)) => {
                rest.split_at_checked(size_of::<u64>()).map(|(n, rest)| (Item::End(number(n)), rest))
            }
            _ => return Err(self.wrong("has something else where a row should be")),
        };
        Ok(found.map(|(item, rest)| {
            self.rest = rest;
            item
        }))
    }

    fn bucket(&self, rest: &'a [u8], before: Option<Bucket>) -> Result<Option<(Item<'a>, &'a [u8])>, BackendError> {
        let named = rest.split_first().and_then(|(len, rest)| rest.split_at_checked(usize::from(*len)));
        let Some((name, rest)) = named else { return Ok(None) };
        let at = before.map_or(0, |before| before as usize + 1);
        let next = Bucket::ALL.get(at).filter(|next| next.name().as_bytes() == name);
        let next = next.ok_or_else(|| self.wrong("has a bucket that does not belong there"))?;
        Ok(Some((Item::Bucket(*next), rest)))
    }

    fn row(&self, rest: &'a [u8], bucket: Bucket) -> Result<Option<(Item<'a>, &'a [u8])>, BackendError> {
        let lengths = rest.split_first_chunk().and_then(|(key, rest)| Some((key, rest.split_first_chunk()?)));
        let Some((key, (value, rest))) = lengths else { return Ok(None) };
        let len = |bytes: &[u8; 4]| usize::try_from(u32::from_be_bytes(*bytes)).unwrap_or(usize::MAX);
        let (key, value) = (len(key), len(value));
        if key.saturating_add(value) > MAX_ROW_BYTES {
            return Err(self.wrong("has a row that is too long"));
        }
        let row = rest.split_at_checked(key).and_then(|(key, rest)| Some((key, rest.split_at_checked(value)?)));
        let Some((key, (value, rest))) = row else { return Ok(None) };
        // What a store could not read must not get as far as into the database.
        if bucket == Bucket::Key && (RowKey::decode(key).is_none() || Record::check(value).is_err()) {
            return Err(self.wrong("has a row that is no history"));
        }
        Ok(Some((Item::Row(key, value), rest)))
    }

    pub(super) fn wrong(&self, what: &str) -> BackendError {
        BackendError::corrupt(self.path, format!("the image {what}"))
    }
}

/// The number at the end.
fn number(bytes: &[u8]) -> u64 {
    bytes.last_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}
