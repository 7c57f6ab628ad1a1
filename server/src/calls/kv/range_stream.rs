//! `RangeStream`: a large range in pieces, all of them from one revision.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use keyport_api::error::Error;
use keyport_api::etcdserverpb::range_request::{SortOrder, SortTarget};
use keyport_api::etcdserverpb::{RangeRequest, RangeResponse, RangeStreamResponse};
use keyport_storage::Record;
use tokio_stream::Stream;

use crate::kv::range;
use crate::node::Node;

/// Keys asked for at first; then as many as make messages of about half to twice the request size limit.
const FIRST_CHUNK: usize = 10;

/// # Errors
/// For options that would need the whole range at once.
pub(super) fn check(request: &RangeRequest) -> Result<(), Error> {
    // Without an order, another target sorts each chunk for itself.
    let in_chunks = match request.sort_order() {
        SortOrder::None => true,
        SortOrder::Ascend => request.sort_target() == SortTarget::Key,
        SortOrder::Descend => false,
    };
    if !in_chunks {
        return Err(Error::RangeStreamSort);
    }
    let filters =
        [request.min_mod_revision, request.max_mod_revision, request.min_create_revision, request.max_create_revision];
    if filters.iter().any(|bound| *bound != 0) {
        return Err(Error::RangeStreamRevisionFilter);
    }
    Ok(())
}

/// The chunks of one streamed range, each read when the one before has been taken.
#[derive(Debug)]
pub struct RangeChunks {
    node: Node,
    /// What is still to be read; none when the last chunk is out.
    rest: Option<RangeRequest>,
    /// Keys that the caller's limit still lets through; none is no limit.
    left: Option<usize>,
    chunk: usize,
    sent: i64,
    /// The store's revision when the range began.
    revision: i64,
}

impl RangeChunks {
    pub(super) fn new(node: Node, request: RangeRequest) -> RangeChunks {
        let left = usize::try_from(request.limit).ok().filter(|limit| *limit > 0);
        let revision = node.store().revision();
        let rest = RangeRequest { revision: if request.revision > 0 { request.revision } else { revision }, ..request };
        RangeChunks { node, rest: Some(rest), left, chunk: FIRST_CHUNK, sent: 0, revision }
    }

    fn next_chunk(&mut self, mut request: RangeRequest) -> Result<RangeResponse, Error> {
        let single_message = request.count_only || request.limit < 0;
        let wanted = self.left.map_or(self.chunk, |left| left.min(self.chunk));
        request.limit = if single_message { 0 } else { i64::try_from(wanted).unwrap_or(i64::MAX) };
        let mut reply = range::first_of_range(self.node.store(), request.clone())?;
        let taken = reply.records.len();
        self.adapt(&reply.records);
        self.sent += i64::try_from(taken).unwrap_or(i64::MAX);
        self.left = self.left.map(|left| left - taken);
        // The last by its key. (etcd goes on behind the one that sorts last, and shows some keys twice.)
        let last = match reply.records.iter().max_by_key(|record| record.key()) {
            Some(last) if !single_message && reply.more && self.left != Some(0) => last.clone(),
            _ => {
                // The range began further left than this chunk's.
                reply.count += self.sent - i64::try_from(taken).unwrap_or(i64::MAX);
                return Ok(reply.into_message(self.node.header(self.revision)));
            }
        };
        request.key = successor(last.key());
        self.rest = Some(request);
        let kvs = reply.records.iter().map(Record::to_message).collect();
        Ok(RangeResponse { kvs, ..RangeResponse::default() })
    }

    fn adapt(&mut self, records: &[Record]) {
        let bytes: usize = records.iter().map(|record| record.encoded().len()).sum();
        let target = self.node.limits().request_bytes;
        if bytes < target / 2 {
            self.chunk = self.chunk.saturating_mul(2);
        } else if bytes > target.saturating_mul(2) {
            self.chunk = (self.chunk / 2).max(1);
        }
    }
}

/// The smallest key after `key`.
fn successor(key: &[u8]) -> Bytes {
    let mut next = Vec::with_capacity(key.len() + 1);
    next.extend_from_slice(key);
    next.push(0);
    next.into()
}

impl Stream for RangeChunks {
    type Item = Result<RangeStreamResponse, Error>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(request) = self.rest.take() else { return Poll::Ready(None) };
        let chunk = self.next_chunk(request);
        Poll::Ready(Some(chunk.map(|response| RangeStreamResponse { range_response: Some(response) })))
    }
}
