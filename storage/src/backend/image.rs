//! The whole database as a stream of bytes, from one member to another.
//!
//! Not the file: its rows. The reader needs no copy of the database, the writer builds a dense one, and neither
//! depends on how the other's pages lie. The stream is cut into chunks of whole items, so that each can be understood
//! when it comes in. Numbers are big-endian.
//!
//! ```text
//! head    "keyport", encoding version: u8 = 1, schema version: u64
//! bucket  0x01, length: u8, name         the rows that follow are in this one
//! row     0x02, key length: u32, value length: u32, key, value
//! end     0x03, number of rows: u64
//! ```
//!
//! The head is in front of the first chunk, the end at the end of the last one. Buckets come in the order of
//! [`Bucket::ALL`], all of them, and the rows of one in the order of their keys.

mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use reader::ImageReader;
pub use writer::ImageWriter;

/// Chunks are no larger than this, unless one row is.
const CHUNK_BYTES: usize = 1 << 20;

const MAGIC: &[u8] = b"keyport";
const ENCODING_VERSION: u8 = 1;

const BUCKET: u8 = 1;
const ROW: u8 = 2;
const END: u8 = 3;
