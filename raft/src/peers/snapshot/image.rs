//! An image as a row of frames, and back.
//!
//! ```text
//! header (the MsgSnap) | chunk, chunk, … | end (chunks u64, bytes u64, SHA-256 of all chunks)
//! ```

#[cfg(test)]
mod tests;

use std::io;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use keyport_api::raftpb::Message;
use prost::Message as _;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::super::frame::{self, FrameError, FrameReader, Kind, MAX_CHUNK, SNAPSHOT_END};
use super::SnapshotRead;

/// Counts and digests the chunks that went by.
#[derive(Debug, Clone, Default)]
struct Tally {
    chunks: u64,
    bytes: u64,
    digest: Sha256,
}

impl Tally {
    fn add(&mut self, chunk: &[u8]) {
        self.chunks += 1;
        self.bytes += chunk.len() as u64;
        self.digest.update(chunk);
    }

    fn finish(self) -> [u8; SNAPSHOT_END] {
        let mut end = [0; SNAPSHOT_END];
        let fields =
            self.chunks.to_be_bytes().into_iter().chain(self.bytes.to_be_bytes()).chain(self.digest.finalize());
        end.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        end
    }
}

/// Turns an image into frames, not faster than `bytes_per_second`. Blocks while the channel is full. Fails when the
/// image cannot be read, or nobody takes the frames any more.
pub(super) fn write_frames(
    message: &Message,
    image: &mut dyn SnapshotRead,
    bytes_per_second: u64,
    frames: &mpsc::Sender<io::Result<Bytes>>,
) -> io::Result<()> {
    let send = |kind: Kind, payload: Bytes| {
        let header = Bytes::copy_from_slice(&frame::header(kind, &payload));
        let sent = frames.blocking_send(Ok(header)).and_then(|()| frames.blocking_send(Ok(payload)));
        sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    };
    send(Kind::SnapshotHeader, message.encode_to_vec().into())?;
    let mut tally = Tally::default();
    let start = Instant::now();
    while let Some(chunk) = image.next()? {
        if chunk.is_empty() {
            continue;
        }
        if chunk.len() > MAX_CHUNK {
            return Err(io::Error::other(format!("chunk of {} bytes", chunk.len())));
        }
        tally.add(&chunk);
        send(Kind::SnapshotChunk, chunk)?;
        let due = Duration::from_millis(tally.bytes.saturating_mul(1000) / bytes_per_second.max(1));
        std::thread::sleep(due.saturating_sub(start.elapsed()));
    }
    send(Kind::SnapshotEnd, Bytes::copy_from_slice(&tally.finish()))
}

/// What a snapshot's body is made of, checked.
#[derive(Debug, PartialEq)]
pub(in super::super) enum Part {
    Header(Box<Message>),
    Chunk(Bytes),
    End,
}

/// Puts a snapshot together from the pieces in which its body arrives.
#[derive(Debug)]
pub(in super::super) struct Parts {
    frames: FrameReader,
    tally: Option<Tally>,
    ended: bool,
}

impl Parts {
    pub(in super::super) fn new() -> Parts {
        Parts { frames: FrameReader::new(0), tally: None, ended: false }
    }

    pub(in super::super) fn feed(&mut self, bytes: &[u8]) {
        self.frames.feed(bytes);
    }

    /// The next part, if it is there whole.
    pub(in super::super) fn next(&mut self) -> Result<Option<Part>, FrameError> {
        if self.ended {
            return if self.frames.is_empty() { Ok(None) } else { Err(FrameError::Shape("bytes behind the end")) };
        }
        let Some(frame) = self.frames.next()? else { return Ok(None) };
        let part = match (frame.kind, &mut self.tally) {
            (Kind::SnapshotHeader, tally @ None) => {
                *tally = Some(Tally::default());
                Part::Header(Box::new(frame::snapshot_message(frame.payload)?))
            }
            (Kind::SnapshotChunk, Some(tally)) => {
                tally.add(&frame.payload);
                Part::Chunk(frame.payload)
            }
            (Kind::SnapshotEnd, Some(tally)) => {
                if frame.payload.chunk() != tally.clone().finish() {
                    return Err(FrameError::Shape("digest of a snapshot does not match"));
                }
                self.ended = true;
                Part::End
            }
            (kind, _) => return Err(FrameError::Unexpected(kind)),
        };
        Ok(Some(part))
    }

    /// Nothing more comes.
    pub(in super::super) fn end(&self) -> Result<(), FrameError> {
        if self.ended && self.frames.is_empty() { Ok(()) } else { Err(FrameError::Truncated) }
    }
}
