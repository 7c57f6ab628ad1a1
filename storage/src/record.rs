//! One version of one key, kept as the bytes that go to disk and to clients.

use std::fmt;

use bytes::{Buf, Bytes};
use keyport_api::mvccpb::KeyValue;
use prost::encoding::{WireType, decode_key, decode_varint};
use prost::{DecodeError, Message};
use triomphe::ThinArc;

/// An immutable, shared `mvccpb.KeyValue` in its encoded form: one allocation and one pointer for each version.
///
/// The same bytes are the row in the backend, the element of a range response and the body of a watch event.
/// Cloning counts a reference.
#[derive(Clone)]
pub struct Record(ThinArc<Spans, u8>);

/// Where the two long fields are. The key comes first in what is written here, so its start is implied by its end.
#[derive(Clone, Copy, Default)]
struct Spans {
    key_at: u16,
    key_len: u32,
    value_at: u32,
    value_len: u32,
}

/// The numbers of a [`Record`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    pub create_revision: i64,
    pub mod_revision: i64,
    pub version: i64,
    pub lease: i64,
}

impl Record {
    /// A live version of a key.
    pub fn new(key: &[u8], value: &[u8], versions: Versions) -> Record {
        let kv = KeyValue {
            key: Bytes::copy_from_slice(key),
            value: Bytes::copy_from_slice(value),
            create_revision: versions.create_revision,
            mod_revision: versions.mod_revision,
            version: versions.version,
            lease: versions.lease,
        };
        Record::from_message(&kv)
    }

    /// What a DELETE event shows: the key and the revision that removed it.
    pub fn deletion(key: &[u8], mod_revision: i64) -> Record {
        Record::new(key, &[], Versions { mod_revision, ..Versions::default() })
    }

    pub fn from_message(kv: &KeyValue) -> Record {
        let encoded = kv.encode_to_vec();
        let spans = Spans::find(&encoded).unwrap_or_default();
        Record(ThinArc::from_header_and_slice(spans, &encoded))
    }

    /// Takes over an encoded message, whoever wrote it; the bytes are kept as they are.
    ///
    /// # Errors
    /// When the bytes are not a `KeyValue`.
    pub fn decode(encoded: &[u8]) -> Result<Record, DecodeError> {
        let spans = Spans::find(encoded)?;
        Ok(Record(ThinArc::from_header_and_slice(spans, encoded)))
    }

    /// The `mvccpb.KeyValue` message.
    pub fn encoded(&self) -> &[u8] {
        &self.0.slice
    }

    pub fn key(&self) -> &[u8] {
        let spans = &self.0.header.header;
        span(&self.0.slice, u32::from(spans.key_at), spans.key_len)
    }

    pub fn value(&self) -> &[u8] {
        let spans = &self.0.header.header;
        span(&self.0.slice, spans.value_at, spans.value_len)
    }

    pub fn versions(&self) -> Versions {
        let mut versions = Versions::default();
        // The constructors walked the same bytes without an error.
        let _ = walk(self.encoded(), |tag, number, _| match tag {
            2 => versions.create_revision = number.cast_signed(),
            3 => versions.mod_revision = number.cast_signed(),
            4 => versions.version = number.cast_signed(),
            6 => versions.lease = number.cast_signed(),
            _ => {}
        });
        versions
    }

    pub fn mod_revision(&self) -> i64 {
        self.versions().mod_revision
    }

    pub fn lease(&self) -> i64 {
        self.versions().lease
    }

    pub fn to_message(&self) -> KeyValue {
        let Versions { create_revision, mod_revision, version, lease } = self.versions();
        KeyValue {
            key: Bytes::copy_from_slice(self.key()),
            value: Bytes::copy_from_slice(self.value()),
            create_revision,
            mod_revision,
            version,
            lease,
        }
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_message().fmt(f)
    }
}

impl PartialEq for Record {
    fn eq(&self, other: &Record) -> bool {
        self.encoded() == other.encoded()
    }
}

impl Spans {
    fn find(encoded: &[u8]) -> Result<Spans, DecodeError> {
        let mut spans = Spans::default();
        walk(encoded, |tag, len, at| {
            let len = u32::try_from(len).unwrap_or(u32::MAX);
            match tag {
                1 => (spans.key_at, spans.key_len) = (u16::try_from(at).unwrap_or(u16::MAX), len),
                5 => (spans.value_at, spans.value_len) = (u32::try_from(at).unwrap_or(u32::MAX), len),
                _ => {}
            }
        })?;
        Ok(spans)
    }
}

fn span(bytes: &[u8], at: u32, len: u32) -> &[u8] {
    let at = at as usize;
    bytes.get(at..at + len as usize).unwrap_or_default()
}

/// Calls `field(tag, number or length, offset)` for each field of an encoded `KeyValue`.
fn walk(encoded: &[u8], mut field: impl FnMut(u32, u64, usize)) -> Result<(), DecodeError> {
    let mut rest = encoded;
    while rest.has_remaining() {
        let (tag, wire_type) = decode_key(&mut rest)?;
        let number = decode_varint(&mut rest)?;
        let at = encoded.len() - rest.len();
        field(tag, number, at);
        match wire_type {
            WireType::Varint => {}
            WireType::LengthDelimited if number <= rest.len() as u64 => rest = &rest[number as usize..],
            _ => return Err(DecodeError::new("not a KeyValue: a field of another type, or longer than the message")),
        }
    }
    Ok(())
}
