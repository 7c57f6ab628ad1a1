//! Frames: what a stream and a snapshot's body consist of, and the only place where a peer's bytes are decoded.
//!
//! ```text
//! length u32 | kind u8 | CRC32C u32 | payload of that length          (big-endian)
//! ```
//!
//! The checksum covers length, kind and payload. A payload of messages is a row of length-delimited `raftpb.Message`s.

#[cfg(test)]
mod tests;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use keyport_api::raftpb::{Message, MessageType};
use prost::encoding::{DecodeContext, decode_key, decode_varint, encoded_len_varint, skip_field};
use prost::{DecodeError, Message as _};

/// Bytes before a payload.
pub(super) const HEADER: usize = 9;
/// Bytes of the header that come before the checksum.
const PREFIX: usize = 5;
/// Messages that go out together share a frame up to this size.
pub(super) const FULL_FRAME: usize = 4 << 20;
/// What a frame of messages may take besides one entry of the largest size: a follower passes proposals on in batches
/// of 8 MiB. Twice that, so that a member whose limit was raised first still gets through to the others.
const MAX_MESSAGES_OVERHEAD: usize = 16 << 20;
/// An entry takes 2 bytes on the wire and 70 in memory; a message of 1 MiB has no more than this.
const MAX_ENTRIES: usize = 1 << 18;
/// Metadata of a snapshot: a configuration, no more.
const MAX_SNAPSHOT_HEADER: usize = 1 << 20;
/// Largest piece of an image, in bytes.
pub const MAX_CHUNK: usize = 1 << 20;
/// Payloads up to this size are copied out of the read buffer, so that one entry kept in memory does not keep the whole
/// buffer.
const COPIED: usize = 16 << 10;
/// What a read asks for at least.
const READ: usize = 64 << 10;
/// Count of chunks, count of bytes, SHA-256.
pub(super) const SNAPSHOT_END: usize = 48;

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// Raft messages.
    Messages = 1,
    /// A number that the acceptor of a stream sends back.
    Ping = 2,
    /// That number.
    Pong = 3,
    /// Begins a snapshot: its `MsgSnap`.
    SnapshotHeader = 4,
    /// A piece of the image.
    SnapshotChunk = 5,
    /// Ends a snapshot: how many pieces, how many bytes, and their digest.
    SnapshotEnd = 6,
}

impl Kind {
    pub(super) fn of(byte: u8) -> Option<Kind> {
        const ALL: [Kind; 6] =
            [Kind::Messages, Kind::Ping, Kind::Pong, Kind::SnapshotHeader, Kind::SnapshotChunk, Kind::SnapshotEnd];
        ALL.into_iter().find(|kind| *kind as u8 == byte)
    }

    /// Largest payload.
    fn limit(self, max_entry_bytes: usize) -> usize {
        match self {
            Kind::Messages => max_messages_bytes(max_entry_bytes),
            Kind::Ping | Kind::Pong => size_of::<u64>(),
            Kind::SnapshotHeader => MAX_SNAPSHOT_HEADER,
            Kind::SnapshotChunk => MAX_CHUNK,
            Kind::SnapshotEnd => SNAPSHOT_END,
        }
    }
}

/// Largest payload of messages.
pub(super) fn max_messages_bytes(max_entry_bytes: usize) -> usize {
    max_entry_bytes.saturating_add(MAX_MESSAGES_OVERHEAD).min(u32::MAX as usize)
}

/// What does not check.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum FrameError {
    #[error("frame of unknown kind {0}")]
    Kind(u8),
    #[error("unexpected {0:?} frame")]
    Unexpected(Kind),
    #[error("{kind:?} frame of {length} bytes")]
    Length { kind: Kind, length: usize },
    #[error("checksum mismatch in a {0:?} frame")]
    Checksum(Kind),
    #[error("ends in the middle of a frame")]
    Truncated,
    #[error("message does not decode: {0}")]
    Decode(#[from] DecodeError),
    #[error("message does not belong on a stream: {0}")]
    Shape(&'static str),
    #[error("message from {from:x} to {to:x}")]
    Address { from: u64, to: u64 },
}

/// A frame that checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    pub(super) payload: Bytes,
}

impl Frame {
    /// The payload of a ping or pong.
    pub(super) fn number(&self) -> Result<u64, FrameError> {
        let length = self.payload.len();
        (&self.payload[..]).try_get_u64().map_err(|_| FrameError::Length { kind: self.kind, length })
    }
}

/// Cuts what arrives into frames.
#[derive(Debug)]
pub(super) struct FrameReader {
    buffer: BytesMut,
    max_entry_bytes: usize,
}

impl FrameReader {
    pub(super) fn new(max_entry_bytes: usize) -> FrameReader {
        FrameReader { buffer: BytesMut::new(), max_entry_bytes }
    }

    /// Where to read to; has room.
    pub(super) fn space(&mut self) -> &mut BytesMut {
        if self.buffer.capacity() - self.buffer.len() < READ / 4 {
            self.buffer.reserve(READ);
        }
        &mut self.buffer
    }

