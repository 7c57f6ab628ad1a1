//! Futures on this thread alone.

use std::future::Future;

use tokio::task::LocalSet;

pub(crate) fn block_on<T>(f: impl Future<Output = T>) -> T {
    let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be built");
    LocalSet::new().block_on(&rt, f)
}
