//! One lease, as small as it can be: there may be hundreds of thousands.

use std::collections::HashMap;

use bytes::Bytes;
use foldhash::fast::RandomState;

use super::MAX_TTL_SECONDS;
use super::attached::Attached;

/// Time since the lessor's start.
pub(super) type Millis = u64;
/// The deadline of every lease while this lessor is not primary.
pub(super) const FOREVER: Millis = Millis::MAX;

pub(super) type Shard = HashMap<i64, Lease, RandomState>;

#[derive(Debug)]
pub(super) struct Lease {
    /// Seconds, as granted.
    pub(super) ttl: u64,
    /// Seconds, as of the last checkpoint; 0 if there is none.
    pub(super) remaining_ttl: u64,
    pub(super) deadline: Millis,
    /// When the schedule looks at it; its entry with another time is void.
    pub(super) look_at: Millis,
    /// A checkpoint is on its way, or was.
    pub(super) checkpoint_due: bool,
    /// Most leases have no key or a few.
    pub(super) attached: Option<Box<Attached>>,
}

impl Lease {
    pub(super) fn new(ttl: i64, remaining_ttl: i64) -> Lease {
        let seconds = |seconds: i64| seconds.clamp(0, MAX_TTL_SECONDS).cast_unsigned();
        let (ttl, remaining_ttl) = (seconds(ttl), seconds(remaining_ttl));
        Lease { ttl, remaining_ttl, deadline: FOREVER, look_at: FOREVER, checkpoint_due: false, attached: None }
    }

    pub(super) fn ttl(&self) -> i64 {
        self.ttl.cast_signed()
    }

    /// What a new leader gives it.
    pub(super) fn seconds_left(&self) -> u64 {
        if self.remaining_ttl > 0 { self.remaining_ttl } else { self.ttl }
    }

    pub(super) fn attach(&mut self, key: &[u8]) {
        self.attached.get_or_insert_default().insert(key);
    }

    pub(super) fn detach(&mut self, key: &[u8]) {
        if self.attached.as_mut().is_some_and(|keys| keys.remove(key)) {
            self.attached = None;
        }
    }

    pub(super) fn key_count(&self) -> usize {
        self.attached.as_ref().map_or(0, |keys| keys.len())
    }

    pub(super) fn keys(&self) -> Vec<Bytes> {
        self.attached.as_ref().map(|keys| keys.to_sorted()).unwrap_or_default()
    }
}
