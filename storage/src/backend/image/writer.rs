//! Building a database from what another member wrote down.

use std::mem;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::items::{Item, Items};
use crate::backend::loader::Loader;
use crate::backend::storage::Files;
use crate::backend::{Applied, BackendError, BackendOptions, Bucket, IMAGE, guarded, on_disk, room, schema, temporary};

/// Tells apart the files of writers that are to have the same name at last.
static WRITERS: AtomicU64 = AtomicU64::new(0);

/// Turns an image into a dense database file, which has its name only once it is complete and durable. Dropped before,
/// it leaves nothing; a process that is killed leaves a file that the next [`super::super::Backend::open`] beside it
/// removes.
///
/// Chunks are not trusted: what is no image of this program's is refused, and so is everything after it. Memory is
/// bounded by a chunk, or by one row that is longer.
#[derive(Debug)]
pub struct ImageWriter {
    path: PathBuf,
    temporary: PathBuf,
    stage: Stage,
    /// The beginning of an item whose end is in a chunk to come.
    partial: Vec<u8>,
    rows: u64,
    /// See [`BackendOptions::reserve_bytes`].
    reserve_bytes: Option<u64>,
    /// Bytes taken since it was seen that there is room.
    since_check: usize,
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
    /// When it cannot be created, or there is no room.
    pub fn create(path: &Path, options: BackendOptions) -> Result<ImageWriter, BackendError> {
        ImageWriter::create_with(path, &Files { options, layer: None, database: None })
    }

    pub(in crate::backend) fn create_with(path: &Path, files: &Files) -> Result<ImageWriter, BackendError> {
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(format!(".{}", WRITERS.fetch_add(1, Ordering::Relaxed)));
        let temporary = temporary(&path.with_file_name(name), IMAGE);
        files.check_room(&temporary, 0)?;
        let loader = guarded(&temporary, || Loader::create(files, &temporary))?;
        let (path, stage) = (path.to_path_buf(), Stage::Head(loader));
        let reserve_bytes = files.options.reserve_bytes;
        Ok(ImageWriter { path, temporary, stage, partial: Vec::new(), rows: 0, reserve_bytes, since_check: 0 })
    }

    /// Takes the next part of the stream.
    ///
    /// # Errors
    /// When it does not go on where the last one ended, or cannot be written. Nothing is taken after that.
    pub fn write(&mut self, chunk: &[u8]) -> Result<(), BackendError> {
        let path = self.temporary.clone();
        let stage = mem::replace(&mut self.stage, Stage::Over);
        self.since_check += chunk.len();
        if self.since_check >= room::STEP_BYTES {
            self.since_check = 0;
            room::check(&path, 0, self.reserve_bytes)?;
        }
        self.stage = guarded(&path, || {
            if self.partial.is_empty() {
                let mut items = Items { path: &path, rest: chunk };
                let stage = self.take(stage, &mut items)?;
                self.partial.extend_from_slice(items.rest);
                return Ok(stage);
            }
            self.partial.extend_from_slice(chunk);
            let mut joined = mem::take(&mut self.partial);
            let mut items = Items { path: &path, rest: &joined };
            let stage = self.take(stage, &mut items)?;
            let left = items.rest.len();
            // Nothing is moved as long as nothing is whole, or a long row would be copied with every chunk.
            joined.drain(..joined.len() - left);
            self.partial = joined;
            Ok(stage)
        })?;
        Ok(())
    }

    /// Makes the file durable and gives it its name; returns the last log entry in it.
    ///
    /// # Errors
    /// When the image is not complete, of a newer version, or cannot be written.
    pub fn finish(self) -> Result<Applied, BackendError> {
        self.finish_if(|_, _| Ok(()))
    }

    /// The same, if `is_wanted` finds nothing wrong with the complete file, which has not got its name yet, and the last log
    /// entry in it.
    ///
    /// # Errors
    /// As with [`ImageWriter::finish`], and what `is_wanted` says; the file is gone then.
    pub fn finish_if<E: From<BackendError>>(
        mut self,
        is_wanted: impl FnOnce(&Path, Applied) -> Result<(), E>,
    ) -> Result<Applied, E> {
        let Stage::Ended(loader) = mem::replace(&mut self.stage, Stage::Over) else {
            return Err(BackendError::corrupt(&self.temporary, "the image is not complete").into());
        };
        let found = guarded(&self.temporary, || {
            let (database, _) = loader.finish()?;
            schema::check(&self.temporary, &database)
        })?;
        is_wanted(&self.temporary, found.applied)?;
        on_disk::rename(&self.temporary, &self.path)?;
        on_disk::sync_directory(&self.path)?;
        Ok(found.applied)
    }

    /// Takes all items that are whole.
    fn take(&mut self, stage: Stage, items: &mut Items<'_>) -> Result<Stage, BackendError> {
        let (mut loader, mut bucket) = match stage {
            Stage::Head(loader) => {
                if !items.head()? {
                    return Ok(Stage::Head(loader));
                }
                (loader, None)
            }
            Stage::Rows(loader, bucket) => (loader, bucket),
            Stage::Ended(_) | Stage::Over => return Err(items.wrong("goes on after its end")),
        };
        loop {
            let item = match bucket {
                None => items.next(None)?,
                // With the bucket's end at hand for as long as there are rows of it.
                Some(bucket) => loader.append(bucket, |tail| {
                    loop {
                        match items.next(Some(bucket))? {
                            Some(Item::Row(key, value)) => tail.push(key, value)?,
                            other => return Ok(other),
                        }
                        self.rows += 1;
                    }
                })?,
            };
            match item {
                Some(Item::Bucket(next)) => bucket = Some(next),
                Some(Item::End(rows)) if rows == self.rows && items.rest.is_empty() => return Ok(Stage::Ended(loader)),
                Some(Item::End(_) | Item::Row(..)) => return Err(items.wrong("does not end as it should")),
                None => return Ok(Stage::Rows(loader, bucket)),
            }
        }
    }
}

impl Drop for ImageWriter {
    fn drop(&mut self) {
        // That name has gone if it is finished. What cannot be removed, the next start tries again.
        let _ = std::fs::remove_file(&self.temporary);
    }
}