    /// Takes what was read elsewhere.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether nothing is left of a frame.
    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The next frame, if it is there whole. After an error there is no way to go on.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some((prefix, rest)) = self.buffer.split_first_chunk::<PREFIX>() else { return Ok(None) };
        let [a, b, c, d, kind] = *prefix;
        let kind = Kind::of(kind).ok_or(FrameError::Kind(kind))?;
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if length > kind.limit(self.max_entry_bytes) {
            return Err(FrameError::Length { kind, length });
        }
        let Some((checksum, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        let Some(payload) = rest.get(..length) else {
            // Memory that nothing is written to costs nothing, so a length that lies does not either.
            // With room for what follows, so that the end of a large frame does not move it once more.
            let missing = length - rest.len();
            self.buffer.reserve(missing + READ);
            return Ok(None);
        };
        if crc32c::crc32c_append(crc32c::crc32c(prefix), payload) != u32::from_be_bytes(*checksum) {
            return Err(FrameError::Checksum(kind));
        }
        let payload = if length <= COPIED {
            let payload = Bytes::copy_from_slice(payload);
            self.buffer.advance(HEADER + length);
            payload
        } else {
            self.buffer.advance(HEADER);
            self.buffer.split_to(length).freeze()
        };
        Ok(Some(Frame { kind, payload }))
    }
}

/// The header of a frame whose payload is sent beside it.
pub(super) fn header(kind: Kind, payload: &[u8]) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    let (prefix, checksum) = header.split_at_mut(PREFIX);
    // Nobody hands in more: every kind has its limit.
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let (length_bytes, kind_byte) = prefix.split_at_mut(4);
    length_bytes.copy_from_slice(&length.to_be_bytes());
    kind_byte.fill(kind as u8);
    checksum.copy_from_slice(&crc32c::crc32c_append(crc32c::crc32c(prefix), payload).to_be_bytes());
    header
}

/// A whole ping or pong.
pub(super) fn number_frame(kind: Kind, number: u64) -> [u8; HEADER + 8] {
    let mut frame = [0; HEADER + 8];
    let payload = number.to_be_bytes();
    frame[..HEADER].copy_from_slice(&header(kind, &payload));
    frame[HEADER..].copy_from_slice(&payload);
    frame
}

/// What a message takes in a frame.
pub(super) fn message_bytes(message: &Message) -> usize {
    let length = message.encoded_len();
    encoded_len_varint(length as u64) + length
}

/// Appends a frame of messages.
pub(super) fn put_messages(buffer: &mut Vec<u8>, messages: &[Message]) {
    let start = buffer.len();
    buffer.put_bytes(0, HEADER);
    for message in messages {
        // A vector has room for everything.
        let _ = message.encode_length_delimited(buffer);
    }
    if let Some((head, payload)) = buffer.get_mut(start..).and_then(|frame| frame.split_at_mut_checked(HEADER)) {
        head.copy_from_slice(&header(Kind::Messages, payload));
    }
}

/// Takes the first message off a payload of messages. Bytes of entries are shared with it.
pub(super) fn next_message(payload: &mut Bytes) -> Result<Option<Message>, FrameError> {
    if payload.is_empty() {
        return Ok(None);
    }
    let length = decode_varint(payload)?;
    let length = usize::try_from(length).ok().filter(|length| *length <= payload.len());
    let bytes = payload.split_to(length.ok_or(FrameError::Shape("longer than its frame"))?);
    check_shape(&bytes, false)?;
    let message = Message::decode(bytes)?;
    if message.r#type() == MessageType::MsgSnap {
        return Err(FrameError::Shape("snapshot"));
    }
    Ok(Some(message))
}

/// The `MsgSnap` at the beginning of a snapshot.
pub(super) fn snapshot_message(payload: Bytes) -> Result<Message, FrameError> {
    check_shape(&payload, true)?;
    let message = Message::decode(payload)?;
    if message.r#type() != MessageType::MsgSnap || !message.entries.is_empty() {
        return Err(FrameError::Shape("not a snapshot"));
    }
    Ok(message)
}

/// Refuses what would take much more memory than it has bytes.
fn check_shape(mut message: &[u8], snapshot: bool) -> Result<(), FrameError> {
    const ENTRIES: u32 = 7;
    const SNAPSHOT: u32 = 9;
    const RESPONSES: u32 = 14;
    let mut entries = 0;
    while !message.is_empty() {
        let (tag, wire_type) = decode_key(&mut message)?;
        match tag {
            ENTRIES => entries += 1,
            SNAPSHOT if !snapshot => return Err(FrameError::Shape("snapshot")),
            RESPONSES => return Err(FrameError::Shape("responses")),
            _ => {}
        }
        if entries > MAX_ENTRIES {
            return Err(FrameError::Shape("too many entries"));
        }
        skip_field(wire_type, tag, &mut message, DecodeContext::default())?;
    }
    Ok(())
}
