//! Giving back what the database does not use, before anybody is served: `--bootstrap-defrag-threshold-megabytes`.

use keyport_storage::backend::{Backend, BackendError};

use crate::metrics::Metrics;

/// Defragments if at least `threshold_bytes` can be freed.
///
/// # Errors
/// When the dense copy cannot be written.
pub(super) fn if_worthwhile(backend: &Backend, threshold_bytes: u64, metrics: &Metrics) -> Result<(), BackendError> {
    let (size, in_use) = (backend.size(), backend.dense_size());
    if size.saturating_sub(in_use) < threshold_bytes {
        tracing::info!(
            current_db_size_bytes = size,
            current_db_size_in_use_bytes = in_use,
            bootstrap_defrag_threshold_bytes = threshold_bytes,
            "Skipping defragmentation"
        );
        return Ok(());
    }
    tracing::info!(current_db_size_bytes = size, current_db_size_in_use_bytes = in_use, "defragmenting");
    let timed = metrics.backend_defrag.start_timer();
    backend.defragment()?;
    timed.observe_duration();
    tracing::info!(
        previous_db_size_bytes = size,
        current_db_size_bytes = backend.size(),
        "finished defragmenting directory"
    );
    Ok(())
}
