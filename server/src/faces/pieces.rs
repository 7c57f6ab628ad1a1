//! A large answer as it goes out: what is written already, and keys that are written when their turn comes.
//!
//! Records are shared with the store, so an answer of millions of keys takes little more memory than their pointers, and
//! is written as fast as the client takes it. A small one is written at once, into one buffer. A record that is larger than a
//! piece stays the store's, however many wait for it: it goes out as it is, or its value is written a piece at a time.

use std::collections::VecDeque;
use std::{mem, vec};

use base64_simd::STANDARD;
use bytes::Bytes;
use keyport_storage::Record;

use crate::bulk::Bulk;

/// A large answer is written in pieces of about this many bytes.
pub(super) const PIECE_BYTES: usize = 64 * 1024;

/// How records are elements of a list, which is the field of a number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    /// Writes one; `more` come behind it.
    pub(super) write: fn(field: u32, record: &Record, more: bool, to: &mut Vec<u8>),
    /// How one goes out that is larger than a piece.
    pub(super) large: Large,
}

/// See [`Form`].
#[derive(Clone, Copy, Debug)]
pub(super) enum Large {
    /// In its encoded form, as it is; `head` writes what stands before that.
    AsItIs { head: fn(field: u32, record: &Record, to: &mut Vec<u8>) },
    /// With its value in base64, between what these two write.
    InBase64 { head: fn(record: &Record, to: &mut Vec<u8>), tail: fn(record: &Record, more: bool, to: &mut Vec<u8>) },
}

/// What of a value is written at once as base64: without padding but for its end.
const VALUE_BYTES: usize = PIECE_BYTES / 4 * 3;

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
    Records {
        field: u32,
        rest: vec::IntoIter<Record>,
    },
    /// A record as it is.
    Shared(Bytes),
    /// What is left of a record's value, from this byte on.
    Value {
        record: Record,
        from: usize,
        more: bool,
    },
}

/// A record's encoded form, which it keeps alive.
struct Encoded(Record);

impl AsRef<[u8]> for Encoded {
    fn as_ref(&self) -> &[u8] {
        self.0.encoded()
    }
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
                (self.form.write)(field, &record, rest.len() > 0, &mut self.written);
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
        if let Some(Part::Shared(_)) = self.parts.front()
            && let Some(Part::Shared(bytes)) = self.parts.pop_front()
        {
            return (bytes, self.parts.is_empty());
        }
        let mut piece = Vec::with_capacity(PIECE_BYTES + PIECE_BYTES / 4);
        while piece.len() < PIECE_BYTES {
            let Some(part) = self.parts.pop_front() else { break };
            match part {
                Part::Written(mut written) => piece.append(&mut written),
                Part::Records { field, mut rest } => {
                    let mut large = None;
                    while large.is_none()
                        && piece.len() < PIECE_BYTES
                        && let Some(record) = rest.next()
                    {
                        large = self.put(field, record, rest.len() > 0, &mut piece);
                    }
                    if rest.len() > 0 {
                        self.parts.push_front(Part::Records { field, rest });
                    }
                    if let Some(large) = large {
                        self.parts.push_front(large);
                    }
                }
                Part::Value { record, from, more } => {
                    let rest = record.value().get(from..).unwrap_or_default();
                    let now = rest.get(..VALUE_BYTES).unwrap_or(rest);
                    STANDARD.encode_append(now, &mut piece);
                    let (from, is_last) = (from + now.len(), now.len() == rest.len());
                    if !is_last {
                        self.parts.push_front(Part::Value { record, from, more });
                    } else if let Large::InBase64 { tail, .. } = self.form.large {
                        tail(&record, more, &mut piece);
                    }
                }
                // A piece of its own.
                Part::Shared(_) => {
                    self.parts.push_front(part);
                    break;
                }
            }
        }
        (piece.into(), self.parts.is_empty())
    }

    /// Writes a record, or as much of it as comes before what is left to be written.
    fn put(&self, field: u32, record: Record, more: bool, piece: &mut Vec<u8>) -> Option<Part> {
        match self.form.large {
            Large::AsItIs { head } if record.encoded().len() > PIECE_BYTES => {
                head(field, &record, piece);
                Some(Part::Shared(Bytes::from_owner(Encoded(record))))
            }
            Large::InBase64 { head, .. } if record.value().len() > PIECE_BYTES => {
                head(&record, piece);
                Some(Part::Value { record, from: 0, more })
            }
            Large::AsItIs { .. } | Large::InBase64 { .. } => {
                (self.form.write)(field, &record, more, piece);
                None
            }
        }
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

    const FORM: Form = Form {
        write: |field, record, more, to| {
            to.extend_from_slice(record.value());
            to.extend_from_slice(if more { b"," } else { b";" });
            assert_eq!(field, 3);
        },
        large: Large::InBase64 { head: |_, to| to.push(b'"'), tail: |_, _, to| to.push(b'"') },
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

    /// Whoever does not read a large value keeps nobody's memory but the store's.
    #[test]
    fn what_is_larger_than_a_piece_is_shared() {
        let (small, large) = (vec![b's'; 10], vec![b'l'; 2 * PIECE_BYTES]);
        let records = [&small, &large, &small, &large].map(|value| Record::new(b"k", value, Versions::default()));
        let bulk = Bulk::start(IntCounter::new("done", "done").unwrap()).unwrap();
        let form = Form {
            write: |_, record, _, to| to.extend_from_slice(record.encoded()),
            large: Large::AsItIs { head: |_, _, to| to.push(b':') },
        };
        let mut draft = Draft::in_pieces(form);
        draft.records(3, records.to_vec());
        draft.text().extend_from_slice(b"end");
        let Laid::InPieces(mut pieces) = draft.finish(&bulk) else { panic!("it was to be in pieces") };
        let of = |index: usize| records[index].encoded();
        let expected = [&[of(0), b":"].concat(), of(1), &[of(2), b":"].concat(), of(3), b"end"];
        for (at, expected) in expected.into_iter().enumerate() {
            let (piece, last) = pieces.next();
            assert_eq!((&*piece, last), (expected, at == 4), "{at}");
            if at % 2 == 1 {
                assert_eq!(piece.as_ptr(), expected.as_ptr(), "not copied");
            }
        }
    }

    #[test]
    fn a_large_value_is_written_a_piece_at_a_time() {
        for length in [2 * PIECE_BYTES, 2 * VALUE_BYTES, 2 * VALUE_BYTES + 1, 5 * VALUE_BYTES - 1] {
            let value: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let record = Record::new(b"k", &value, Versions::default());
            let bulk = Bulk::start(IntCounter::new("done", "done").unwrap()).unwrap();
            let mut draft = Draft::in_pieces(FORM);
            draft.records(3, vec![record.clone(), record]);
            draft.text().extend_from_slice(b"end");
            let Laid::InPieces(mut pieces) = draft.finish(&bulk) else { panic!("it was to be in pieces") };
            let (mut all, mut last) = (Vec::new(), false);
            while !last {
                let piece;
                (piece, last) = pieces.next();
                assert!(piece.len() <= 2 * PIECE_BYTES + 10, "{}", piece.len());
                all.extend_from_slice(&piece);
            }
            let text = STANDARD.encode_to_string(&value);
            assert!(String::from_utf8(all).unwrap() == format!("\"{text}\"\"{text}\"end"), "{length}");
        }
    }
}
