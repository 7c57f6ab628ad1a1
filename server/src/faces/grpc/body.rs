//! The body of a unary gRPC answer: one message, then the trailers that say it went well.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue};
use http_body::{Frame, SizeHint};
use keyport_api::error::answer_too_large;
use keyport_api::etcdserverpb::ResponseHeader;
use keyport_storage::Record;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};
use tonic::Status;

use crate::bulk::Bulk;
use crate::kv::RangeReply;

/// Compression flag and length in front of each message.
const PREFIX_LEN: usize = 5;
/// The largest message that etcd sends, and clients take.
const MAX_MESSAGE: usize = i32::MAX as usize;
/// A large range is encoded in pieces of about this many bytes, as fast as the client takes them.
const CHUNK_BYTES: usize = 64 * 1024;
/// Tags in `etcdserverpb.RangeResponse`.
const HEADER_TAG: u32 = 1;
const KVS_TAG: u32 = 2;
const MORE_TAG: u32 = 3;
const COUNT_TAG: u32 = 4;

/// What follows next.
#[derive(Debug, Default)]
pub struct HotBody(Next);

#[derive(Debug, Default)]
enum Next {
    Message(Bytes),
    Range(Box<RangeChunks>),
    Trailers,
    #[default]
    End,
}

/// The rest of a `RangeResponse` under way.
#[derive(Debug)]
struct RangeChunks {
    head: Bytes,
    records: std::vec::IntoIter<Record>,
    tail: Bytes,
    /// Where what nobody wants any more is dropped.
    bulk: Bulk,
}

impl Drop for RangeChunks {
    fn drop(&mut self) {
        self.bulk.discard(std::mem::take(&mut self.records));
    }
}

impl HotBody {
    /// # Errors
    /// `ResourceExhausted` for what no message can be.
    pub(super) fn message(message: &impl Message) -> Result<HotBody, Status> {
        let len = message.encoded_len();
        let prefix = prefix(len)?;
        let mut frame = BytesMut::with_capacity(PREFIX_LEN + len);
        frame.put_slice(&prefix);
        message.encode_raw(&mut frame);
        Ok(HotBody(Next::Message(frame.freeze())))
    }

    /// A `RangeResponse`, its keys copied once: from the store's records into the frames.
    ///
    /// # Errors
    /// As [`HotBody::message`].
    pub(super) fn range(header: &ResponseHeader, reply: RangeReply, bulk: &Bulk) -> Result<HotBody, Status> {
        let tail_len = usize::from(reply.more) * 2 + count_len(reply.count);
        let header_len = header.encoded_len();
        let head_len = 1 + encoded_len_varint(header_len as u64) + header_len;
        let kvs_len: usize = reply.records.iter().map(entry_len).sum();
        let len = head_len + kvs_len + tail_len;
        let whole = len <= CHUNK_BYTES;
        let prefix = prefix(len)?;
        let mut head = BytesMut::with_capacity(PREFIX_LEN + if whole { len } else { head_len });
        head.put_slice(&prefix);
        encode_key(HEADER_TAG, WireType::LengthDelimited, &mut head);
        encode_varint(header_len as u64, &mut head);
        header.encode_raw(&mut head);
        if whole {
            for record in &reply.records {
                put_entry(record, &mut head);
            }
            put_tail(&reply, &mut head);
            return Ok(HotBody(Next::Message(head.freeze())));
        }
        let mut tail = BytesMut::with_capacity(tail_len);
        put_tail(&reply, &mut tail);
        Ok(HotBody(Next::Range(Box::new(RangeChunks {
            head: head.freeze(),
            records: reply.records.into_iter(),
            tail: tail.freeze(),
            bulk: bulk.clone(),
        }))))
    }
}

impl RangeChunks {
    /// The next piece, and whether it was the last.
    fn next(&mut self) -> (Bytes, bool) {
        let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
        chunk.put_slice(&std::mem::take(&mut self.head));
        while chunk.len() < CHUNK_BYTES {
            let Some(record) = self.records.next() else {
                chunk.put_slice(&self.tail);
                return (chunk.freeze(), true);
            };
            put_entry(&record, &mut chunk);
        }
        (chunk.freeze(), false)
    }
}

