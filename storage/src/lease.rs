//! Leases: keys that live as long as someone says so.
//!
//! What a lease is, and which keys are attached to it, follows from the log and is the same on every member; the
//! apply thread alone changes it. When a lease runs out is known to the primary lessor only, the one of the
//! leader: it counts down, extends on request, and names the leases that are to be revoked through the log. Nothing
//! expires by itself.

mod attached;
mod error;
mod gone;
pub mod of_keys;
mod record;
mod rows;
mod schedule;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::backend::Batch;
use gone::Gone;
use record::{FOREVER, Lease, Millis, Shard};
use schedule::Schedule;

pub use error::{LeaseError, RecoverError};
pub use schedule::Due;

/// The longest TTL that is granted, in seconds.
pub const MAX_TTL_SECONDS: i64 = 9_000_000_000;
/// A power of two; renewals from many tasks rarely meet.
const SHARDS: usize = 16;

#[derive(Clone, Copy, Debug)]
pub struct LessorOptions {
    /// How often the remaining time of long leases is to be put into the log; none to leave that out.
    pub checkpoint_interval: Option<Duration>,
    /// When a lease that was named as expired is named again if it was not revoked.
    pub expired_retry: Duration,
}

impl Default for LessorOptions {
    fn default() -> LessorOptions {
        LessorOptions { checkpoint_interval: None, expired_retry: Duration::from_secs(7) }
    }
}

/// What came of a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    Renewed {
        /// As granted.
        ttl: i64,
        /// There is a checkpoint, or one is on its way: one of 0 should go through the log behind it, or the next leader
        /// would count from there.
        has_checkpoint: bool,
    },
    /// Its time is over, and it is about to be revoked: see [`Lessor::settled`].
    Expired,
    Unknown,
    NotPrimary,
}

/// A lease as `LeaseTimeToLive` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeToLive {
    /// Whole seconds left.
    pub ttl: i64,
    pub granted_ttl: i64,
    /// Sorted; empty unless asked for.
    pub keys: Vec<Bytes>,
}

/// Counts since the start, and leases now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeaseStats {
    pub leases: u64,
    pub granted: u64,
    pub revoked: u64,
    pub renewed: u64,
}

/// Keeps the leases. Shared by reference; what changes the replicated state takes the batch of its log entry and is
/// for the apply thread, the rest is for any.
#[derive(Debug)]
pub struct Lessor {
    options: LessorOptions,
    /// Deadlines are counted from here.
    epoch: Instant,
    /// The term in which it is primary; 0 if it is not.
    primary_in: AtomicU64,
    /// Held while that changes, and every lease with it.
    turnover: Mutex<()>,
    shards: [Mutex<Shard>; SHARDS],
    schedule: Schedule,
    gone: Gone,
    granted: AtomicU64,
    revoked: AtomicU64,
    renewed: AtomicU64,
}

impl Lessor {
    /// An empty one that is not primary.
    pub fn new(options: LessorOptions, now: Instant) -> Lessor {
        Lessor {
            options,
            epoch: now,
            primary_in: AtomicU64::new(0),
            turnover: Mutex::default(),
            shards: Default::default(),
            schedule: Schedule::default(),
            gone: Gone::default(),
            granted: AtomicU64::new(0),
            revoked: AtomicU64::new(0),
            renewed: AtomicU64::new(0),
        }
    }

    /// Makes a lease and says its TTL, in seconds. The id is the caller's choice, but not 0. A TTL of less than a second is
    /// raised to one, on every member alike: what a member's own settings ask for is the proposer's business.
    ///
    /// # Errors
    /// When the TTL is too large or the id is in use.
    pub fn grant(&self, id: i64, ttl: i64, now: Instant, batch: &mut Batch) -> Result<i64, LeaseError> {
        if id == 0 {
            return Err(LeaseError::NotFound);
        }
        if ttl > MAX_TTL_SECONDS {
            return Err(LeaseError::TtlTooLarge);
        }
        let ttl = ttl.max(1);
        let mut lease = Lease::new(ttl, 0);
        let look_at = {
            let mut shard = self.shard(id).lock();
            if shard.contains_key(&id) {
                return Err(LeaseError::Exists);
            }
            // Asked under the lock, as a promotion passes through all shards after it says so.
            if self.is_primary() {
                lease.deadline = self.millis(now) + lease.seconds_left() * 1000;
                lease.look_at = self.next_look(&lease, now);
            }
            let look_at = lease.look_at;
            shard.insert(id, lease);
            look_at
        };
        if look_at != FOREVER {
            self.schedule.add(look_at, id);
        }
        rows::put(batch, id, ttl, 0);
        self.granted.fetch_add(1, Ordering::Relaxed);
        Ok(ttl)
    }

    /// Ends a lease. Its keys are returned in order, for the caller to delete in the same transaction.
    ///
    /// # Errors
    /// When there is none of this id.
    pub fn revoke(&self, id: i64, batch: &mut Batch) -> Result<Vec<Bytes>, LeaseError> {
        let lease = self.shard(id).lock().remove(&id).ok_or(LeaseError::NotFound)?;
        if lease.look_at != FOREVER {
            self.schedule.abandon();
        }
        rows::delete(batch, id);
        self.revoked.fetch_add(1, Ordering::Relaxed);
        self.gone.tell(id);
        Ok(lease.attached.map(|keys| keys.into_sorted()).unwrap_or_default())
    }

