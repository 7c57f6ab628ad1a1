//! A large answer as it goes out: what is written already, and keys that are written when their turn comes.
//!
//! Records are shared with the store, so an answer of millions of keys takes little more memory than their pointers, and
//! is written as fast as the client takes it. A small one is written at once, into one buffer.

use std::collections::VecDeque;
use std::{mem, vec};

use bytes::Bytes;
use keyport_storage::Record;

use crate::bulk::Bulk;

/// A large answer is written in pieces of about this many bytes.
pub(super) const PIECE_BYTES: usize = 64 * 1024;

/// Writes a record as an element of a list, which is the field of this number; `more` come behind it.
pub(super) type Form = fn(field: u32, record: &Record, more: bool, to: &mut Vec<u8>);

/// An answer that is being laid out, from its beginning to its end.
#[derive(Debug)]
pub(super) struct Draft {
    form: Form,
    /// What comes in front of `written`; none where records are written at once.
    parts: Option<VecDeque<Part>>,
    written: Vec<u8>,
}

#[derive(Debug)]
enum Part {
    Written(Vec<u8>),
    Records { field: u32, rest: vec::IntoIter<Record> },
}

/// What a [`Draft`] becomes.
#[derive(Debug)]
pub(super) enum Laid {
    Whole(Bytes),
    InPieces(Pieces),
}

/// The rest of a large answer.
#[derive(Debug)]
pub(super) struct Pieces {
    form: Form,
    parts: VecDeque<Part>,
    /// Where what nobody wants any more is dropped.
    bulk: Bulk,
}

impl Draft {
    /// An answer that has about this many bytes.
    pub(super) fn whole(form: Form, bytes: usize) -> Draft {
        Draft { form, parts: None, written: Vec::with_capacity(bytes) }
    }

    /// An answer whose records are written when their turn comes.
    pub(super) fn in_pieces(form: Form) -> Draft {
        Draft { form, parts: Some(VecDeque::new()), written: Vec::new() }
    }

    /// Where what comes next is to be written.
    pub(super) fn text(&mut self) -> &mut Vec<u8> {
        &mut self.written
    }

    /// The elements of the list that is the field of this number.
    pub(super) fn records(&mut self, field: u32, records: impl IntoIterator<IntoIter = vec::IntoIter<Record>>) {
        let mut rest = records.into_iter();
        let Some(parts) = &mut self.parts else {
            while let Some(record) = rest.next() {
                (self.form)(field, &record, rest.len() > 0, &mut self.written);
            }
            return;
        };
        if rest.len() > 0 {
            parts.push_back(Part::Written(mem::take(&mut self.written)));
            parts.push_back(Part::Records { field, rest });
        }
    }

    /// `bulk` is where what is left of it is dropped when nobody wants it any more.
    pub(super) fn finish(self, bulk: &Bulk) -> Laid {
        let Draft { form, parts, written } = self;
        let Some(mut parts) = parts else { return Laid::Whole(written.into()) };
        if !written.is_empty() {
            parts.push_back(Part::Written(written));
        }
        Laid::InPieces(Pieces { form, parts, bulk: bulk.clone() })
    }
}

impl Pieces {
    /// The next piece, and whether it is the last.
    pub(super) fn next(&mut self) -> (Bytes, bool) {
        let mut piece = Vec::with_capacity(PIECE_BYTES + PIECE_BYTES / 4);
        while piece.len() < PIECE_BYTES {
            let done = match self.parts.front_mut() {
                None => break,
                Some(Part::Written(written)) => {
                    piece.append(written);
                    true
                }
                Some(Part::Records { field, rest }) => {
                    if let Some(record) = rest.next() {
                        (self.form)(*field, &record, rest.len() > 0, &mut piece);
                    }
                    rest.len() == 0
                }
            };
            if done {
                self.parts.pop_front();
            }
        }
        (piece.into(), self.parts.is_empty())
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        for part in self.parts.drain(..) {
            if let Part::Records { rest, .. } = part {
                self.bulk.discard(rest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyport_storage::Versions;
    use prometheus::IntCounter;

    const FORM: Form = |field, record, more, to| {
        to.extend_from_slice(record.value());
        to.extend_from_slice(if more { b"," } else { b";" });
        assert_eq!(field, 3);
    };

    /// Where a reader stops, nothing is written; and no piece is much larger than it is meant to be.
    #[test]
    fn records_are_written_when_their_turn_comes() {
        let value = vec![b'v'; PIECE_BYTES / 4 - 1];
        let record = Record::new(b"k", &value, Versions::default());
        let bulk = Bulk::start(IntCounter::new("done", "done").unwrap()).unwrap();
        let mut draft = Draft::in_pieces(FORM);
        draft.text().extend_from_slice(b"begin:");
        draft.records(3, vec![record.clone(); 5]);
        draft.records(3, Vec::new());
        draft.records(3, vec![record.clone()]);
        draft.text().extend_from_slice(b"end");
        let Laid::InPieces(mut pieces) = draft.finish(&bulk) else { panic!("it was to be in pieces") };
        let one = String::from_utf8(value).unwrap();
        let (first, last) = pieces.next();
        assert_eq!(String::from_utf8(first.into()).unwrap(), format!("begin:{one},{one},{one},{one},"));
        assert!(!last);
        assert!(matches!(pieces.parts.front(), Some(Part::Records { rest, .. }) if rest.len() == 1));
        let (second, last) = pieces.next();
        assert_eq!(String::from_utf8(second.into()).unwrap(), format!("{one};{one};end"));
        assert!(last);
    }
}
