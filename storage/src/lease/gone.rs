//! Waiting for the end of an expired lease.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Who waits for which lease. Usually nobody, which costs the teller one load.
#[derive(Debug, Default)]
pub(super) struct Gone {
    leases: AtomicUsize,
    waiting: Mutex<HashMap<i64, Arc<Notify>>>,
}

impl Gone {
    /// Returns once `is_gone` holds, which it must before the lease is told about.
    pub(super) async fn wait(&self, id: i64, is_gone: impl Fn() -> bool) {
        while !is_gone() {
            // Made while it is listed, and before the second look, it hears of everything after that.
            let told = {
                let mut waiting = self.waiting.lock();
                let told = Arc::clone(waiting.entry(id).or_default()).notified_owned();
                self.leases.store(waiting.len(), Ordering::SeqCst);
                told
            };
            if is_gone() {
                // It may have been told before anyone was listed.
                self.tell(id);
                break;
            }
            told.await;
        }
    }

    /// Leases that somebody waits for.
    #[cfg(test)]
    pub(super) fn waited_for(&self) -> usize {
        self.leases.load(Ordering::SeqCst)
    }

    pub(super) fn tell(&self, id: i64) {
        if self.leases.load(Ordering::SeqCst) == 0 {
            return;
        }
        let mut waiting = self.waiting.lock();
        let told = waiting.remove(&id);
        self.leases.store(waiting.len(), Ordering::SeqCst);
        drop(waiting);
        told.into_iter().for_each(|notify| notify.notify_waiters());
    }

    pub(super) fn tell_all(&self) {
        let told = std::mem::take(&mut *self.waiting.lock());
        self.leases.store(0, Ordering::SeqCst);
        told.into_values().for_each(|notify| notify.notify_waiters());
    }
}
