//! The answers that have keys, as protobuf, written from the store's records.

use std::vec;

use bytes::BufMut;
use keyport_api::etcdserverpb::ResponseHeader;
use keyport_storage::Record;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

use crate::calls::{DeleteReply, OpReply, PutReply, RangeReply, Reply, TxnReply, inner_header};
use crate::faces::pieces::{Draft, Form, Large};

/// The tag that every answer has its header under.
const HEADER: u32 = 1;

// `RangeResponse`.
const KVS: u32 = 2;
const MORE: u32 = 3;
const COUNT: u32 = 4;

// `PutResponse`.
const PREV_KV: u32 = 2;

// `DeleteRangeResponse`.
const DELETED: u32 = 2;
const PREV_KVS: u32 = 3;

// `TxnResponse`.
const SUCCEEDED: u32 = 2;
const RESPONSES: u32 = 3;

// `ResponseOp`.
const RESPONSE_RANGE: u32 = 1;
const RESPONSE_PUT: u32 = 2;
const RESPONSE_DELETE_RANGE: u32 = 3;
const RESPONSE_TXN: u32 = 4;

/// What is written as a message with a header.
pub(super) trait Encode: Reply {
    /// Bytes of what [`Encode::write`] writes.
    fn len(&self, header: &ResponseHeader) -> usize;

    fn write(self, header: &ResponseHeader, to: &mut Draft);
}

/// An element of a list is a record as it is, behind its tag and length.
pub(super) const RECORDS: Form = Form { write: put_record, large: Large::AsItIs { head: put_record_head } };

fn put_record(field: u32, record: &Record, _more: bool, to: &mut Vec<u8>) {
    put_record_head(field, record, to);
    to.put_slice(record.encoded());
}

fn put_record_head(field: u32, record: &Record, to: &mut Vec<u8>) {
    put_prefix(field, record.encoded().len(), to);
}

impl Encode for RangeReply {
    fn len(&self, header: &ResponseHeader) -> usize {
        header_len(header) + records_len(&self.records) + flag_len(self.more) + number_len(self.count)
    }

    fn write(self, header: &ResponseHeader, to: &mut Draft) {
        put_header(header, to.text());
        to.records(KVS, self.records);
        put_flag(MORE, self.more, to.text());
        put_number(COUNT, self.count, to.text());
    }
}

impl Encode for PutReply {
    fn len(&self, header: &ResponseHeader) -> usize {
        header_len(header) + records_len(&self.previous)
    }

    fn write(self, header: &ResponseHeader, to: &mut Draft) {
        put_header(header, to.text());
        to.records(PREV_KV, one(self.previous));
    }
}

impl Encode for DeleteReply {
    fn len(&self, header: &ResponseHeader) -> usize {
        header_len(header) + number_len(self.deleted) + records_len(&self.previous)
    }

    fn write(self, header: &ResponseHeader, to: &mut Draft) {
        put_header(header, to.text());
        put_number(DELETED, self.deleted, to.text());
        to.records(PREV_KVS, self.previous);
    }
}

impl Encode for TxnReply {
    fn len(&self, header: &ResponseHeader) -> usize {
        let replies: usize = self.replies.iter().map(|reply| field_len(op_len(reply))).sum();
        header_len(header) + flag_len(self.succeeded) + replies
    }

    fn write(self, header: &ResponseHeader, to: &mut Draft) {
        put_header(header, to.text());
        put_flag(SUCCEEDED, self.succeeded, to.text());
        for reply in self.replies {
            match reply {
                OpReply::Range(reply, _) => put_op(RESPONSE_RANGE, reply, to),
                OpReply::Put(reply) => put_op(RESPONSE_PUT, reply, to),
                OpReply::Delete(reply) => put_op(RESPONSE_DELETE_RANGE, reply, to),
                OpReply::Txn(reply) => put_op(RESPONSE_TXN, reply, to),
                OpReply::Nothing => put_prefix(RESPONSES, 0, to.text()),
            }
        }
    }
}

/// Bytes of a `ResponseOp`.
fn op_len(reply: &OpReply) -> usize {
    fn len<R: Encode>(reply: &R) -> usize {
        field_len(reply.len(&inner_header(reply)))
    }
    match reply {
        OpReply::Range(reply, _) => len(reply),
        OpReply::Put(reply) => len(reply),
        OpReply::Delete(reply) => len(reply),
        OpReply::Txn(reply) => len(reply),
        OpReply::Nothing => 0,
    }
}

fn put_op<R: Encode>(tag: u32, reply: R, to: &mut Draft) {
    let header = inner_header(&reply);
    let len = reply.len(&header);
    put_prefix(RESPONSES, field_len(len), to.text());
    put_prefix(tag, len, to.text());
    reply.write(&header, to);
}

/// Bytes of a field that has so many; all tags take one.
fn field_len(len: usize) -> usize {
    1 + encoded_len_varint(len as u64) + len
}

fn put_prefix(tag: u32, len: usize, to: &mut Vec<u8>) {
    encode_key(tag, WireType::LengthDelimited, to);
    encode_varint(len as u64, to);
}

fn header_len(header: &ResponseHeader) -> usize {
    field_len(header.encoded_len())
}

fn put_header(header: &ResponseHeader, to: &mut Vec<u8>) {
    put_prefix(HEADER, header.encoded_len(), to);
    header.encode_raw(to);
}

fn records_len<'a>(records: impl IntoIterator<Item = &'a Record>) -> usize {
    records.into_iter().map(|record| field_len(record.encoded().len())).sum()
}

fn flag_len(flag: bool) -> usize {
    usize::from(flag) * 2
}

fn put_flag(tag: u32, flag: bool, to: &mut Vec<u8>) {
    if flag {
        put_number(tag, 1, to);
    }
}

fn number_len(number: i64) -> usize {
    if number == 0 { 0 } else { 1 + encoded_len_varint(number.cast_unsigned()) }
}

fn put_number(tag: u32, number: i64, to: &mut Vec<u8>) {
    if number != 0 {
        encode_key(tag, WireType::Varint, to);
        encode_varint(number.cast_unsigned(), to);
    }
}

/// A list of what is there.
fn one(record: Option<Record>) -> vec::IntoIter<Record> {
    record.map_or_else(Vec::new, |record| vec![record]).into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bulk::Bulk;
    use crate::faces::pieces::Laid;
    use crate::faces::text::record;
    use crate::kv::reply::tests::txn;
    use prometheus::IntCounter;
    use proptest::prelude::*;

    fn written(reply: TxnReply, header: &ResponseHeader, mut draft: Draft) -> Vec<u8> {
        reply.write(header, &mut draft);
        match draft.finish(&Bulk::start(IntCounter::new("done", "done").unwrap()).unwrap()) {
            Laid::Whole(bytes) => bytes.into(),
            Laid::InPieces(mut pieces) => {
                let mut all = Vec::new();
                loop {
                    let (piece, last) = pieces.next();
                    all.extend(piece);
                    if last {
                        return all;
                    }
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn answers_are_what_prost_would_encode(reply in txn(record()), revision in any::<i64>()) {
            let header = ResponseHeader { revision, cluster_id: 1, ..ResponseHeader::default() };
            let expected = reply.clone().into_message(header).encode_to_vec();
            prop_assert_eq!(reply.len(&header), expected.len());
            prop_assert_eq!(&written(reply.clone(), &header, Draft::whole(RECORDS, 0)), &expected);
            prop_assert_eq!(&written(reply, &header, Draft::in_pieces(RECORDS)), &expected);
        }
    }
}
