//! The hash of this member's own keys.

use std::sync::Arc;

use keyport_storage::mvcc::{HashKv, MvccError, Store};

use super::Node;
use crate::metrics::Metrics;

impl Node {
    /// See [`hash_kv`].
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn hash_kv(&self, revision: i64) -> Result<HashKv, MvccError> {
        hash_kv(Arc::clone(&self.state().store), self.metrics(), revision).await
    }
}

/// The hash at a revision, computed where blocking is allowed; 0 stands for the current revision.
///
/// # Errors
/// The store's.
pub(crate) async fn hash_kv(store: Arc<Store>, metrics: &Metrics, revision: i64) -> Result<HashKv, MvccError> {
    let timed = metrics.hash_rev_duration.start_timer();
    let found = tokio::task::spawn_blocking(move || store.hash_kv(revision)).await;
    timed.observe_duration();
    found.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))
}
