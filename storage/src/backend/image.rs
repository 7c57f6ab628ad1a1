//! The whole database as a stream of bytes, from one member to another.
//!
//! Not the file: its rows. The reader needs no copy of the database, the writer builds a dense one, and neither
//! depends on how the other's pages lie. Numbers are big-endian.
//!
//! ```text
//! head    "keyport", encoding version: u8 = 1, version of the rows: u64 = 1
//! bucket  0x01, length: u8, name         the rows that follow are in this one
//! row     0x02, key length: u32, value length: u32, key, value
//! end     0x03, number of rows: u64
//! ```
//!
//! Buckets come in the order of [`super::Bucket::ALL`], all of them, and the rows of one in the order of their keys.
//! The stream is cut into chunks: between two items where that is possible, in the middle of a row that is longer than
//! a chunk. Whoever puts it together relies on neither.

mod items;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use reader::ImageReader;
pub use writer::ImageWriter;

/// Chunks are no larger than this.
const CHUNK_BYTES: usize = 1 << 20;

const MAGIC: &[u8] = b"keyport";
const ENCODING_VERSION: u8 = 1;

/// What is in a row, whatever tables of the file it is in: members of different releases send each other their state.
const ROWS_VERSION: u64 = 1;

/// A row that says it is longer is refused: no request, and so no value, is as long as this. Memory is taken for
/// what has come, not for what is said to come.
const MAX_ROW_BYTES: usize = 2 << 30;

const BUCKET: u8 = 1;
const ROW: u8 = 2;
const END: u8 = 3;
