//! The JSON form of the messages, as etcd's gateway reads and writes it.
//!
//! Output is the proto3 mapping with proto field names, 64-bit integers as strings, bytes as padded base64 and zero
//! values left out. Input takes everything that Go's protojson takes: both spellings of a name, integers as numbers or
//! strings (`7`, `"7"`, `7.0`, `"7e0"`, exact in all 64 bits), four forms of base64, enums by name or number, `null` as
//! unset. Unknown fields and unknown enum names are ignored; a field given twice, or two members of a oneof, are refused.
//! An empty body is the empty message.
//!
//! Input is decoded by [`Reader`] through impls that the build script derives from the descriptors: one pass, no
//! intermediate tree, nesting bounded by [`MAX_DEPTH`], elements of lists by [`crate::bounds`]. Output goes through pbjson's
//! impls, except for the messages of the hot paths, which writers of their own render several times faster; tests hold the
//! two equal.

mod base64;
mod derived;
mod hot;
mod number;
mod reader;
mod splitter;
mod writer;

pub use hot::KeyValueRef;
pub use reader::{MAX_DEPTH, Reader};
pub use splitter::Splitter;

use crate::error::Error;

/// Why a body was not understood. The texts follow those of Go's decoder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The input ends inside a value.
    #[error("unexpected EOF")]
    UnexpectedEof,
    /// Not JSON, or not an object where a message is due.
    #[error("proto: syntax error (line {line}:{column}): {what}")]
    Syntax {
        /// Line of the offending token, from 1.
        line: usize,
        /// Column of the offending token in bytes, from 1.
        column: usize,
        /// What was found.
        what: Box<str>,
    },
    /// JSON, but nothing the message has room for.
    #[error("proto: (line {line}:{column}): {what}")]
    Value {
        /// Line of the offending token, from 1.
        line: usize,
        /// Column of the offending token in bytes, from 1.
        column: usize,
        /// What is wrong with it.
        what: Box<str>,
    },
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("proto: exceeded maximum recursion depth")]
    TooDeep,
    /// More elements than a request may have.
    #[error(transparent)]
    TooMany(#[from] Error),
    /// A message that has no JSON form: an enum number without a name, in an answer.
    #[error("proto: {0}")]
    Unwritable(Box<str>),
}

impl From<JsonError> for tonic::Status {
    fn from(error: JsonError) -> tonic::Status {
        match error {
            JsonError::Unwritable(_) => tonic::Status::internal(error.to_string()),
            JsonError::TooMany(error) => error.into(),
            JsonError::UnexpectedEof | JsonError::Syntax { .. } | JsonError::Value { .. } | JsonError::TooDeep => {
                tonic::Status::invalid_argument(error.to_string())
            }
        }
    }
}

/// A message that can be read from JSON. Implemented for every message with a JSON form, by the build script.
pub trait FromJson: Default {
    /// Reads one object.
    fn read(reader: &mut Reader<'_>) -> Result<Self, JsonError>;
}

/// A message that can be written as JSON: through pbjson, or by a writer of its own on the hot paths.
pub trait ToJson {
    /// Appends the message to `out`. Only an enum number without a name fails, and leaves `out` as it was.
    fn write(&self, out: &mut Vec<u8>) -> Result<(), JsonError>;
}

/// Reads the first value of a body. What follows it is ignored, as etcd does for unary calls; a blank body is the
/// empty message. Transactions in it may have any number of operations.
pub fn from_slice<T: FromJson>(body: &[u8]) -> Result<T, JsonError> {
    from_slice_within(body, usize::MAX)
}

/// The same, with at most `max_txn_ops` elements in any list of a transaction; see [`crate::bounds`].
pub fn from_slice_within<T: FromJson>(body: &[u8], max_txn_ops: usize) -> Result<T, JsonError> {
    from_slice_telling(body, max_txn_ops).map(|(message, _)| message)
}

/// The same, with the names of what was passed over; see [`Reader::into_passed_over`].
pub fn from_slice_telling<T: FromJson>(body: &[u8], max_txn_ops: usize) -> Result<(T, Vec<Box<str>>), JsonError> {
    let mut reader = Reader::within(body, max_txn_ops);
    let message = if reader.at_end() { T::default() } else { T::read(&mut reader)? };
    Ok((message, reader.into_passed_over()))
}

/// Reads the first of several concatenated values and says how many bytes it took; `None` if there is only white
/// space. [`JsonError::UnexpectedEof`] means that the value is not complete: where more may come, find the value's end
/// with a [`Splitter`] first instead of trying again and again.
pub fn first_from_slice<T: FromJson>(body: &[u8]) -> Result<Option<(T, usize)>, JsonError> {
    let mut reader = Reader::new(body);
    if reader.at_end() {
        return Ok(None);
    }
    let message = T::read(&mut reader)?;
    Ok(Some((message, reader.consumed())))
}

/// Writes a message into a buffer of its own.
pub fn to_vec<T: ToJson>(message: &T) -> Result<Vec<u8>, JsonError> {
    let mut out = Vec::with_capacity(128);
    message.write(&mut out)?;
    Ok(out)
}

/// How many bytes of JSON a message of so many bytes in protobuf can have in earnest: base64 makes it a third longer, and
/// there is room for white space and names around a small one.
pub const fn max_text_len(message_len: usize) -> usize {
    message_len.saturating_mul(2).saturating_add(64 * 1024)
}

#[cfg(test)]
mod tests;
