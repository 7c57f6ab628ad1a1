//! `RangeStream`: a large range in pieces, all of them from one revision.

use std::pin::Pin;

use futures_util::stream;
use keyport_api::error::Error;
use keyport_api::etcdserverpb::range_request::{SortOrder, SortTarget};
use keyport_api::etcdserverpb::{RangeRequest, RangeResponse, RangeStreamResponse};
use keyport_storage::{Record, next_key};
use tokio_stream::Stream;

use super::{Desk, reads};
use crate::gate::Pass;
use crate::kv::Reply as _;

/// Keys asked for at first; then as many as make messages of about half to twice the request size limit, or of what an
/// event loop encodes in passing.
const FIRST_CHUNK: usize = 10;
const MOST_CHUNK_BYTES: usize = 256 * 1024;
const MOST_CHUNK_KEYS: usize = 2048;

/// See the module's text.
pub(crate) type RangeChunks = Pin<Box<dyn Stream<Item = Result<RangeStreamResponse, Error>> + Send>>;

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
pub(super) fn chunks(desk: Desk, pass: Pass, request: RangeRequest) -> RangeChunks {
    let left = usize::try_from(request.limit).ok().filter(|limit| *limit > 0);
    let revision = desk.node.store().revision();
    if let Some(prefixes) = desk.node.metrics().prefixes() {
        prefixes.read(&request.key);
    }
    let rest = RangeRequest { revision: if request.revision > 0 { request.revision } else { revision }, ..request };
    let reading = Reading { desk, pass, rest: Some(rest), left, chunk: FIRST_CHUNK, sent: 0, revision };
    Box::pin(stream::unfold(reading, async |mut reading| {
        let request = reading.rest.take()?;
        let chunk = reading.next_chunk(request).await;
        // Whoever else is served by this event loop comes before the next one.
        tokio::task::yield_now().await;
        Some((chunk.map(|response| RangeStreamResponse { range_response: Some(response) }), reading))
    }))
}

struct Reading {
    desk: Desk,
    pass: Pass,
    /// What is still to be read; none when the last chunk is out.
    rest: Option<RangeRequest>,
    /// Keys that the caller's limit still lets through; none is no limit.
    left: Option<usize>,
    chunk: usize,
    sent: i64,
    /// The store's revision when the range began.
    revision: i64,
}

impl Reading {
    async fn next_chunk(&mut self, mut request: RangeRequest) -> Result<RangeResponse, Error> {
        let single_message = request.count_only || request.limit < 0;
        let wanted = self.left.map_or(self.chunk, |left| left.min(self.chunk));
        request.limit = if single_message { 0 } else { i64::try_from(wanted).unwrap_or(i64::MAX) };
        // The last chunk tells how many keys there are, also behind the limit.
        let may_be_last = single_message || self.left.is_some_and(|left| left <= wanted);
        let read = if may_be_last { reads::COUNTED_PAGE } else { reads::PAGE };
        self.desk.node.metrics().range_total.inc();
        let mut reply = self.desk.read(&self.pass, request.clone(), read).await?;
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
                return Ok(reply.into_message(self.desk.node.header(self.revision)));
            }
        };
        request.key = next_key(last.key());
        self.rest = Some(request);
        let kvs = reply.records.iter().map(Record::to_message).collect();
        Ok(RangeResponse { kvs, ..RangeResponse::default() })
    }

    fn adapt(&mut self, records: &[Record]) {
        let bytes: usize = records.iter().map(|record| record.encoded().len()).sum();
        let target = self.desk.node.limits().request_bytes.min(MOST_CHUNK_BYTES);
        if bytes < target / 2 {
            self.chunk = self.chunk.saturating_mul(2).min(MOST_CHUNK_KEYS);
        } else if bytes > target.saturating_mul(2) {
            self.chunk = (self.chunk / 2).max(1);
        }
    }
}
