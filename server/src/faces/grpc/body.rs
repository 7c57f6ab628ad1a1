//! The body of a unary gRPC answer: one message, then the trailers that say it went well.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes};
use http::{HeaderMap, HeaderValue};
use http_body::{Frame, SizeHint};
use keyport_api::error::answer_too_large;
use tonic::Status;

use super::keys::{self, Encode};
use crate::bulk::Bulk;
use crate::calls::KvAnswer;
use crate::faces::pieces::{Draft, Laid, PIECE_BYTES, Pieces};

/// Compression flag and length in front of each message.
const PREFIX_LEN: usize = 5;
/// The largest message that etcd sends, and clients take.
const MAX_MESSAGE: usize = i32::MAX as usize;

/// What follows next.
#[derive(Debug, Default)]
pub struct HotBody(Next);

#[derive(Debug, Default)]
enum Next {
    Message(Bytes),
    Pieces(Box<Pieces>),
    Trailers,
    #[default]
    End,
}

impl HotBody {
    /// The message of an answer, its keys copied once: from the store's records into the frames. Large ones are not copied. `bulk` is where what is
    /// left of it is dropped when nobody wants it any more.
    ///
    /// # Errors
    /// `ResourceExhausted` for what no message can be.
    pub(super) fn answer(KvAnswer { header, reply }: KvAnswer<impl Encode>, bulk: &Bulk) -> Result<HotBody, Status> {
        let len = reply.len(&header);
        let prefix = prefix(len)?;
        let mut draft = match len {
            ..=PIECE_BYTES => Draft::whole(keys::RECORDS, PREFIX_LEN + len),
            _ => Draft::in_pieces(keys::RECORDS),
        };
        draft.text().put_slice(&prefix);
        reply.write(&header, &mut draft);
        Ok(HotBody(match draft.finish(bulk) {
            Laid::Whole(message) => Next::Message(message),
            Laid::InPieces(pieces) => Next::Pieces(Box::new(pieces)),
        }))
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
            Next::Pieces(mut pieces) => {
                let (piece, last) = pieces.next();
                self.0 = if last { Next::Trailers } else { Next::Pieces(pieces) };
                Frame::data(piece)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::RangeReply;
    use http_body_util::BodyExt;
    use keyport_api::etcdserverpb::{RangeResponse, ResponseHeader};
    use keyport_storage::{Record, Versions};
    use prost::Message;

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
            let answer = KvAnswer { header, reply: reply.clone() };
            let framed = collect(HotBody::answer(answer, &bulk).unwrap()).await;
            let len = u32::from_be_bytes(framed[1..5].try_into().unwrap()) as usize;
            assert_eq!(len, framed.len() - PREFIX_LEN);
            assert_eq!(RangeResponse::decode(&framed[5..]).unwrap(), KvAnswer { header, reply }.into());
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
