//! The text of an answer to a unary call: in one piece, or, where it has many keys, in pieces as fast as they are taken.

use std::io::Write as _;
use std::task::Poll;

use bytes::Bytes;
use futures_core::Stream;
use futures_util::stream;
use keyport_api::json::{self, JsonError, ToJson};
use keyport_storage::Record;
use prost::Message;

use crate::bulk::{Bulk, LONG};
use crate::calls::{RangeAnswer, RangeReply};
use crate::faces::kit;
use crate::faces::text::{GatewayBody, key_value, size_hint};

/// A large range is written in pieces of about this many bytes.
const PIECE_BYTES: usize = 64 * 1024;

/// What can be answered to a unary call.
pub(super) trait Answer: Send + 'static {
    /// Whether writing it would hold up an event loop.
    fn is_large(&self) -> bool;

    /// The body that it becomes. What is left of it when nobody wants it any more is dropped in `bulk`.
    fn into_body(self, bulk: &Bulk) -> Result<GatewayBody, JsonError>;
}

impl<T: Message + ToJson + 'static> Answer for T {
    fn is_large(&self) -> bool {
        kit::is_large(self)
    }

    fn into_body(self, _: &Bulk) -> Result<GatewayBody, JsonError> {
        Ok(GatewayBody::Full(json::to_vec(&self)?.into()))
    }
}

/// Written without copying the keys first.
impl Answer for RangeAnswer {
    /// Only the beginning is written before the answer goes out.
    fn is_large(&self) -> bool {
        false
    }

    fn into_body(self, bulk: &Bulk) -> Result<GatewayBody, JsonError> {
        let mut text = RangeText::begin(self)?;
        Ok(match text.next_piece() {
            (whole, true) => GatewayBody::Full(whole),
            (first, false) => GatewayBody::stream(text.after(first, bulk.clone())),
        })
    }
}

/// The JSON of a `RangeResponse` under way.
struct RangeText {
    /// What was written and is in no piece yet.
    begun: Vec<u8>,
    records: std::vec::IntoIter<Record>,
    tail: Vec<u8>,
    /// Where what nobody wants any more is dropped, if there may be much.
    bulk: Option<Bulk>,
}

impl RangeText {
    fn begin(RangeAnswer { header, reply }: RangeAnswer) -> Result<RangeText, JsonError> {
        let RangeReply { records, more, count, .. } = reply;
        // All of it, if it is no more than a piece. A list that is too long for one is not gone through to find out.
        let keys = if records.len() > LONG { PIECE_BYTES } else { records.iter().map(size_hint).sum() };
        let mut begun = Vec::with_capacity(192 + keys.min(PIECE_BYTES + PIECE_BYTES / 4));
        begun.extend_from_slice(b"{\"header\":");
        header.write(&mut begun)?;
        let mut tail = Vec::new();
        if !records.is_empty() {
            begun.extend_from_slice(b",\"kvs\":[");
            tail.push(b']');
        }
        if more {
            tail.extend_from_slice(b",\"more\":true");
        }
        if count != 0 {
            // A vector takes everything.
            let _ = write!(tail, ",\"count\":\"{count}\"");
        }
        tail.push(b'}');
        Ok(RangeText { begun, records: records.into_iter(), tail, bulk: None })
    }

    /// The next piece, and whether it is the last.
    fn next_piece(&mut self) -> (Bytes, bool) {
        let mut piece = std::mem::take(&mut self.begun);
        while piece.len() < PIECE_BYTES {
            let Some(record) = self.records.next() else {
                piece.extend_from_slice(&self.tail);
                return (piece.into(), true);
            };
            // What is a record already has a JSON form.
            let _ = key_value(&record).write(&mut piece);
            if self.records.len() > 0 {
                piece.push(b',');
            }
        }
        self.begun = Vec::with_capacity(PIECE_BYTES + PIECE_BYTES / 4);
        (piece.into(), false)
    }

