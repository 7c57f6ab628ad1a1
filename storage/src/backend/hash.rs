//! The hash over everything that is stored.

use super::schema::{CONSISTENT_INDEX, STORAGE_VERSION_KEY, TERM};
use super::view::View;
use super::{Backend, BackendError, Bucket, Edition};

impl Backend {
    /// `Maintenance.Hash`: CRC-32C over the name and the rows of each bucket, without what may differ between
    /// members that have applied the same log.
    ///
    /// # Errors
    /// When what is committed cannot be written, or the file cannot be read.
    pub fn hash(&self) -> Result<u32, BackendError> {
        self.flush()?;
        let edition = self.edition();
        let view = edition.view();
        edition.guarded(|| edition.hash_view(&view))
    }
}

impl Edition {
    fn hash_view(&self, view: &View) -> Result<u32, BackendError> {
        let mut hash = 0;
        for bucket in Bucket::ALL {
            hash = crc32c::crc32c_append(hash, bucket.name().as_bytes());
            for row in view.table(bucket).iter().map_err(|error| self.failed(error))? {
                let (key, value) = row.map_err(|error| self.failed(error))?;
                let own =
                    bucket == Bucket::Meta && [CONSISTENT_INDEX, TERM, STORAGE_VERSION_KEY].contains(&key.value());
                if !own {
                    hash = crc32c::crc32c_append(hash, key.value());
                    hash = crc32c::crc32c_append(hash, value.value());
                }
            }
        }
        Ok(hash)
    }
}
