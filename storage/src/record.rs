//! One version of one key, kept as the bytes that go to disk and to clients.

use std::cell::RefCell;
use std::fmt;

use bytes::{Buf, BufMut, Bytes};
use keyport_api::mvccpb::KeyValue;
use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};
use thiserror::Error;
use triomphe::ThinArc;

/// An immutable, shared `mvccpb.KeyValue` in its encoded form: one allocation and one pointer for each version.
///
/// The same bytes are the row in the backend, the element of a range response and the body of a watch event.
/// Cloning counts a reference. Nothing is kept beside the bytes (a million of these are in memory): the fields
/// are found again by walking the few bytes between them.
#[derive(Clone)]
pub struct Record(ThinArc<(), u8>);

/// Of a [`Record`] what is always in memory: its key and its numbers. There may be a value or not.
#[derive(Clone, Debug)]
pub struct Outline(pub(crate) Record);

impl Outline {
    pub fn key(&self) -> &[u8] {
        self.0.key()
    }

    pub fn versions(&self) -> Versions {
        self.0.versions()
    }

    pub fn lease(&self) -> i64 {
        self.0.lease()
    }
}

/// The numbers of a [`Record`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    pub create_revision: i64,
    pub mod_revision: i64,
    pub version: i64,
    pub lease: i64,
}

/// These bytes are no `KeyValue`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not an encoded KeyValue")]
pub struct RecordError;

const KEY: u32 = 1;
const CREATE_REVISION: u32 = 2;
const MOD_REVISION: u32 = 3;
const VERSION: u32 = 4;
const VALUE: u32 = 5;
const LEASE: u32 = 6;
/// In outlines alone, which go to nobody as they are, and there in front of all others: how long the value is.
const VALUE_LEN: u32 = 7;

