//! One stream of renewals.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use keyport_api::error::Error;
use keyport_api::etcdserverpb::{
    LeaseCheckpoint, LeaseCheckpointRequest, LeaseKeepAliveRequest, LeaseKeepAliveResponse,
};
use keyport_storage::lease::Renewal;
use tokio_stream::Stream;
use tonic::Status;

use crate::apply::Command;
use crate::node::Node;

type PendingRenewal = Pin<Box<dyn Future<Output = Result<LeaseKeepAliveResponse, Error>> + Send>>;

/// The answers of a keep-alive stream: one for each request, in order.
pub struct KeepAlives<S> {
    node: Node,
    requests: S,
    /// A renewal that has to wait for the lease's revocation.
    pending: Option<PendingRenewal>,
}

impl<S> std::fmt::Debug for KeepAlives<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeepAlives").field("node", &self.node).finish_non_exhaustive()
    }
}

impl<S> KeepAlives<S> {
    pub(super) fn new(node: Node, requests: S) -> KeepAlives<S> {
        KeepAlives { node, requests, pending: None }
    }
}

impl<S> Stream for KeepAlives<S>
where
    S: Stream<Item = Result<LeaseKeepAliveRequest, Status>> + Unpin,
{
    type Item = Result<LeaseKeepAliveResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(pending) = &mut this.pending {
                let answer = ready!(pending.as_mut().poll(cx));
                this.pending = None;
                return Poll::Ready(Some(answer.map_err(Status::from)));
            }
            let id = match ready!(Pin::new(&mut this.requests).poll_next(cx)) {
                Some(Ok(request)) => request.id,
                Some(Err(status)) => return Poll::Ready(Some(Err(status))),
                None => return Poll::Ready(None),
            };
            match renew_now(&this.node, id) {
                Some(answer) => return Poll::Ready(Some(Ok(answer))),
                None => this.pending = Some(Box::pin(renew(this.node.clone(), id))),
            }
        }
    }
}

/// The usual case, without a future: this member leads and the lease is either alive or gone.
fn renew_now(node: &Node, id: i64) -> Option<LeaseKeepAliveResponse> {
    let header = Some(node.current_header());
    match node.state().lessor.renew(id, Instant::now()) {
        Renewal::Renewed { ttl, has_checkpoint } => {
            if has_checkpoint {
                clear_checkpoint(node.clone(), id);
            }
            Some(LeaseKeepAliveResponse { header, id, ttl })
        }
        Renewal::Unknown => Some(LeaseKeepAliveResponse { header, id, ttl: 0 }),
        Renewal::Expired | Renewal::NotPrimary => None,
    }
}

/// The next leader is to start from the whole TTL again. Nobody waits for it: a lost checkpoint only costs time.
fn clear_checkpoint(node: Node, id: i64) {
    tokio::spawn(async move {
        let checkpoints = vec![LeaseCheckpoint { id, remaining_ttl: 0 }];
        if let Err(error) = node.propose(Command::LeaseCheckpoint(LeaseCheckpointRequest { checkpoints })).await {
            tracing::debug!(%error, "failed to clear a lease's checkpoint");
        }
    });
}

/// A lease that has expired cannot come back: its holder hears so once it is revoked.
async fn renew(node: Node, id: i64) -> Result<LeaseKeepAliveResponse, Error> {
    let deadline = tokio::time::Instant::now() + node.limits().request_timeout;
    loop {
        if let Some(answer) = renew_now(&node, id) {
            return Ok(answer);
        }
        if node.raft().leader() == 0 {
            return Err(Error::NoLeader);
        }
        let revoked = node.state().lessor.settled(id);
        if tokio::time::timeout_at(deadline, revoked).await.is_err() {
            return Err(Error::Timeout);
        }
    }
}
