//! Snapshots between members: a POST whose body is the image in chunks, each with its checksum.
//!
//! The image is durable at the receiver before its `MsgSnap` is handed to Raft there; only then the request is answered,
//! and only then the sender's Raft learns of it. Whatever goes wrong before discards the image, and Raft tries again.
//! A transfer always starts over: by then there is a newer image.

mod body;
mod image;
mod pace;
mod receive;
mod send;

use std::io;

use bytes::Bytes;
use keyport_api::raftpb::SnapshotMetadata;

#[cfg(any(test, feature = "sim"))]
pub(super) use image::Parts;
pub(super) use receive::Reception;

/// Where snapshots come from and go to. Every call may block; they come from threads that may.
pub trait SnapshotStore: Send + Sync + 'static {
    /// A consistent image of now, which has at least everything applied so far.
    fn read(&self) -> io::Result<Box<dyn SnapshotRead>>;

    /// A place for the image that a leader sends.
    ///
    /// # Errors
    /// `InvalidData` when it is of no use here, whatever follows.
    fn write(&self, metadata: &SnapshotMetadata) -> io::Result<Box<dyn SnapshotWrite>>;
}

/// An image on its way out.
pub trait SnapshotRead: Send {
    /// Index, term and configuration that the image goes up to.
    fn metadata(&self) -> SnapshotMetadata;

    /// The next piece, of at most [`MAX_CHUNK`](super::MAX_CHUNK) bytes; `None` at the end.
    fn next(&mut self) -> io::Result<Option<Bytes>>;
}

/// An image on its way in. Dropped without [`SnapshotWrite::finish`], it is discarded.
pub trait SnapshotWrite: Send {
    /// Takes the next piece.
    fn write(&mut self, chunk: Bytes) -> io::Result<()>;

    /// Everything is there: returns when it is durable, so that it is found after a crash.
    ///
    /// # Errors
    /// `InvalidData` when the image is not what it was said to be.
    fn finish(self: Box<Self>) -> io::Result<()>;
}
