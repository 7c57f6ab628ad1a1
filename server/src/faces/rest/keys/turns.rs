//! Who changes the same key by looking first: one after the other at this member, so that they do not spoil each other's tries.

use std::sync::Arc;

use tokio::sync::{Mutex, MutexGuard};

/// Keys that share a turn wait for each other for nothing.
const TURNS: usize = 64;

/// See the module's text. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Turns(Arc<[Mutex<()>; TURNS]>);

impl Turns {
    pub(super) fn new() -> Turns {
        Turns(Arc::new(std::array::from_fn(|_| Mutex::new(()))))
    }

    /// Waits for a key's turn, which lasts as long as this is kept; in the order of asking.
    pub(super) async fn of(&self, key: &[u8]) -> MutexGuard<'_, ()> {
        let at = usize::try_from(crc32c::crc32c(key)).unwrap_or_default() % TURNS;
        self.0[at].lock().await
    }
}
