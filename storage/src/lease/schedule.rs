//! When to look at which lease: what the primary lessor counts down.
//!
//! A lease has one valid entry in a heap of times, the one that it names itself. A renewal moves the lease's deadline
//! and leaves the entry; when the entry comes up, the lease is put back for its new deadline. A revoked lease leaves
//! its entry behind, and when such entries are in the majority they are swept out.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use super::Lessor;
use super::record::{FOREVER, Lease, Millis};

/// From this many leases on, a promotion spreads out their ends.
const SPREAD_FROM: usize = 1000;
/// How many of them may then end in a second: less than what is revoked in one, so that ordinary expiry has room.
const SPREAD_PER_SECOND: u64 = 750;
/// Entries without a lease that are not worth a sweep.
const TOLERATED: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Schedule {
    heap: Mutex<BinaryHeap<Reverse<(Millis, i64)>>>,
    /// About how many entries belong to leases that are gone.
    abandoned: AtomicUsize,
}

impl Schedule {
    pub(super) fn add(&self, at: Millis, id: i64) {
        self.heap.lock().push(Reverse((at, id)));
    }

    /// Notes that a lease went and left its entry.
    pub(super) fn abandon(&self) {
        self.abandoned.fetch_add(1, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.heap.lock().len()
    }
}

/// What the leader has to propose, and for how long it may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// The term in which the lessor is primary: what is due is due as long as that lasts.
    pub term: u64,
    /// Leases to revoke, those that ended first in front.
    pub expired: Vec<i64>,
    /// Leases, and how many seconds each has left.
    pub checkpoints: Vec<(i64, i64)>,
}

impl Lessor {
    /// Makes this lessor the one that counts down in `term`, which is not 0: every lease starts anew, `extend` longer than
    /// it has, for its holder to find the new leader. Nothing happens if it does so in that term already.
    pub fn promote(&self, term: u64, extend: Duration, now: Instant) {
        let turnover = self.turnover.lock();
        if self.primary_in() == Some(term) {
            return;
        }
        // Nothing that was counted in an earlier term counts in this one, should nobody have said that that was over.
        self.stop_counting(&turnover);
        self.primary_in.store(term, Ordering::Release);
        let start = self.millis(now) + u64::try_from(extend.as_millis()).unwrap_or(0);
        let mut deadlines: Vec<(Millis, i64)> = Vec::new();
        for shard in &self.shards {
            for (&id, lease) in &mut *shard.lock() {
                let deadline = start + lease.seconds_left() * 1000;
                // A renewal may have come in between.
                lease.deadline = if lease.deadline == FOREVER { deadline } else { lease.deadline.max(deadline) };
                deadlines.push((lease.deadline, id));
            }
        }
        if deadlines.len() >= SPREAD_FROM {
            deadlines.sort_unstable();
            spread(&mut deadlines);
        }
        for (deadline, id) in &mut deadlines {
            if let Some(lease) = self.shard(*id).lock().get_mut(id) {
                lease.deadline = lease.deadline.max(*deadline);
                lease.look_at = self.next_look(lease, now);
                *deadline = lease.look_at;
            }
        }
        self.schedule.heap.lock().extend(deadlines.into_iter().map(Reverse));
    }

    /// Stops counting down in `term`. Nothing happens if it does not do so, or in another one by now.
    pub fn demote_from(&self, term: u64) {
        let turnover = self.turnover.lock();
        if self.primary_in() == Some(term) {
            self.stop_counting(&turnover);
        }
    }

    /// Stops counting down.
    pub fn demote(&self) {
        self.stop_counting(&self.turnover.lock());
    }

    fn stop_counting(&self, _turnover: &MutexGuard<'_, ()>) {
        self.primary_in.store(0, Ordering::Release);
        for shard in &self.shards {
            for lease in shard.lock().values_mut() {
                (lease.deadline, lease.look_at) = (FOREVER, FOREVER);
                lease.checkpoint_due = false;
            }
        }
        *self.schedule.heap.lock() = BinaryHeap::new();
        self.schedule.abandoned.store(0, Ordering::Relaxed);
        self.gone.tell_all();
    }

