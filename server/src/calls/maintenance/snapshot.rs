//! A copy of the database as a stream: its bytes in blobs, then the SHA-256 of them. As slowly as the client takes it.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_core::Stream;
use futures_util::stream;
use keyport_api::error::backend_failed;
use keyport_api::etcdserverpb::SnapshotResponse;
use prometheus::HistogramTimer;
use tonic::Status;

use super::copies::SharedCopy;
use super::pieces::Pieces;
use crate::metrics::Histogram;
use crate::version;

const BLOB_BYTES: usize = 32 * 1024;

/// The messages of one snapshot.
pub(crate) type SnapshotBlobs = Pin<Box<dyn Stream<Item = Result<SnapshotResponse, Status>> + Send>>;

/// Begins to read; no further than the client stays.
pub(in crate::calls) fn start(copy: Arc<SharedCopy>, duration: &Histogram) -> SnapshotBlobs {
    let remaining = copy.len();
    let pieces = Pieces::hashing(copy);
    let reader = Reader { pieces, remaining, piece: Bytes::new(), ended: false, _timed: duration.start_timer() };
    Box::pin(stream::unfold(reader, async |mut reader| {
        let message = reader.next().await.transpose()?;
        reader.ended |= message.is_err();
        Some((message, reader))
    }))
}

struct Reader {
    pieces: Pieces,
    /// Bytes of the image that the client has not been sent.
    remaining: u64,
    /// The first of them, as far as they are read.
    piece: Bytes,
    ended: bool,
    _timed: HistogramTimer,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<SnapshotResponse>, Status> {
        if self.ended {
            return Ok(None);
        }
        if self.piece.is_empty() {
            let piece = self.pieces.next().await.map_err(|error| {
                tracing::error!(%error, "failed to read the database for a snapshot");
                backend_failed(error)
            })?;
            let Some(piece) = piece else {
                self.ended = true;
                return Ok(Some(message(0, Bytes::copy_from_slice(&self.pieces.digest()))));
            };
            self.piece = piece;
        }
        let blob = self.piece.split_to(self.piece.len().min(BLOB_BYTES));
        self.remaining -= blob.len() as u64;
        Ok(Some(message(self.remaining, blob)))
    }
}

fn message(remaining_bytes: u64, blob: Bytes) -> SnapshotResponse {
    SnapshotResponse { header: None, remaining_bytes, blob, version: version::ETCD_COPY.to_owned() }
}
