//! A copy of the database as a stream: its bytes in blobs, then the SHA-256 of them.
//!
//! The image is read in pieces as the client takes them, on a thread that is lent for that piece alone: a client that does
//! not read holds a piece and no thread.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::stream;
use keyport_api::error::backend_failed;
use keyport_api::etcdserverpb::SnapshotResponse;
use prometheus::HistogramTimer;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tonic::Status;

use super::copies::SharedCopy;
use crate::metrics::Histogram;
use crate::version;

const BLOB_BYTES: usize = 32 * 1024;
/// Read at once.
const PIECE_BYTES: usize = 4 * BLOB_BYTES;
/// How many pieces are read at the same time, for all clients together.
const READS: usize = 4;

static READING: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(READS));

/// The messages of one snapshot.
pub(crate) type SnapshotBlobs = Pin<Box<dyn Stream<Item = Result<SnapshotResponse, Status>> + Send>>;

/// Begins to read; as slowly as the client takes it, and no further than it stays.
pub(in crate::calls) fn start(copy: Arc<SharedCopy>, duration: &Histogram) -> SnapshotBlobs {
    let remaining = copy.len();
    let reader = Reader {
        copy,
        remaining,
        piece: Bytes::new(),
        digest: Sha256::new(),
        ended: false,
        _timed: duration.start_timer(),
    };
    Box::pin(stream::unfold(reader, async |mut reader| {
        let message = reader.next().await.transpose()?;
        reader.ended |= message.is_err();
        Some((message, reader))
    }))
}

struct Reader {
    copy: Arc<SharedCopy>,
    /// Bytes of the image that the client has not been sent.
    remaining: u64,
    /// The first of them, as far as they are read.
    piece: Bytes,
    /// Of what was read.
    digest: Sha256,
    ended: bool,
    _timed: HistogramTimer,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<SnapshotResponse>, Status> {
        if self.ended {
            return Ok(None);
        }
        if self.remaining == 0 {
            self.ended = true;
            return Ok(Some(message(0, self.digest.finalize_reset().to_vec().into())));
        }
        if self.piece.is_empty() {
            self.read().await.map_err(|error| {
                tracing::error!(%error, "failed to read the database for a snapshot");
                backend_failed(error)
            })?;
        }
        let blob = self.piece.split_to(self.piece.len().min(BLOB_BYTES));
        self.remaining -= blob.len() as u64;
        Ok(Some(message(self.remaining, blob)))
    }

    async fn read(&mut self) -> io::Result<()> {
        let _turn = READING.acquire().await;
        let copy = Arc::clone(&self.copy);
        let (offset, mut digest) = (copy.len() - self.remaining, std::mem::take(&mut self.digest));
        let wanted = usize::try_from(self.remaining).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = vec![0; wanted];
            copy.read_at(offset, &mut piece)?;
            digest.update(&piece);
            Ok::<_, io::Error>((Bytes::from(piece), digest))
        });
        (self.piece, self.digest) = read.await.map_err(io::Error::other)??;
        Ok(())
    }
}

fn message(remaining_bytes: u64, blob: Bytes) -> SnapshotResponse {
    SnapshotResponse { header: None, remaining_bytes, blob, version: version::ETCD_COPY.to_owned() }
}
