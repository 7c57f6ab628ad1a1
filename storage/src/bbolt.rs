//! bbolt files, in which etcd keeps its state: read and written by the bytes, without bbolt.
//!
//! Knows nothing of what the rows mean. A [`Writer`] makes a file in one pass, a [`Reader`] goes through one in the order
//! of names and keys, and believes nothing that it reads. [`layout`] has the bytes.

mod error;
pub mod layout;
mod read_at;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use error::{Damage, Damaged, ReadError, RowError, WriteError};
pub use read_at::{Counted, ReadAt};
pub use reader::{Bucket, Buckets, Reader, Row};
pub use writer::{Writer, Written};