    /// The rest, after a first piece.
    fn after(mut self, first: Bytes, bulk: Bulk) -> impl Stream<Item = Bytes> + Send {
        self.bulk = Some(bulk);
        let (mut first, mut done, mut wrote) = (Some(first), false, false);
        stream::poll_fn(move |cx| {
            if let Some(first) = first.take() {
                return Poll::Ready(Some(first));
            }
            if done {
                return Poll::Ready(None);
            }
            if std::mem::take(&mut wrote) {
                // The others on this event loop come first.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            wrote = true;
            let (piece, last) = self.next_piece();
            done = last;
            Poll::Ready(Some(piece))
        })
    }
}

impl Drop for RangeText {
    fn drop(&mut self) {
        if let Some(bulk) = &self.bulk {
            bulk.discard(std::mem::take(&mut self.records));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faces::text::record;
    use http_body_util::BodyExt;
    use keyport_api::etcdserverpb::ResponseHeader;
    use keyport_storage::Versions;
    use prometheus::IntCounter;
    use proptest::prelude::*;

    fn text(answer: RangeAnswer) -> (bool, String) {
        let bulk = Bulk::start(IntCounter::new("done", "done").unwrap()).unwrap();
        let body = answer.into_body(&bulk).unwrap();
        let whole = matches!(body, GatewayBody::Full(_));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let text = runtime.block_on(body.collect()).unwrap().to_bytes();
        (whole, String::from_utf8(text.to_vec()).unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn a_range_is_written_as_its_message(
            records in prop::collection::vec(record(), 0..4),
            more in any::<bool>(),
            count in 0..3_i64,
            revision in any::<i64>(),
        ) {
            let header = ResponseHeader { revision, cluster_id: 1, ..ResponseHeader::default() };
            let reply = RangeReply { revision, records, more, count };
            let message = json::to_vec(&reply.clone().into_message(header)).unwrap();
            let written = text(RangeAnswer { header, reply });
            prop_assert_eq!(written, (true, String::from_utf8(message).unwrap()));
        }
    }

    #[test]
    fn after_a_piece_it_is_the_turn_of_others() {
        let versions = Versions { create_revision: 2, mod_revision: 3, version: 1, lease: 0 };
        let key = |number| Record::new(format!("key{number}").as_bytes(), &[b'v'; PIECE_BYTES], versions);
        let records: Vec<Record> = (0..10).map(key).collect();
        let reply = RangeReply { revision: 7, records, more: false, count: 10 };
        let bulk = Bulk::start(IntCounter::new("done", "done").unwrap()).unwrap();
        let answer = RangeAnswer { header: ResponseHeader::default(), reply };
        let GatewayBody::Stream(mut pieces) = answer.into_body(&bulk).unwrap() else { panic!("it is long") };
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let mut polled = Vec::new();
        loop {
            match pieces.as_mut().poll_next(&mut cx) {
                Poll::Ready(None) => break,
                polled_now => polled.push(polled_now.is_ready()),
            }
        }
        assert_eq!(polled, [[true].as_slice(), &[true, false].repeat(9), &[true]].concat());
    }

    #[test]
    fn a_long_one_comes_in_pieces() {
        let versions = Versions { create_revision: 2, mod_revision: 3, version: 1, lease: 0 };
        for (keys, value_bytes) in [(5_000, 100), (7, 200_000)] {
            let value = vec![b'v'; value_bytes];
            let key = |number| Record::new(format!("key{number}").as_bytes(), &value, versions);
            let reply = RangeReply { revision: 7, records: (0..keys).map(key).collect(), more: true, count: 9_000 };
            let header = ResponseHeader { revision: 7, ..ResponseHeader::default() };
            let message = json::to_vec(&reply.clone().into_message(header)).unwrap();
            let (whole, written) = text(RangeAnswer { header, reply });
            assert!(!whole);
            assert_eq!(written, String::from_utf8(message).unwrap());
        }
    }
}
