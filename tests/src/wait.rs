//! Waiting for conditions, always with a deadline.

use std::future::Future;
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up; far above what a loaded two-core machine needs.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The answer of `f`, or a panic that says what was waited for.
///
/// # Panics
/// If `f` is not done within [`PATIENCE`].
pub async fn within<T>(what: &str, f: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, f).await {
        Ok(t) => t,
        Err(_) => panic!("{what}: nothing within {PATIENCE:?}"),
    }
}

/// Asks `f` again and again until it answers `Some`.
///
/// # Panics
/// If it did not within [`PATIENCE`].
pub async fn eventually<T>(what: &str, mut f: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(t) = within(what, f()).await {
            return t;
        }
        assert!(Instant::now() < end, "{what}: not true within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// [`eventually`] for code without a runtime.
///
/// # Panics
/// If `f` did not answer `Some` within [`PATIENCE`].
pub fn eventually_blocking<T>(what: &str, mut f: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(t) = f() {
            return t;
        }
        assert!(Instant::now() < end, "{what}: not true within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
