//! Writing down what is there.

use std::path::PathBuf;
use std::sync::Arc;
use std::{fmt, mem};

use bytes::Bytes;

use super::{BUCKET, CHUNK_BYTES, ENCODING_VERSION, END, MAGIC, ROW, ROWS_VERSION};
use crate::backend::schema::{CONSISTENT_INDEX, TERM};
use crate::backend::table::Rows;
use crate::backend::view::View;
use crate::backend::{Applied, Backend, BackendError, Bucket, guarded};

/// Rows fill a chunk up to here; the rest is for the head, all buckets and the end.
const ROWS_BYTES: usize = CHUNK_BYTES - 512;

enum Item {
    Bucket,
    Row,
    End,
}

/// The database as of one moment, however long the reading takes. Pages that it needs are not used again meanwhile,
/// so the file of a database that is written to grows.
pub struct ImageReader {
    path: PathBuf,
    applied: Applied,
    /// The bucket under way, then those to come.
    buckets: std::slice::Iter<'static, Bucket>,
    rows: Option<Rows>,
    /// Items to be handed out, cut.
    ready: Bytes,
    /// The beginning of what comes after them.
    chunk: Vec<u8>,
    count: u64,
    ended: bool,
    // Below the rows, which read from it.
    view: Arc<View>,
}

impl Backend {
    /// Everything committed so far, as of one moment. The database is not copied.
    ///
    /// # Errors
    /// When what is committed cannot be written, or the file cannot be read.
    pub fn image(&self) -> Result<ImageReader, BackendError> {
        self.flush()?;
        let mut head = Vec::with_capacity(CHUNK_BYTES);
        head.extend_from_slice(MAGIC);
        head.push(ENCODING_VERSION);
        head.extend_from_slice(&ROWS_VERSION.to_be_bytes());
        let mut reader = ImageReader {
            path: self.path().to_path_buf(),
            applied: Applied::default(),
            buckets: Bucket::ALL.iter(),
            rows: None,
            ready: Bytes::new(),
            chunk: head,
            count: 0,
            ended: false,
            view: self.edition().view(),
        };
        reader.applied = Applied { index: reader.number(CONSISTENT_INDEX)?, term: reader.number(TERM)? };
        Ok(reader)
    }
}

impl ImageReader {
    /// The last log entry that is in it.
    pub fn applied(&self) -> Applied {
        self.applied
    }

    /// A row of it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn get(&self, bucket: Bucket, key: &[u8]) -> Result<Option<Bytes>, BackendError> {
        guarded(&self.path, || {
            let row = self.view.table(bucket).get(key).map_err(|error| BackendError::from_redb(&self.path, error))?;
            Ok(row.map(|row| Bytes::copy_from_slice(row.value())))
        })
    }

    /// The next part of the stream, for [`super::ImageWriter::write`], at most 1 MiB; none after the last one.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn next_chunk(&mut self) -> Result<Option<Bytes>, BackendError> {
        if self.ready.is_empty() {
            if self.ended {
                return Ok(None);
            }
            let path = self.path.clone();
            self.ready = guarded(&path, || self.fill())?;
        }
        Ok(Some(self.ready.split_to(self.ready.len().min(CHUNK_BYTES))))
    }

    /// A chunk, or one row that is longer.
    fn fill(&mut self) -> Result<Bytes, BackendError> {
        loop {
            let before = self.chunk.len();
            match self.add_item()? {
                Item::Row if before > 0 && self.chunk.len() > ROWS_BYTES => {
                    let mut next = Vec::with_capacity(CHUNK_BYTES);
                    next.extend_from_slice(self.chunk.get(before..).unwrap_or_default());
                    self.chunk.truncate(before);
                    return Ok(mem::replace(&mut self.chunk, next).into());
                }
                Item::Row | Item::Bucket => {}
                Item::End => {
                    self.ended = true;
                    return Ok(mem::take(&mut self.chunk).into());
                }
            }
        }
    }

    fn add_item(&mut self) -> Result<Item, BackendError> {
        let failed = |error| BackendError::from_redb(&self.path, error);
        if let Some(row) = self.rows.as_mut().and_then(Iterator::next) {
            let (key, value) = row.map_err(failed)?;
            let (key, value) = (key.value(), value.value());
            self.chunk.push(ROW);
            // redb takes no longer ones.
            self.chunk.extend_from_slice(&u32::try_from(key.len()).unwrap_or(u32::MAX).to_be_bytes());
            self.chunk.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
            self.chunk.extend_from_slice(key);
            self.chunk.extend_from_slice(value);
            self.count += 1;
            return Ok(Item::Row);
        }
        let Some(bucket) = self.buckets.next() else {
            self.chunk.push(END);
            self.chunk.extend_from_slice(&self.count.to_be_bytes());
            return Ok(Item::End);
        };
        self.rows = Some(self.view.table(*bucket).iter().map_err(failed)?);
        let name = bucket.name();
        self.chunk.push(BUCKET);
        self.chunk.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        self.chunk.extend_from_slice(name.as_bytes());
        Ok(Item::Bucket)
    }

    fn number(&self, name: &[u8]) -> Result<u64, BackendError> {
        let Some(bytes) = self.get(Bucket::Meta, name)? else { return Ok(0) };
        let number = bytes.as_ref().try_into().map(u64::from_be_bytes);
        number.map_err(|_| BackendError::corrupt(&self.path, "an index or a term is not 8 bytes long"))
    }
}

impl fmt::Debug for ImageReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImageReader").field("applied", &self.applied).field("rows", &self.count).finish_non_exhaustive()
    }
}
