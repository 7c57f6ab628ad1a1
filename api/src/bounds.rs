//! How much a request may become when it is decoded.
//!
//! An element of a list can cost sixty times the bytes that say it: an empty operation takes two bytes in protobuf and
//! three in JSON, and more than a hundred in memory. So elements are counted while they are read, before there is room
//! for them, in two ways:
//!
//! - **Operations.** No list of a transaction may have more elements than the caller allows; a nested one has what its
//!   parent left. What is refused here would be refused by the service as well, and in the same words.
//! - **Memory.** All lists of a request together may take [`WIRE_FACTOR`] times the bytes that it has in protobuf,
//!   [`JSON_FACTOR`] times those that it has in JSON, and [`FLOOR`] in any case. Transactions with keys and values in
//!   them stay below that, however short these are.
//!
//! The JSON reader counts as it goes. Protobuf is decoded by prost, which knows no such bound: [`check`] walks over the
//! encoded message first, without decoding it, and only where it is long enough to matter.

mod wire;

use crate::error::Error;

/// Bytes of memory that the lists of a request may take for each of its bytes in protobuf.
pub const WIRE_FACTOR: usize = 32;
/// Bytes of memory that the lists of a request may take for each of its bytes in JSON, of which the same request has more
/// than twice as many.
pub const JSON_FACTOR: usize = 16;
/// Bytes of memory that the lists of a request may take however short it is.
pub const FLOOR: usize = 512 * 1024;
/// Messages up to this many bytes cannot become large, and are not looked at before they are decoded.
pub const SMALL: usize = 4 * 1024;

/// Bytes that a message may have beyond those of a request: room for what is around it. etcd's number.
const MESSAGE_OVERHEAD: usize = 512 * 1024;

/// The bytes of the largest message where requests may have `max_request_bytes` (`--max-request-bytes`): what is received
/// from clients, by whatever face, in its protobuf form, and what a watcher who can take fragments is sent in one.
pub const fn max_message_bytes(max_request_bytes: usize) -> usize {
    max_request_bytes.saturating_add(MESSAGE_OVERHEAD)
}

/// A message that is the request or the answer of a call. Implemented by the build script.
pub trait Bounded {
    /// Where the message has lists. `None` if it has none, or if it is an answer: clients believe their server.
    const SHAPE: Option<&'static Shape>;
}

/// Where a message has lists: of all its fields those that are lists, or lead to some.
#[derive(Debug)]
pub struct Shape {
    /// Lists are of operations, and counted as such.
    transaction: bool,
    parts: &'static [Part],
}

/// A field of a [`Shape`].
#[derive(Debug)]
struct Part {
    number: u32,
    elements: Elements,
    /// What the message that is the field, or each element of it, has itself.
    inside: Option<&'static Shape>,
}

/// What there may be many of in a field, with the bytes of memory that each of them takes.
#[derive(Clone, Copy, Debug)]
enum Elements {
    /// It is no list.
    One,
    /// Messages, strings, bytes.
    Each(usize),
    /// Numbers, one by one or packed together.
    Packed(usize),
}

/// Lists in a message at most. The build script holds messages to it.
const MAX_PARTS: usize = 8;

include!(concat!(env!("OUT_DIR"), "/bounds.rs"));

/// Looks at an encoded request before it is decoded.
///
/// # Errors
/// [`Error::TooManyOps`] if a list of a transaction is longer than `max_txn_ops`, or takes too much memory;
/// [`Error::RequestTooLarge`] if other lists do. Bytes that are no such message are let through, for the decoder to
/// refuse; it gets no further than this did.
pub fn check<T: Bounded>(message: &[u8], max_txn_ops: usize) -> Result<(), Error> {
    match T::SHAPE {
        Some(shape) if message.len() > SMALL => {
            let mut meter = Meter::new(message.len().saturating_mul(WIRE_FACTOR), max_txn_ops);
            wire::scan(message, shape, &mut meter)
        }
        _ => Ok(()),
    }
}

/// Counts what is read of one request.
#[derive(Debug)]
pub(crate) struct Meter {
    /// Bytes of memory that lists may still take.
    left: usize,
    level: Level,
}

/// How far a transaction has been counted, while one inside it is.
#[derive(Clone, Copy, Debug)]
pub struct Level {
    /// Operations that a list of it may have.
    max: usize,
    /// The most that one of its lists has so far.
    used: usize,
}

/// A list that is being read: its elements, and the room that it has for them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct List {
    len: usize,
    room: usize,
}

impl Meter {
    /// For a request whose lists may take `memory`, or [`FLOOR`].
    pub(crate) fn new(memory: usize, max_txn_ops: usize) -> Meter {
        Meter { left: memory.max(FLOOR), level: Level { max: max_txn_ops, used: 0 } }
    }

    /// Begins a transaction inside the current one, which [`Meter::leave`] goes back to.
    pub(crate) fn enter(&mut self) -> Level {
        let outer = self.level;
        // The parent may turn out to have more operations, and leave even less: the service sees to that.
        self.level = Level { max: outer.max.saturating_sub(outer.used), used: 0 };
        outer
    }

    pub(crate) fn leave(&mut self, outer: Level) {
        self.level = outer;
    }

    /// Counts elements of a list before there is room for them, each of `size` bytes in memory.
    pub(crate) fn add(&mut self, list: &mut List, count: usize, size: usize, operations: bool) -> Result<(), Error> {
        list.len = list.len.saturating_add(count);
        if operations {
            if list.len > self.level.max {
                return Err(Error::TooManyOps);
            }
            self.level.used = self.level.used.max(list.len);
        }
        while list.len > list.room {
            // As a `Vec` grows.
            let more = list.room.max(4);
            list.room += more;
            let excess = if operations { Error::TooManyOps } else { Error::RequestTooLarge };
            self.left = self.left.checked_sub(more.saturating_mul(size)).ok_or(excess)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
