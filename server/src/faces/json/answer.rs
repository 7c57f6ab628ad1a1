//! The text of an answer to a unary call: in one piece, or, where it has many keys, in pieces as fast as they are taken.

use bytes::Bytes;
use futures_core::Stream;
use futures_util::{StreamExt as _, stream};
use keyport_api::json::{self, JsonError, ToJson};
use prost::Message;
use tokio::task::yield_now;

use super::keys::{self, Encode};
use crate::bulk::{Bulk, LONG};
use crate::calls::KvAnswer;
use crate::faces::kit;
use crate::faces::pieces::{Draft, Laid, PIECE_BYTES, Pieces};
use crate::faces::text::{GatewayBody, size_of};

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
impl<R: Encode> Answer for KvAnswer<R> {
    /// Only the beginning is written before the answer goes out.
    fn is_large(&self) -> bool {
        false
    }

    fn into_body(self, bulk: &Bulk) -> Result<GatewayBody, JsonError> {
        let KvAnswer { header, reply } = self;
        let elements = reply.elements();
        // A list that is too long for a piece is not gone through to find out.
        let bytes = if elements > LONG { usize::MAX } else { HEADER_BYTES + size_of(elements, reply.bytes()) };
        let mut draft = match bytes {
            ..=PIECE_BYTES => Draft::whole(keys::RECORDS, bytes),
            _ => Draft::in_pieces(keys::RECORDS),
        };
        reply.write(&header, &mut draft)?;
        Ok(match draft.finish(bulk) {
            Laid::Whole(text) => GatewayBody::Full(text),
            Laid::InPieces(mut pieces) => match pieces.next() {
                (whole, true) => GatewayBody::Full(whole),
                (first, false) => GatewayBody::pieces(after(first, pieces)),
            },
        })
    }
}

/// About how long a header is, and what else is said once.
const HEADER_BYTES: usize = 192;

/// A first piece, and the rest.
fn after(first: Bytes, pieces: Pieces) -> impl Stream<Item = Bytes> + Send {
    let rest = stream::unfold((pieces, false, false), |(mut pieces, done, wrote)| async move {
        if done {
            return None;
        }
        if wrote {
            // The others on this event loop come first.
            yield_now().await;
        }
        let (piece, last) = pieces.next();
        Some((piece, (pieces, last, true)))
    });
    stream::iter([first]).chain(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::{RangeReply, Reply};
    use crate::faces::text::record;
    use crate::kv::reply::tests::txn;
    use http_body_util::BodyExt;
    use keyport_api::etcdserverpb::ResponseHeader;
    use keyport_storage::{Record, Versions};
    use prometheus::IntCounter;
    use proptest::prelude::*;
    use std::task::Poll;

    fn text(answer: KvAnswer<impl Encode>) -> (bool, String) {
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
        fn an_answer_is_written_as_its_message(reply in txn(record()), revision in any::<i64>()) {
            let header = ResponseHeader { revision, cluster_id: 1, ..ResponseHeader::default() };
            let message = json::to_vec(&reply.clone().into_message(header)).unwrap();
            let written = text(KvAnswer { header, reply });
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
        let answer = KvAnswer { header: ResponseHeader::default(), reply };
        let GatewayBody::Pieces(mut pieces) = answer.into_body(&bulk).unwrap() else { panic!("it is long") };
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
            let (whole, written) = text(KvAnswer { header, reply });
            assert!(!whole);
            assert_eq!(written, String::from_utf8(message).unwrap());
        }
    }
}
