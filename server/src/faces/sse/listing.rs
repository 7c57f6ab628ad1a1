//! The state of some keys at one revision, page by page, in the order of keys.

use bytes::Bytes;
use http::Extensions;
use keyport_api::etcdserverpb::RangeRequest;
use keyport_api::etcdserverpb::kv_server::Kv;
use keyport_api::mvccpb::KeyValue;
use keyport_storage::{KeyRange, RangeEnd};
use prost::Message;
use tonic::metadata::MetadataMap;
use tonic::{Request, Status};

use super::selectors;

const FIRST_LIMIT: i64 = 32;
const MAX_LIMIT: i64 = 1024;
/// What a page should come to; the number of keys is adapted to what they were before.
const PAGE_BYTES: usize = 256 * 1024;

/// Who asks: what every call on behalf of a stream carries.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) metadata: MetadataMap,
    pub(super) extensions: Extensions,
}

/// What is still to be listed.
#[derive(Debug)]
pub(super) struct Listing {
    /// Sorted, without overlap.
    ranges: Vec<KeyRange>,
    /// 0 until the first page says which one is current.
    revision: i64,
    limit: i64,
}

impl Listing {
    /// The state as it is.
    pub(super) fn now(ranges: Vec<KeyRange>) -> Listing {
        Listing { ranges, revision: 0, limit: FIRST_LIMIT }
    }

    /// The rest of a state of which everything up to a key is known; nothing, if the key is empty.
    pub(super) fn resume(ranges: Vec<KeyRange>, revision: i64, key: &[u8]) -> Listing {
        let ranges = if key.is_empty() { ranges } else { selectors::after(&ranges, key) };
        Listing { ranges, revision, limit: FIRST_LIMIT }
    }

    /// The revision of the state, once a page was read.
    pub(super) fn revision(&self) -> i64 {
        self.revision
    }

    pub(super) fn is_done(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The next keys; may be none though more follow.
    pub(super) async fn page(&mut self, kv: &impl Kv, caller: &Caller) -> Result<Vec<KeyValue>, Status> {
        let Some(range) = self.ranges.first_mut() else { return Ok(Vec::new()) };
        let message = RangeRequest {
            key: if range.start.is_empty() { Bytes::from_static(&[0]) } else { range.start.clone() },
            range_end: match &range.end {
                RangeEnd::Single => Bytes::new(),
                RangeEnd::Before(end) => end.clone(),
                RangeEnd::Unbounded => Bytes::from_static(&[0]),
            },
            limit: self.limit,
            revision: self.revision,
            ..RangeRequest::default()
        };
        let request = Request::from_parts(caller.metadata.clone(), caller.extensions.clone(), message);
        let response = kv.range(request).await?.into_inner();
        if self.revision == 0 {
            self.revision = response.header.map_or(0, |header| header.revision);
        }
        let bytes = response.encoded_len().max(1);
        match response.kvs.last() {
            Some(last) if response.more => range.start = selectors::successor(&last.key),
            _ => {
                self.ranges.remove(0);
            }
        }
        let fitting = response.kvs.len().max(1) * PAGE_BYTES / bytes;
        self.limit = i64::try_from(fitting).unwrap_or(MAX_LIMIT).clamp(1, MAX_LIMIT);
        Ok(response.kvs)
    }
}