impl http_body::Body for HotBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::convert::Infallible>>> {
        let frame = match std::mem::take(&mut self.0) {
            Next::Message(message) => {
                self.0 = Next::Trailers;
                Frame::data(message)
            }
            Next::Range(mut chunks) => {
                let (chunk, last) = chunks.next();
                self.0 = if last { Next::Trailers } else { Next::Range(chunks) };
                Frame::data(chunk)
            }
            Next::Trailers => {
                let mut trailers = HeaderMap::with_capacity(1);
                trailers.insert(Status::GRPC_STATUS, HeaderValue::from_static("0"));
                Frame::trailers(trailers)
            }
            Next::End => return Poll::Ready(None),
        };
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Next::End)
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_end_stream() { SizeHint::with_exact(0) } else { SizeHint::default() }
    }
}

fn prefix(len: usize) -> Result<[u8; PREFIX_LEN], Status> {
    let sent = u32::try_from(len).ok().filter(|_| len <= MAX_MESSAGE);
    let [a, b, c, d] = sent.ok_or_else(|| answer_too_large(len, MAX_MESSAGE))?.to_be_bytes();
    Ok([0, a, b, c, d])
}

fn entry_len(record: &Record) -> usize {
    let len = record.encoded().len();
    1 + encoded_len_varint(len as u64) + len
}

fn put_entry(record: &Record, to: &mut BytesMut) {
    encode_key(KVS_TAG, WireType::LengthDelimited, to);
    encode_varint(record.encoded().len() as u64, to);
    to.put_slice(record.encoded());
}

fn count_len(count: i64) -> usize {
    if count == 0 { 0 } else { 1 + encoded_len_varint(count.cast_unsigned()) }
}

fn put_tail(reply: &RangeReply, to: &mut BytesMut) {
    if reply.more {
        encode_key(MORE_TAG, WireType::Varint, to);
        encode_varint(1, to);
    }
    if reply.count != 0 {
        encode_key(COUNT_TAG, WireType::Varint, to);
        encode_varint(reply.count.cast_unsigned(), to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use keyport_api::etcdserverpb::RangeResponse;
    use keyport_storage::Versions;

    async fn collect(body: HotBody) -> Bytes {
        body.collect().await.unwrap().to_bytes()
    }

    #[tokio::test]
    async fn a_range_is_what_prost_would_encode() {
        let bulk = Bulk::start(prometheus::IntCounter::new("done", "done").unwrap()).unwrap();
        for keys in [0_usize, 1, 3, 2000] {
            let records: Vec<Record> = (0..keys)
                .map(|i| {
                    let versions = Versions { create_revision: 2, mod_revision: 3, version: 1, lease: i as i64 };
                    Record::new(format!("key{i}").as_bytes(), &[b'v'; 100], versions)
                })
                .collect();
            let reply = RangeReply { revision: 7, records, more: keys == 3, count: keys as i64 };
            let header = ResponseHeader { cluster_id: 1, member_id: 2, revision: 7, raft_term: 3 };
            let framed = collect(HotBody::range(&header, reply.clone(), &bulk).unwrap()).await;
            let len = u32::from_be_bytes(framed[1..5].try_into().unwrap()) as usize;
            assert_eq!(len, framed.len() - PREFIX_LEN);
            assert_eq!(RangeResponse::decode(&framed[5..]).unwrap(), reply.into_message(header));
        }
    }

    #[test]
    fn what_no_message_can_be_is_refused() {
        assert_eq!(prefix(7).unwrap(), [0, 0, 0, 0, 7]);
        assert_eq!(prefix(MAX_MESSAGE).unwrap(), [0, 0x7f, 0xff, 0xff, 0xff]);
        let refused = prefix(MAX_MESSAGE + 1).unwrap_err();
        assert_eq!(refused.message(), "grpc: trying to send message larger than max (2147483648 vs. 2147483647)");
    }
}