/// What the scratch buffer may keep between two records.
const SCRATCH_BYTES: usize = 64 * 1024;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Record {
    /// A live version of a key.
    pub fn new(key: &[u8], value: &[u8], versions: Versions) -> Record {
        SCRATCH.with_borrow_mut(|buffer| {
            buffer.clear();
            put_bytes(buffer, KEY, key);
            put_number(buffer, CREATE_REVISION, versions.create_revision);
            put_number(buffer, MOD_REVISION, versions.mod_revision);
            put_number(buffer, VERSION, versions.version);
            put_bytes(buffer, VALUE, value);
            put_number(buffer, LEASE, versions.lease);
            let record = Record::from_bytes(buffer);
            if buffer.capacity() > SCRATCH_BYTES {
                *buffer = Vec::new();
            }
            record
        })
    }

    /// What a DELETE event shows: the key and the revision that removed it.
    pub fn deletion(key: &[u8], mod_revision: i64) -> Record {
        Record::new(key, &[], Versions { mod_revision, ..Versions::default() })
    }

    /// What the backend holds for a deletion: the key alone.
    pub fn tombstone(key: &[u8]) -> Record {
        Record::new(key, &[], Versions::default())
    }

    /// The same without the value, but with its length.
    pub(crate) fn outline(&self) -> Record {
        with_outline(self.encoded(), Record::from_bytes)
    }

    /// Takes over a row of our own file: a whole record, or an outline.
    ///
    /// # Errors
    /// When the bytes are neither.
    pub(crate) fn decode_row(encoded: &[u8]) -> Result<Record, RecordError> {
        walk(encoded, |_, _, _| true)?;
        Ok(Record::from_bytes(encoded))
    }

    /// Whether it is an outline.
    pub(crate) fn is_outline(&self) -> bool {
        is_outline(self.encoded())
    }

    pub fn from_message(kv: &KeyValue) -> Record {
        Record::from_bytes(&kv.encode_to_vec())
    }

    /// Takes over an encoded message, whoever wrote it; the bytes are kept as they are.
    ///
    /// # Errors
    /// When the bytes are not a `KeyValue`.
    pub fn decode(encoded: &[u8]) -> Result<Record, RecordError> {
        Record::check(encoded)?;
        Ok(Record::from_bytes(encoded))
    }

    /// Says whether [`Record::decode`] would take it.
    pub(crate) fn check(encoded: &[u8]) -> Result<(), RecordError> {
        let mut is_outline = false;
        walk(encoded, |tag, _, _| {
            is_outline |= tag == VALUE_LEN;
            true
        })?;
        // Whoever else writes one has no value to it.
        if is_outline { Err(RecordError) } else { Ok(()) }
    }

    fn from_bytes(encoded: &[u8]) -> Record {
        Record(ThinArc::from_header_and_slice((), encoded))
    }

    /// The `mvccpb.KeyValue` message.
    pub fn encoded(&self) -> &[u8] {
        &self.0.slice
    }

    pub fn key(&self) -> &[u8] {
        key_of(self.encoded())
    }

    pub fn value(&self) -> &[u8] {
        bytes_field(self.encoded(), VALUE)
    }

    /// Of an outline, too.
    pub fn value_len(&self) -> usize {
        value_len(self.encoded())
    }

    pub fn versions(&self) -> Versions {
        let mut versions = Versions::default();
        // The constructors walked the same bytes without an error.
        let _ = walk(self.encoded(), |tag, number, _| {
            match tag {
                CREATE_REVISION => versions.create_revision = number.cast_signed(),
                MOD_REVISION => versions.mod_revision = number.cast_signed(),
                VERSION => versions.version = number.cast_signed(),
                LEASE => versions.lease = number.cast_signed(),
                _ => {}
            }
            true
        });
        versions
    }

    /// Whether this is the first version of its key, also of one that was deleted before, be it in the same revision.
    pub fn is_creation(&self) -> bool {
        self.versions().version == 1
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

/// The key of an encoded `KeyValue`; empty if it has none.
pub(crate) fn key_of(encoded: &[u8]) -> &[u8] {
    bytes_field(encoded, KEY)
}

/// The length of the value of an encoded `KeyValue`, or of an outline.
pub(crate) fn value_len(encoded: &[u8]) -> usize {
    let mut len = 0;
    // The constructors walked the same bytes without an error.
    let _ = walk(encoded, |tag, number, _| {
        if matches!(tag, VALUE | VALUE_LEN) {
            len = usize::try_from(number).unwrap_or(usize::MAX);
        }
        len == 0
    });
    len
}

/// Whether this is an encoded outline: by its first byte, as every reader of a key asks.
pub(crate) fn is_outline(encoded: &[u8]) -> bool {
    encoded.first().is_some_and(|first| u32::from(*first) == VALUE_LEN << 3 | WireType::Varint as u32)
}

/// Calls `with` with the outline of an encoded `KeyValue`, encoded.
pub(crate) fn with_outline<T>(encoded: &[u8], with: impl FnOnce(&[u8]) -> T) -> T {
    SCRATCH.with_borrow_mut(|buffer| {
        buffer.clear();
        put_number(buffer, VALUE_LEN, i64::try_from(value_len(encoded)).unwrap_or(i64::MAX));
        // The constructors walked the same bytes without an error.
        let _ = walk(encoded, |tag, number, at| {
            match tag {
                KEY => put_bytes(buffer, KEY, slice(encoded, at, number)),
                VALUE | VALUE_LEN => {}
                tag => put_number(buffer, tag, number.cast_signed()),
            }
            true
        });
        with(buffer)
    })
}

fn slice(encoded: &[u8], at: usize, len: u64) -> &[u8] {
    usize::try_from(len).ok().and_then(|len| encoded.get(at..)?.get(..len)).unwrap_or_default()
}

fn put_bytes(buffer: &mut Vec<u8>, tag: u32, bytes: &[u8]) {
    if !bytes.is_empty() {
        encode_key(tag, WireType::LengthDelimited, buffer);
        encode_varint(bytes.len() as u64, buffer);
        buffer.put_slice(bytes);
    }
}

fn put_number(buffer: &mut Vec<u8>, tag: u32, number: i64) {
    if number != 0 {
        encode_key(tag, WireType::Varint, buffer);
        encode_varint(number.cast_unsigned(), buffer);
    }
}

fn bytes_field(encoded: &[u8], wanted: u32) -> &[u8] {
    let mut found: &[u8] = &[];
    // The constructors walked the same bytes without an error. Of a repeated field the last one counts, but no
    // field that is wanted here comes twice in what any server writes.
    let _ = walk(encoded, |tag, len, at| {
        if tag == wanted {
            found = slice(encoded, at, len);
        }
        tag != wanted
    });
    found
}

/// Calls `field(tag, number or length, offset)` for each field of an encoded `KeyValue` until it returns false.
#[inline]
fn walk(encoded: &[u8], mut field: impl FnMut(u32, u64, usize) -> bool) -> Result<(), RecordError> {
    let mut rest = encoded;
    while rest.has_remaining() {
        let (tag, wire_type) = decode_key(&mut rest).map_err(|_| RecordError)?;
        let number = decode_varint(&mut rest).map_err(|_| RecordError)?;
        let at = encoded.len() - rest.len();
        let expected = if matches!(tag, KEY | VALUE) { WireType::LengthDelimited } else { WireType::Varint };
        if wire_type != expected {
            return Err(RecordError);
        }
        if !field(tag, number, at) {
            return Ok(());
        }
        if wire_type == WireType::LengthDelimited {
            if number > rest.len() as u64 {
                return Err(RecordError);
            }
            rest = &rest[usize::try_from(number).unwrap_or(usize::MAX)..];
        }
    }
    Ok(())
}
