//! Request ids that no member and no run repeats.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Layout as etcd's: 16 bits of the member id, 40 bits of the start time in milliseconds, 8 bits of counter that
/// carries into the time. A run would have to hand out 256 ids each millisecond to catch up with its successor.
#[derive(Debug)]
pub(crate) struct RequestIds(AtomicU64);

impl RequestIds {
    pub(crate) fn new(member_id: u64, start: SystemTime) -> RequestIds {
        let since_epoch = start.duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = u64::try_from(since_epoch.as_millis()).unwrap_or_default();
        RequestIds(AtomicU64::new(((member_id & 0xffff) << 48) | ((millis & 0xff_ffff_ffff) << 8)))
    }

    pub(crate) fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// A lease id: positive.
    pub(crate) fn next_lease(&self) -> i64 {
        (self.next() & i64::MAX.cast_unsigned()).cast_signed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn ids_grow_and_carry_the_member() {
        let ids = RequestIds::new(0x1234_5678_9abc_def0, UNIX_EPOCH + Duration::from_millis(0x0102_0304));
        let first = ids.next();
        assert_eq!(first, (0xdef0 << 48) | (0x0102_0304 << 8) | 1);
        assert_eq!(ids.next(), first + 1);
    }

    #[test]
    fn lease_ids_are_positive() {
        let ids = RequestIds::new(u64::MAX, SystemTime::now());
        assert!(ids.next_lease() > 0);
    }
}
