//! A copy of the database as a file of its own, as `etcdctl snapshot save` writes it: its bytes, then the SHA-256 of them.

use std::fmt::Write as _;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_core::Stream;
use futures_util::stream;
use keyport_api::error::backend_failed;
use time::OffsetDateTime;
use tonic::Status;

use super::copies::{Digests, SharedCopy, Sum};
use super::pieces::Pieces;
use crate::metrics::Histogram;

/// See the module's text. The file is there as long as anybody holds it.
#[derive(Clone, Debug)]
pub(crate) struct SavedCopy {
    copy: Arc<SharedCopy>,
    digests: Digests,
    duration: Histogram,
}

impl SavedCopy {
    /// Hashes it, if nobody has before.
    pub(super) async fn of(copy: Arc<SharedCopy>, duration: &Histogram) -> Result<SavedCopy, Status> {
        let digests = copy.digests().get_or_try_init(|| hash(Arc::clone(&copy))).await.map_err(|error| {
            tracing::error!(%error, "failed to read the database for a snapshot");
            backend_failed(error)
        })?;
        let digests = *digests;
        Ok(SavedCopy { copy, digests, duration: duration.clone() })
    }

    /// How many bytes there are in all.
    pub(crate) fn len(&self) -> u64 {
        self.copy.len() + self.digests.database.len() as u64
    }

    /// Of all of it.
    pub(crate) fn digest(&self) -> &Sum {
        &self.digests.file
    }

    /// What tells it from others: of the same bytes it is the same, whoever has made them.
    pub(crate) fn tag(&self) -> String {
        tag(&self.digests)
    }

    /// When it was made.
    pub(crate) fn made(&self) -> OffsetDateTime {
        self.copy.made()
    }

    /// A part of it, as slowly as it is taken. It ends before its end if the copy cannot be read, after an error.
    pub(crate) fn bytes(self, part: Range<u64>) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let (end, SavedCopy { copy, digests, duration }) = (self.copy.len(), self);
        let within = |offset: u64| usize::try_from(offset.saturating_sub(end)).unwrap_or(usize::MAX);
        let digest =
            Bytes::copy_from_slice(digests.database.get(within(part.start)..within(part.end)).unwrap_or_default());
        let pieces = Pieces::of(copy, part.start.min(end)..part.end.min(end));
        let state = (pieces, Some(digest).filter(|digest| !digest.is_empty()), duration.start_timer());
        stream::try_unfold(state, async |(mut pieces, mut digest, timed)| {
            let piece = match pieces.next().await? {
                Some(piece) => Some(piece),
                None => digest.take(),
            };
            Ok(piece.map(|piece| (piece, (pieces, digest, timed))))
        })
    }
}

async fn hash(copy: Arc<SharedCopy>) -> io::Result<Digests> {
    let mut pieces = Pieces::hashing(copy);
    while pieces.next().await?.is_some() {}
    let database = pieces.digest();
    Ok(Digests { database, file: pieces.digest_with(&database) })
}

/// As it stands in `ETag`.
pub(super) fn tag(digests: &Digests) -> String {
    let mut tag = String::from("\"");
    for byte in digests.file.iter().take(16) {
        let _ = write!(tag, "{byte:02x}");
    }
    tag + "\""
}
