//! What peers send, read from any bytes: for fuzzing. Nothing panics, and how the bytes are cut makes no difference.

use bytes::{Bytes, BytesMut};
use keyport_api::raftpb::Message;

use super::frame::{FrameError, FrameReader, Kind, header, next_message};
use super::snapshot::Parts;

/// Entries may have this many bytes here.
const MAX_ENTRY: usize = 1 << 20;

/// A frame whose checksum is right. Of the kind that has this number; none if no kind has.
pub fn frame(kind: u8, payload: &[u8]) -> Option<Bytes> {
    let mut frame = BytesMut::from(&header(Kind::of(kind)?, payload)[..]);
    frame.extend_from_slice(payload);
    Some(frame.freeze())
}

/// Reads bytes as those of a stream: how many messages there are before the first error.
///
/// # Panics
/// If they are not the same when the bytes come in pieces.
pub fn read_stream(bytes: &[u8]) -> usize {
    let whole = messages(bytes, usize::MAX);
    assert_eq!(messages(bytes, 7), whole, "in pieces of seven");
    whole.0.len()
}

fn messages(bytes: &[u8], piece: usize) -> (Vec<Message>, Option<FrameError>) {
    let (mut frames, mut messages) = (FrameReader::new(MAX_ENTRY), Vec::new());
    let mut read = |bytes: &[u8]| {
        frames.feed(bytes);
        while let Some(mut frame) = frames.next()? {
            match frame.kind {
                Kind::Messages => {
                    while let Some(message) = next_message(&mut frame.payload)? {
                        messages.push(message);
                    }
                }
                _ => _ = frame.number()?,
            }
        }
        Ok(())
    };
    let error = bytes.chunks(piece).map(&mut read).find_map(Result::err);
    (messages, error)
}

/// Reads bytes as the body of a snapshot: whether all of one is there.
///
/// # Panics
/// If that is not the same when the bytes come in pieces.
pub fn read_snapshot(bytes: &[u8]) -> bool {
    let whole = snapshot(bytes, usize::MAX);
    assert_eq!(snapshot(bytes, 7), whole, "in pieces of seven");
    whole.is_ok()
}

fn snapshot(bytes: &[u8], piece: usize) -> Result<(), FrameError> {
    let mut parts = Parts::new();
    for piece in bytes.chunks(piece) {
        parts.feed(piece);
        while parts.next()?.is_some() {}
    }
    parts.end()
}
