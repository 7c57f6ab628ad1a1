//! Walks over an encoded message and counts what its lists will have, without decoding it.
//!
//! It reads whatever prost reads. Where it cannot go on, prost cannot either, and has made no more of the message than
//! what was counted.

use super::{Elements, List, MAX_PARTS, Meter, Part, Shape};
use crate::error::Error;

/// How deep messages may be inside one another: prost refuses what is deeper than 100.
const MAX_DEPTH: usize = 101;

pub(super) fn scan(message: &[u8], shape: &Shape, meter: &mut Meter) -> Result<(), Error> {
    scan_message(message, shape, meter, MAX_DEPTH)
}

fn scan_message(message: &[u8], shape: &Shape, meter: &mut Meter, depth: usize) -> Result<(), Error> {
    let Some(depth) = depth.checked_sub(1) else { return Ok(()) };
    let outer = shape.transaction.then(|| meter.enter());
    let mut lists = [List::default(); MAX_PARTS];
    let mut fields = Fields { rest: message };
    while let Some((number, value)) = fields.next() {
        let part = shape.parts.iter().zip(&mut lists).find(|(part, _)| part.number == number);
        let Some((part, list)) = part else { continue };
        count(part, list, &value, shape.transaction, meter)?;
        if let (Some(shape), Value::Bytes(inside)) = (part.inside, value) {
            scan_message(inside, shape, meter, depth)?;
        }
    }
    if let Some(outer) = outer {
        meter.leave(outer);
    }
    Ok(())
}

fn count(part: &Part, list: &mut List, value: &Value<'_>, operations: bool, meter: &mut Meter) -> Result<(), Error> {
    match (part.elements, value) {
        (Elements::One, _) => Ok(()),
        // A number takes a byte at least.
        (Elements::Packed(size), Value::Bytes(packed)) => meter.add(list, packed.len(), size, operations),
        (Elements::Packed(size) | Elements::Each(size), _) => meter.add(list, 1, size, operations),
    }
}

/// What a field has: bytes with their length before them, or a number.
enum Value<'a> {
    Bytes(&'a [u8]),
    Number,
}

/// The fields of a message, one after the other, up to its end or to where it makes no sense.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn next(&mut self) -> Option<(u32, Value<'a>)> {
        // Groups are not in use: whatever is in one is passed over.
        let mut groups = 0usize;
        loop {
            let key = self.varint()?;
            let value = match key & 7 {
                0 => {
                    self.varint()?;
                    Value::Number
                }
                1 => self.take(8).map(|_| Value::Number)?,
                2 => {
                    let length = usize::try_from(self.varint()?).ok()?;
                    Value::Bytes(self.take(length)?)
                }
                3 => {
                    groups += 1;
                    continue;
                }
                4 => {
                    groups = groups.checked_sub(1)?;
                    continue;
                }
                5 => self.take(4).map(|_| Value::Number)?,
                _ => return None,
            };
            if groups == 0 {
                return Some((u32::try_from(key >> 3).ok()?, value));
            }
        }
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..70).step_by(7) {
            let (&byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            number |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }
}