    /// What is due by now, at most `limit` of each kind. A lease that stays is named again after the retry interval.
    pub fn due(&self, now: Instant, limit: usize) -> Due {
        // Before any deadline is looked at: those of a later term are later ones.
        let Some(term) = self.primary_in() else { return Due::default() };
        let mut due = Due { term, ..Due::default() };
        self.sweep();
        let mut again: Vec<Reverse<(Millis, i64)>> = Vec::new();
        while due.expired.len() < limit && due.checkpoints.len() < limit {
            let Some((at, id)) = self.pop(self.millis(now)) else { break };
            let mut shard = self.shard(id).lock();
            let Some(lease) = shard.get_mut(&id).filter(|lease| lease.look_at == at) else {
                self.settle_abandoned();
                continue;
            };
            let now_millis = self.millis(now);
            if lease.deadline <= now_millis {
                due.expired.push(id);
                lease.look_at = now_millis + millis(self.options.expired_retry);
            } else {
                if self.options.checkpoint_interval.is_some() {
                    let left = (lease.deadline - now_millis).div_ceil(1000);
                    if left < lease.seconds_left() {
                        due.checkpoints.push((id, left.cast_signed()));
                        lease.checkpoint_due = true;
                    }
                }
                lease.look_at = self.next_look(lease, now);
            }
            again.push(Reverse((lease.look_at, id)));
        }
        self.schedule.heap.lock().extend(again);
        due
    }

    /// Whether a lease that was found due in `term` still is: it may have been revoked since, and granted anew.
    pub fn is_due(&self, term: u64, id: i64, now: Instant) -> bool {
        let now = self.millis(now);
        let is_over = self.shard(id).lock().get(&id).is_some_and(|lease| lease.deadline <= now);
        is_over && self.primary_in() == Some(term)
    }

    /// When to look at a lease next: at its end, or for a checkpoint before.
    pub(super) fn next_look(&self, lease: &Lease, now: Instant) -> Millis {
        match self.options.checkpoint_interval {
            // Never at once, or a look would not be past it.
            Some(interval) => lease.deadline.min(self.millis(now) + millis(interval).max(1)),
            None => lease.deadline,
        }
    }

    fn pop(&self, now: Millis) -> Option<(Millis, i64)> {
        let mut heap = self.schedule.heap.lock();
        heap.peek().filter(|Reverse((at, _))| *at <= now)?;
        heap.pop().map(|Reverse(entry)| entry)
    }

    fn settle_abandoned(&self) {
        let _ = self.schedule.abandoned.try_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
    }

    fn sweep(&self) {
        let abandoned = self.schedule.abandoned.load(Ordering::Relaxed);
        let mut heap = self.schedule.heap.lock();
        if abandoned <= TOLERATED || abandoned * 2 <= heap.len() {
            return;
        }
        heap.retain(|Reverse((at, id))| self.shard(*id).lock().get(id).is_some_and(|lease| lease.look_at == *at));
        heap.shrink_to_fit();
        self.schedule.abandoned.store(0, Ordering::Relaxed);
    }
}

/// Moves deadlines, which are in order, to later ones where too many are close together.
fn spread(deadlines: &mut [(Millis, i64)]) {
    let Some(&(first, _)) = deadlines.first() else { return };
    // In thousandths of the slot, so that the rate is met exactly.
    let mut free = first * SPREAD_PER_SECOND;
    for (deadline, _) in deadlines {
        let at = (*deadline * SPREAD_PER_SECOND).max(free);
        *deadline = at.div_ceil(SPREAD_PER_SECOND);
        free = at + 1000;
    }
}

fn millis(duration: Duration) -> Millis {
    u64::try_from(duration.as_millis()).unwrap_or(FOREVER / 2)
}
