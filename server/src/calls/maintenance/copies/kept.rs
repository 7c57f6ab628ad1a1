//! Copies that stay for a while after their last reader: a download that was interrupted goes on where it was.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

use super::shared::{Digests, SharedCopy};

/// How long after somebody has read them.
pub(super) const KEEP: Duration = Duration::from_secs(300);
/// How many: others have to find a place on the disk as well.
pub(super) const MOST: usize = 2;

/// See the module's text. The oldest goes first.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<VecDeque<Arc<SharedCopy>>>);

impl Kept {
    /// Keeps a copy whose digests are known, for as long as it is used and [`KEEP`] longer, or until there are newer ones.
    pub(super) fn keep(self: &Arc<Kept>, copy: &Arc<SharedCopy>) {
        let mut kept = self.0.lock();
        if kept.iter().any(|other| Arc::ptr_eq(other, copy)) {
            return;
        }
        kept.push_back(Arc::clone(copy));
        let surplus = if kept.len() > MOST { kept.pop_front() } else { None };
        drop(kept);
        drop(surplus);
        let due = Instant::now() + KEEP;
        tokio::spawn(Arc::clone(self).let_go(Arc::downgrade(copy), due));
    }

    /// The copy that has these digests.
    pub(super) fn find(&self, is_wanted: impl Fn(&Digests) -> bool) -> Option<Arc<SharedCopy>> {
        let kept = self.0.lock();
        let found = kept.iter().rev().find(|copy| copy.digests().get().is_some_and(&is_wanted))?;
        found.note_use();
        Some(Arc::clone(found))
    }

    /// Gives up the one that has waited longest of those that nobody reads. Whether there was one.
    pub(super) fn make_room(&self) -> bool {
        let mut kept = self.0.lock();
        let unused = kept.iter().position(|copy| Arc::strong_count(copy) == 1);
        let given_up = unused.and_then(|at| kept.remove(at));
        drop(kept);
        given_up.is_some()
    }

    /// Gives a copy up when its time has come.
    async fn let_go(self: Arc<Kept>, copy: Weak<SharedCopy>, mut due: Instant) {
        loop {
            sleep_until(due).await;
            let mut kept = self.0.lock();
            let Some(at) = kept.iter().position(|other| std::ptr::eq(Arc::as_ptr(other), copy.as_ptr())) else {
                return;
            };
            let Some(there) = kept.get(at) else { return };
            let now = Instant::now();
            due = if Arc::strong_count(there) > 1 { now + KEEP } else { there.last_use() + KEEP };
            if due <= now {
                let given_up = kept.remove(at);
                drop(kept);
                drop(given_up);
                return;
            }
        }
    }
}
