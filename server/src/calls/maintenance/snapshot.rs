//! The database as a stream: its image in blobs, then the SHA-256 of it.

use std::io::Read;

use keyport_api::etcdserverpb::SnapshotResponse;
use keyport_storage::backend::SnapshotReader;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::metrics::Histogram;
use crate::version;

const BLOB_BYTES: usize = 32 * 1024;
/// Blobs read ahead of the client.
const READ_AHEAD: usize = 4;

/// The messages of one snapshot.
pub type SnapshotBlobs = ReceiverStream<Result<SnapshotResponse, Status>>;

/// Begins to read; as slowly as the client takes it, and no further than it stays.
pub(in crate::calls) fn start(reader: SnapshotReader, duration: Histogram) -> SnapshotBlobs {
    let (blobs, stream) = mpsc::channel(READ_AHEAD);
    tokio::task::spawn_blocking(move || {
        let _timed = duration.start_timer();
        if let Err(error) = send(reader, &blobs) {
            tracing::error!(%error, "failed to read the database for a snapshot");
            let _ = blobs.blocking_send(Err(keyport_api::error::backend_failed(error)));
        }
    });
    ReceiverStream::new(stream)
}

fn send(mut reader: SnapshotReader, blobs: &mpsc::Sender<Result<SnapshotResponse, Status>>) -> std::io::Result<()> {
    let mut remaining = reader.len();
    let mut digest = Sha256::new();
    while remaining > 0 {
        let wanted = usize::try_from(remaining).unwrap_or(BLOB_BYTES).min(BLOB_BYTES);
        let mut blob = vec![0; wanted];
        reader.read_exact(&mut blob)?;
        digest.update(&blob);
        remaining -= wanted as u64;
        if blobs.blocking_send(Ok(message(remaining, blob))).is_err() {
            // The client has gone.
            return Ok(());
        }
    }
    let _ = blobs.blocking_send(Ok(message(0, digest.finalize().to_vec())));
    Ok(())
}

fn message(remaining_bytes: u64, blob: Vec<u8>) -> SnapshotResponse {
    SnapshotResponse { header: None, remaining_bytes, blob: blob.into(), version: version::ETCD_CLUSTER.to_owned() }
}
