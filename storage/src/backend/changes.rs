//! What a copy of a database has otherwise than the database.

use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::iter::Peekable;

use super::Bucket;

/// Rows that are put in place of those that are there, or left out. The others stay as they are.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    emptied: BTreeSet<Bucket>,
    rows: Rows,
}

/// By bucket and key; `None` for what is left out.
type Rows = BTreeMap<(Bucket, Vec<u8>), Option<Vec<u8>>>;

impl Changes {
    /// None.
    pub fn none() -> Changes {
        Changes::default()
    }

    /// Leaves out all that a bucket has, but for what is put.
    #[must_use]
    pub fn empty(mut self, bucket: Bucket) -> Changes {
        self.emptied.insert(bucket);
        self
    }

    /// Puts a row, whether there is one with that key or not.
    #[must_use]
    pub fn put(mut self, bucket: Bucket, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Changes {
        self.rows.insert((bucket, key.into()), Some(value.into()));
        self
    }

    /// Leaves a row out, if there is one.
    #[must_use]
    pub fn remove(mut self, bucket: Bucket, key: impl Into<Vec<u8>>) -> Changes {
        self.rows.insert((bucket, key.into()), None);
        self
    }

    /// For the rows of one bucket, in the order of their keys.
    pub(super) fn of(&self, bucket: Bucket) -> Merge<'_> {
        let from = (bucket, Vec::new());
        Merge { bucket, is_emptied: self.emptied.contains(&bucket), ours: self.rows.range(from..).peekable() }
    }
}

type OfRows<'a> = btree_map::Range<'a, (Bucket, Vec<u8>), Option<Vec<u8>>>;

/// See [`Changes::of`].
#[derive(Debug)]
pub(super) struct Merge<'a> {
    bucket: Bucket,
    is_emptied: bool,
    ours: Peekable<OfRows<'a>>,
}

impl Merge<'_> {
    /// Hands on what there is in place of a row, and before it.
    pub(super) fn row<E>(
        &mut self,
        key: &[u8],
        value: &[u8],
        mut each: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.ours_until(Some(key), &mut each)?;
        let bucket = self.bucket;
        match self.ours.next_if(|((other, ours), _)| *other == bucket && ours == key) {
            Some((_, Some(value))) => each(key, value),
            Some((_, None)) => Ok(()),
            None if self.is_emptied => Ok(()),
            None => each(key, value),
        }
    }

    /// Hands on what is put behind the last row.
    pub(super) fn end<E>(mut self, mut each: impl FnMut(&[u8], &[u8]) -> Result<(), E>) -> Result<(), E> {
        self.ours_until(None, &mut each)
    }

    fn ours_until<E>(
        &mut self,
        end: Option<&[u8]>,
        each: &mut impl FnMut(&[u8], &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let bucket = self.bucket;
        let is_before = |((other, key), _): &(&(Bucket, Vec<u8>), _)| {
            *other == bucket && end.is_none_or(|end| key.as_slice() < end)
        };
        while let Some(((_, key), value)) = self.ours.next_if(is_before) {
            if let Some(value) = value {
                each(key, value)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(changes: &Changes, rows: &[(&str, &str)]) -> String {
        let mut out = String::new();
        let mut each = |key: &[u8], value: &[u8]| {
            out.push_str(&format!("{}={} ", String::from_utf8_lossy(key), String::from_utf8_lossy(value)));
            Ok::<_, ()>(())
        };
        let mut merge = changes.of(Bucket::Meta);
        for (key, value) in rows {
            merge.row(key.as_bytes(), value.as_bytes(), &mut each).unwrap();
        }
        merge.end(&mut each).unwrap();
        out
    }

    #[test]
    fn rows_are_put_replaced_and_left_out_in_order() {
        let rows = [("b", "1"), ("c", "1"), ("e", "1")];
        assert_eq!(merged(&Changes::none(), &rows), "b=1 c=1 e=1 ");
        let changes = Changes::none()
            .put(Bucket::Members, "a", "of another bucket")
            .put(Bucket::Meta, "a", "2")
            .remove(Bucket::Meta, "b")
            .put(Bucket::Meta, "c", "2")
            .remove(Bucket::Meta, "d")
            .put(Bucket::Meta, "f", "2");
        assert_eq!(merged(&changes, &rows), "a=2 c=2 e=1 f=2 ");
        assert_eq!(merged(&changes, &[]), "a=2 c=2 f=2 ");
        assert_eq!(merged(&changes.empty(Bucket::Meta), &rows), "a=2 c=2 f=2 ");
        assert_eq!(merged(&Changes::none().empty(Bucket::Meta), &rows), "");
    }
}
