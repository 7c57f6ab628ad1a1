//! A copy of the database in pieces, read as they are taken: on a thread that is lent for that piece alone, so that a client
//! who does not read holds a piece and no thread.

use std::io;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::copies::{SharedCopy, Sum};

/// Read at once.
const PIECE_BYTES: usize = 128 * 1024;
/// How many pieces are read at the same time, for all clients together.
const READS: usize = 4;

static READING: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(READS));

/// See the module's text.
#[derive(Debug)]
pub(super) struct Pieces {
    copy: Arc<SharedCopy>,
    /// What is to be read yet.
    left: Range<u64>,
    /// Of what was read, if anybody wants that.
    digest: Option<Sha256>,
}

impl Pieces {
    /// A part of it; what is beyond its end cannot be read.
    pub(super) fn of(copy: Arc<SharedCopy>, part: Range<u64>) -> Pieces {
        Pieces { copy, left: part, digest: None }
    }

    /// All of it, with its digest in the end.
    pub(super) fn hashing(copy: Arc<SharedCopy>) -> Pieces {
        Pieces { left: 0..copy.len(), copy, digest: Some(Sha256::new()) }
    }

    /// What follows; none at the end.
    ///
    /// # Errors
    /// When the copy cannot be read.
    pub(super) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let left = self.left.end.saturating_sub(self.left.start);
        if left == 0 {
            return Ok(None);
        }
        let wanted = usize::try_from(left).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
        let _turn = READING.acquire().await;
        let (copy, offset, mut digest) = (Arc::clone(&self.copy), self.left.start, self.digest.take());
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = vec![0; wanted];
            copy.read_at(offset, &mut piece)?;
            if let Some(digest) = &mut digest {
                digest.update(&piece);
            }
            Ok::<_, io::Error>((Bytes::from(piece), digest))
        });
        let (piece, digest) = read.await.map_err(io::Error::other)??;
        self.digest = digest;
        self.left.start += wanted as u64;
        Ok(Some(piece))
    }

    /// Of what was read so far; of nothing if it is not hashed.
    pub(super) fn digest(&self) -> Sum {
        self.digest.clone().unwrap_or_default().finalize().into()
    }

    /// The same with something behind it.
    pub(super) fn digest_with(&self, more: &[u8]) -> Sum {
        self.digest.clone().unwrap_or_default().chain_update(more).finalize().into()
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        self.copy.note_use();
    }
}
