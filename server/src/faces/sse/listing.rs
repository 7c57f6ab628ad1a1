//! The state of some keys at one revision, page by page, in the order of keys.

use keyport_api::error::Error;
use keyport_api::etcdserverpb::RangeRequest;
use keyport_storage::{KeyRange, Record, next_key};

use super::selectors;
use crate::calls::{Caller, Kv, KvAnswer};

const FIRST_LIMIT: i64 = 32;
const MAX_LIMIT: i64 = 1024;
/// What a page should come to; the number of keys is adapted to what they were before.
const PAGE_BYTES: usize = 256 * 1024;

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
    pub(super) async fn page(&mut self, kv: &Kv, caller: &Caller) -> Result<Vec<Record>, Error> {
        let Some(range) = self.ranges.first_mut() else { return Ok(Vec::new()) };
        let (key, range_end) = range.clone().into_pair();
        let request =
            RangeRequest { key, range_end, limit: self.limit, revision: self.revision, ..RangeRequest::default() };
        let KvAnswer { header, reply } = kv.page(caller, request).await?;
        if self.revision == 0 {
            self.revision = header.revision;
        }
        let bytes = reply.records.iter().map(|record| record.encoded().len()).sum::<usize>().max(1);
        match reply.records.last() {
            Some(last) if reply.more => range.start = next_key(last.key()),
            _ => {
                self.ranges.remove(0);
            }
        }
        let fitting = reply.records.len().max(1) * PAGE_BYTES / bytes;
        self.limit = i64::try_from(fitting).unwrap_or(MAX_LIMIT).clamp(1, MAX_LIMIT);
        Ok(reply.records)
    }
}
