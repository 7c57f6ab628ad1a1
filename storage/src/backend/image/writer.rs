//! Building a database from what another member wrote down.

use std::mem;
use std::path::{Path, PathBuf};

use super::{BUCKET, ENCODING_VERSION, END, MAGIC, ROW};
use crate::backend::loader::Loader;
use crate::backend::storage::{self, Files};
use crate::backend::{Applied, BackendError, BackendOptions, Bucket, IMAGE, RowKey, guarded, temporary};
use crate::record::Record;
use crate::schema::{self, SCHEMA_VERSION};

/// Turns an image into a dense database file, which has its name only once it is complete and durable. Dropped before,
/// it leaves nothing; a process that is killed leaves a file that the next [`super::super::Backend::open`] beside it
/// removes.
///
/// Chunks are not trusted: what is no image of this program's is refused, and so is everything after it. Memory is
/// bounded by the chunk.
#[derive(Debug)]
pub struct ImageWriter {
    path: PathBuf,
    temporary: PathBuf,
    stage: Stage,
    rows: u64,
}

#[derive(Debug)]
enum Stage {
    Head(Loader),
    Rows(Loader, Option<Bucket>),
    Ended(Loader),
    /// Refused, or finished.
    Over,
}

impl ImageWriter {
    /// Begins a file that is to have this name.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn create(path: &Path, options: BackendOptions) -> Result<ImageWriter, BackendError> {
        let files = Files { options, layer: None };
        ImageWriter::create_with(path, &files)
    }

    pub(in crate::backend) fn create_with(path: &Path, files: &Files) -> Result<ImageWriter, BackendError> {
        let temporary = temporary(path, IMAGE);
        let loader = guarded(&temporary, || Loader::create(files, &temporary))?;
        Ok(ImageWriter { path: path.to_path_buf(), temporary, stage: Stage::Head(loader), rows: 0 })
    }

    /// Takes the next chunk, whole as it was made.
    ///
    /// # Errors
    /// When it does not go on where the last one ended, or cannot be written. Nothing is taken after that.
    pub fn write(&mut self, chunk: &[u8]) -> Result<(), BackendError> {
        let temporary = self.temporary.clone();
        let stage = mem::replace(&mut self.stage, Stage::Over);
        self.stage = guarded(&temporary, || self.take(stage, Items { path: &temporary, rest: chunk }))?;
        Ok(())
    }

    /// Makes the file durable and gives it its name; returns the last log entry in it.
    ///
    /// # Errors
    /// When the image is not complete, of a newer version, or cannot be written.
    pub fn finish(mut self) -> Result<Applied, BackendError> {
        let Stage::Ended(loader) = mem::replace(&mut self.stage, Stage::Over) else {
            return Err(BackendError::corrupt(&self.temporary, "the image is not complete"));
        };
        let found = guarded(&self.temporary, || {
            let (database, _) = loader.finish()?;
            schema::check(&self.temporary, &database)
        })?;
        storage::rename(&self.temporary, &self.path)?;
        storage::sync_directory(&self.path)?;
        Ok(found.applied)
    }

    fn take(&mut self, stage: Stage, mut items: Items<'_>) -> Result<Stage, BackendError> {
        let (mut loader, mut bucket) = match stage {
            Stage::Head(loader) => {
                items.head()?;
                (loader, None)
            }
            Stage::Rows(loader, bucket) => (loader, bucket),
            Stage::Ended(_) | Stage::Over => return Err(items.wrong("goes on after its end")),
        };
        while let Some(tag) = items.peek() {
            match (tag, bucket) {
                (ROW, Some(bucket)) => {
                    self.rows += loader.append(bucket, |tail| {
                        let mut added = 0;
                        while items.peek() == Some(ROW) {
                            let (key, value) = items.row()?;
                            if bucket == Bucket::Key {
                                items.check_history(key, value)?;
                            }
                            tail.push(key, value)?;
                            added += 1;
                        }
                        Ok(added)
                    })?;
                }
                (BUCKET, before) => bucket = Some(items.bucket(before)?),
                (END, Some(Bucket::Meta)) => {
                    items.end(self.rows)?;
                    return Ok(Stage::Ended(loader));
                }
                _ => return Err(items.wrong("has something else where a row should be")),
            }
        }
        Ok(Stage::Rows(loader, bucket))
    }
}

impl Drop for ImageWriter {
    fn drop(&mut self) {
        // Its name has gone with it if it is finished. What cannot be removed, the next start tries again.
        let _ = std::fs::remove_file(&self.temporary);
    }
}

/// The items of a chunk, as someone else wrote them.
struct Items<'a> {
    path: &'a Path,
    rest: &'a [u8],
}

impl<'a> Items<'a> {
    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn head(&mut self) -> Result<(), BackendError> {
        if self.bytes(MAGIC.len())? != MAGIC {
            return Err(self.wrong("does not begin like one"));
        }
        let newer = |found: String, known: String| BackendError::NewerSchema {
            path: self.path.to_path_buf(),
            found: found.into(),
            known: known.into(),
        };
        let [encoding] = self.array()?;
        if encoding != ENCODING_VERSION {
            return Err(newer(format!("image {encoding}"), format!("image {ENCODING_VERSION}")));
        }
        let schema = u64::from_be_bytes(self.array()?);
        if schema > SCHEMA_VERSION {
            return Err(newer(schema.to_string(), SCHEMA_VERSION.to_string()));
        }
        Ok(())
    }

    /// The bucket that follows `before`.
    fn bucket(&mut self, before: Option<Bucket>) -> Result<Bucket, BackendError> {
        let [_, len] = self.array()?;
        let name = self.bytes(usize::from(len))?;
        let at = before.map_or(0, |before| before as usize + 1);
        let next = Bucket::ALL.get(at).filter(|next| next.name().as_bytes() == name);
        next.copied().ok_or_else(|| self.wrong("has a bucket that does not belong there"))
    }

    fn row(&mut self) -> Result<(&'a [u8], &'a [u8]), BackendError> {
        let [_] = self.array()?;
        let (key, value) = (u32::from_be_bytes(self.array()?), u32::from_be_bytes(self.array()?));
        let len = |len: u32| usize::try_from(len).unwrap_or(usize::MAX);
        Ok((self.bytes(len(key))?, self.bytes(len(value))?))
    }

    /// What a [`crate::mvcc::Store`] could not read must not get as far as into the database.
    fn check_history(&self, key: &[u8], value: &[u8]) -> Result<(), BackendError> {
        if RowKey::decode(key).is_none() || Record::check(value).is_err() {
            return Err(self.wrong("has a row that is no history"));
        }
        Ok(())
    }

    fn end(&mut self, rows: u64) -> Result<(), BackendError> {
        let [_] = self.array()?;
        if u64::from_be_bytes(self.array()?) != rows {
            return Err(self.wrong("has not as many rows as it says"));
        }
        if self.rest.is_empty() { Ok(()) } else { Err(self.wrong("goes on after its end")) }
    }

    fn bytes(&mut self, len: usize) -> Result<&'a [u8], BackendError> {
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or_else(|| self.wrong("is cut off"))?;
        self.rest = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BackendError> {
        let (array, rest) = self.rest.split_first_chunk().ok_or_else(|| self.wrong("is cut off"))?;
        self.rest = rest;
        Ok(*array)
    }

    fn wrong(&self, what: &str) -> BackendError {
        BackendError::corrupt(self.path, format!("the image {what}"))
    }
}
