//! Whether every part answers without which the member serves nobody: its event loops, the thread of Raft, the one that applies.
//!
//! Each is asked something that it does among its other work, so the answer says that it has come to the end of what it did
//! before. A member without a quorum works, and so does one that is busy: a part need only come to the question. Nothing
//! is asked on the way of a request.

use std::future::pending;
use std::time::Duration;

use tokio::time::timeout;

use crate::net::event_loops::EventLoops;
use crate::node::Node;

/// Returns once all have answered. Every `patience` it asks the part again that has not, and says so.
pub(super) async fn of_all(node: &Node, loops: &EventLoops, patience: Duration) {
    for number in 0..loops.count() {
        of_one(&format!("keyport-io-{number}"), patience, || loops.attend(number)).await;
    }
    of_one("raft", patience, || raft(node)).await;
    of_one("apply", patience, || apply(node)).await;
}

async fn of_one<F: Future<Output = ()>>(thread: &str, patience: Duration, ask: impl Fn() -> F) {
    while timeout(patience, ask()).await.is_err() {
        tracing::warn!(thread, waited = ?patience, "a part of the member does not answer");
    }
}

async fn raft(node: &Node) {
    if node.raft().attend().await.is_err() {
        // The member ends, which is told elsewhere.
        pending().await
    }
}

/// What was handed over may take long, so it is enough that there is less of it. A state that a leader has sent takes as long as
/// it is large, and says nothing on the way.
async fn apply(node: &Node) {
    let applied = &node.state().applied;
    let before = applied.index();
    let is_done = before >= node.raft().applied();
    if !is_done && node.metrics().snapshot_apply_in_progress.get() == 0 {
        applied.reached(before.saturating_add(1)).await;
    }
}