    pub fn exists(&self, id: i64) -> bool {
        self.shard(id).lock().contains_key(&id)
    }

    /// What a lease was granted, in seconds; none if there is no such lease.
    pub fn granted_ttl(&self, id: i64) -> Option<i64> {
        self.shard(id).lock().get(&id).map(Lease::ttl)
    }

    /// Says that a put moved a key from a lease to a lease; 0 stands for none. A deletion moves it to 0.
    pub fn reattach(&self, key: &[u8], from: i64, to: i64) {
        if from == to {
            return;
        }
        if from != 0
            && let Some(lease) = self.shard(from).lock().get_mut(&from)
        {
            lease.detach(key);
        }
        if to != 0
            && let Some(lease) = self.shard(to).lock().get_mut(&to)
        {
            lease.attach(key);
        }
    }

    /// The keys of a lease in order; none if there is no such lease.
    pub fn keys(&self, id: i64) -> Option<Vec<Bytes>> {
        self.shard(id).lock().get(&id).map(Lease::keys)
    }

    /// The same of a lease that has no more keys than that.
    fn keys_up_to(&self, id: i64, most: usize) -> Option<Vec<Bytes>> {
        self.shard(id).lock().get(&id).filter(|lease| lease.key_count() <= most).map(Lease::keys)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// All ids, in order.
    pub fn list(&self) -> Vec<i64> {
        let mut ids: Vec<i64> =
            self.shards.iter().flat_map(|shard| shard.lock().keys().copied().collect::<Vec<_>>()).collect();
        ids.sort_unstable();
        ids
    }

    /// Starts the lease's time anew.
    pub fn renew(&self, id: i64, now: Instant) -> Renewal {
        let now = self.millis(now);
        let mut shard = self.shard(id).lock();
        if !self.is_primary() {
            return Renewal::NotPrimary;
        }
        let Some(lease) = shard.get_mut(&id) else { return Renewal::Unknown };
        if lease.deadline <= now {
            return Renewal::Expired;
        }
        // Its place in the schedule stays; whoever comes there sees that there is time left.
        lease.deadline = now + lease.ttl * 1000;
        let renewed =
            Renewal::Renewed { ttl: lease.ttl(), has_checkpoint: lease.remaining_ttl != 0 || lease.checkpoint_due };
        drop(shard);
        self.renewed.fetch_add(1, Ordering::Relaxed);
        renewed
    }

    /// Waits until an expired lease is revoked, or this lessor is not primary any more.
    pub async fn settled(&self, id: i64) {
        self.gone.wait(id, || !self.is_primary() || !self.exists(id)).await;
    }

    /// # Errors
    /// When there is no such lease, or this lessor is not primary.
    pub fn time_to_live(&self, id: i64, with_keys: bool, now: Instant) -> Result<TimeToLive, LeaseError> {
        let now = self.millis(now);
        let shard = self.shard(id).lock();
        let lease = shard.get(&id).ok_or(LeaseError::NotFound)?;
        if lease.deadline == FOREVER {
            return Err(LeaseError::NotPrimary);
        }
        let ttl = (lease.deadline.saturating_sub(now) / 1000).cast_signed();
        let keys = if with_keys { lease.keys() } else { Vec::new() };
        Ok(TimeToLive { ttl, granted_ttl: lease.ttl(), keys })
    }

    /// Records how many seconds a lease has left for the next leader to start from; 0 means the whole TTL. An unknown
    /// lease is ignored.
    pub fn checkpoint(&self, id: i64, remaining_ttl: i64, batch: &mut Batch) {
        let mut shard = self.shard(id).lock();
        let Some(lease) = shard.get_mut(&id) else { return };
        let remaining_ttl = remaining_ttl.clamp(0, MAX_TTL_SECONDS);
        lease.remaining_ttl = remaining_ttl.cast_unsigned();
        lease.checkpoint_due = false;
        rows::put(batch, id, lease.ttl(), remaining_ttl);
    }

    pub fn is_primary(&self) -> bool {
        self.primary_in().is_some()
    }

    /// The term in which this lessor is the one that counts down.
    pub fn primary_in(&self) -> Option<u64> {
        Some(self.primary_in.load(Ordering::Acquire)).filter(|term| *term != 0)
    }

    pub fn stats(&self) -> LeaseStats {
        LeaseStats {
            leases: self.shards.iter().map(|shard| shard.lock().len() as u64).sum(),
            granted: self.granted.load(Ordering::Relaxed),
            revoked: self.revoked.load(Ordering::Relaxed),
            renewed: self.renewed.load(Ordering::Relaxed),
        }
    }

    fn shard(&self, id: i64) -> &Mutex<Shard> {
        &self.shards[shard_of(id)]
    }

    fn millis(&self, now: Instant) -> Millis {
        u64::try_from(now.saturating_duration_since(self.epoch).as_millis()).unwrap_or(FOREVER - 1)
    }
}

/// Where a lease is kept.
fn shard_of(id: i64) -> usize {
    // Ids are often counted up; the product's high bits spread them.
    let mixed = id.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - SHARDS.ilog2());
    usize::try_from(mixed).unwrap_or(0) % SHARDS
}
