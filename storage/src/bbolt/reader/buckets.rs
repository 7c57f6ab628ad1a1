//! All buckets, and the rows of one.

use super::node::Rows;
use super::pages::Pages;
use super::reached::Reached;
use super::tree::{Fault, Tree};
use super::{Row, free_list};
use crate::bbolt::error::{Damage, ReadError};
use crate::bbolt::layout::BucketValue;
use crate::bbolt::read_at::ReadAt;

/// A walk through a file. Buckets may be left before their last row.
#[derive(Debug)]
pub struct Buckets<'r, R> {
    pages: &'r Pages<R>,
    reached: Reached,
    root: Tree,
    /// Of the bucket where it is.
    rows: Tree,
    name: Vec<u8>,
    /// Something was left out, so that nobody knows whether each page is accounted for.
    partial: bool,
    /// There may be rows left of the bucket.
    inside: bool,
}

impl<'r, R: ReadAt> Buckets<'r, R> {
    pub(super) fn begin(pages: &'r Pages<R>) -> Result<Buckets<'r, R>, ReadError> {
        let mut reached = Reached::none(pages.meta.high_water);
        if let Some(page) = pages.meta.free_list {
            free_list::read(pages, page, &mut reached).map_err(|trouble| Fault::at(page, trouble).within(None))?;
        }
        let mut root = Tree::of(Rows::Buckets);
        root.begin(pages, pages.meta.root, &mut reached).map_err(|fault| fault.within(None))?;
        let (rows, name) = (Tree::of(Rows::Values), Vec::new());
        Ok(Buckets { pages, reached, root, rows, name, partial: false, inside: false })
    }

    /// The next bucket, by the order of names; none after the last one. If every row before was asked for, that none
    /// follows also says that each page of the file is in use once or free.
    ///
    /// # Errors
    /// When something is damaged or cannot be read.
    pub fn next_bucket(&mut self) -> Result<Option<Bucket<'_, R>>, ReadError> {
        Ok(if self.advance()? { Some(self.here()) } else { None })
    }

    /// The bucket of this name if it follows; all before it are left out. If there is none, so is the one in whose place
    /// it would be.
    ///
    /// # Errors
    /// When something is damaged or cannot be read.
    pub fn find(&mut self, name: &[u8]) -> Result<Option<Bucket<'_, R>>, ReadError> {
        while self.advance()? {
            if self.name[..] >= *name {
                return Ok(if self.name == name { Some(self.here()) } else { None });
            }
        }
        Ok(None)
    }

    fn here(&mut self) -> Bucket<'_, R> {
        Bucket {
            pages: self.pages,
            reached: &mut self.reached,
            rows: &mut self.rows,
            name: &self.name,
            inside: &mut self.inside,
            partial: &mut self.partial,
        }
    }

    /// Goes to the beginning of the next bucket, if there is one.
    fn advance(&mut self) -> Result<bool, ReadError> {
        self.partial |= self.inside;
        // Until it is known to be well, or its last row was seen.
        self.inside = true;
        self.rows.end();
        let next = self.root.next(self.pages, &mut self.reached).map_err(|fault| fault.within(None))?;
        let Some((page, row)) = next else {
            self.inside = false;
            return self.account().map(|()| false);
        };
        self.name.clear();
        self.name.extend_from_slice(row.key);
        let begun = match BucketValue::decode(row.value) {
            Some(BucketValue::Tree(root)) => self.rows.begin(self.pages, root, &mut self.reached),
            Some(BucketValue::Inline(leaf)) => self.rows.begin_inline(page, leaf),
            None => Err(Fault::at(page, Damage::Bucket.into())),
        };
        begun.map_err(|fault| fault.within(Some(&self.name)))?;
        Ok(true)
    }

    /// At the end: no page is lost.
    fn account(&self) -> Result<(), ReadError> {
        match self.reached.lost() {
            Some(page) if !self.partial => Err(Fault::at(page, Damage::Lost.into()).within(None)),
            _ => Ok(()),
        }
    }
}

/// A bucket, and a place among its rows.
#[derive(Debug)]
pub struct Bucket<'a, R> {
    pages: &'a Pages<R>,
    reached: &'a mut Reached,
    rows: &'a mut Tree,
    name: &'a [u8],
    inside: &'a mut bool,
    partial: &'a mut bool,
}

impl<'a, R: ReadAt> Bucket<'a, R> {
    pub fn name(&self) -> &'a [u8] {
        self.name
    }

    /// The next row, by the order of keys; none after the last one.
    ///
    /// # Errors
    /// When something is damaged or cannot be read.
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>, ReadError> {
        match self.rows.next(self.pages, self.reached) {
            Ok(next) => {
                *self.inside = next.is_some();
                Ok(next.map(|(_, row)| Row { key: row.key, value: row.value }))
            }
            Err(fault) => {
                *self.partial = true;
                Err(fault.within(Some(self.name)))
            }
        }
    }
}
