//! One stream of renewals.

use std::future::{Future, ready};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use keyport_api::error::Error;
use keyport_api::etcdserverpb::{LeaseKeepAliveRequest, LeaseKeepAliveResponse};
use tokio_stream::Stream;
use tonic::{Code, Status};

use super::Desk;
use crate::gate::{Pass, StreamEnd};

/// Renewals of one stream that may be under way at once; no more requests are read meanwhile.
const MAX_UNDER_WAY: usize = 64;

type Answer = Result<LeaseKeepAliveResponse, Error>;

/// The answers of a keep-alive stream: one for each request, in order.
pub struct KeepAlives<S> {
    desk: Desk,
    pass: Pass,
    /// None once the client said all it had to say; what is under way is still answered.
    requests: Option<S>,
    under_way: FuturesOrdered<Pin<Box<dyn Future<Output = Answer> + Send>>>,
    end: StreamEnd,
    ended: bool,
}

impl<S> std::fmt::Debug for KeepAlives<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeepAlives").field("desk", &self.desk).finish_non_exhaustive()
    }
}

impl<S> KeepAlives<S> {
    pub(super) fn new(desk: Desk, pass: Pass, requests: S) -> KeepAlives<S> {
        let end = desk.gate.end_of(&pass);
        KeepAlives { desk, pass, requests: Some(requests), under_way: FuturesOrdered::new(), end, ended: false }
    }

    /// Begins a renewal; its answer, if there is one at once and it is its turn.
    fn renew(&mut self, request: LeaseKeepAliveRequest) -> Option<LeaseKeepAliveResponse> {
        let Desk { node, gate, .. } = &self.desk;
        let id = request.id;
        if let Err(error) = gate.check(&gate.renew(&self.pass), &request) {
            self.under_way.push_back(Box::pin(ready(Err(error))));
            return None;
        }
        // As of before the renewal.
        let header = Some(node.current_header());
        match node.renew_now(id) {
            Some(ttl) => {
                let answer = LeaseKeepAliveResponse { header, id, ttl };
                if self.under_way.is_empty() {
                    return Some(answer);
                }
                self.under_way.push_back(Box::pin(ready(Ok(answer))));
            }
            None => {
                let node = node.clone();
                self.under_way.push_back(Box::pin(async move {
                    let ttl = node.renew(id).await?;
                    Ok(LeaseKeepAliveResponse { header, id, ttl })
                }));
            }
        }
        None
    }

    /// The last that the client hears.
    fn fail<T>(&mut self, status: impl Into<Status>) -> Poll<Option<Result<T, Status>>> {
        self.ended = true;
        Poll::Ready(Some(Err(status.into())))
    }
}

impl<S> Stream for KeepAlives<S>
where
    S: Stream<Item = Result<LeaseKeepAliveRequest, Status>> + Unpin,
{
    type Item = Result<LeaseKeepAliveResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        if let Some(reason) = this.end.reason() {
            return this.fail(reason);
        }
        while this.under_way.len() < MAX_UNDER_WAY {
            let Some(requests) = &mut this.requests else { break };
            match Pin::new(requests).poll_next(cx) {
                Poll::Ready(Some(Ok(request))) => {
                    if let Some(answer) = this.renew(request) {
                        return Poll::Ready(Some(Ok(answer)));
                    }
                }
                Poll::Ready(Some(Err(status))) => {
                    if status.code() != Code::Cancelled {
                        this.desk
                            .node
                            .metrics()
                            .stream_failures
                            .with_label_values(&["receive", "lease-keepalive"])
                            .inc();
                    }
                    return this.fail(status);
                }
                Poll::Ready(None) => this.requests = None,
                Poll::Pending => break,
            }
        }
        match this.under_way.poll_next_unpin(cx) {
            Poll::Ready(Some(Ok(answer))) => return Poll::Ready(Some(Ok(answer))),
            Poll::Ready(Some(Err(error))) => return this.fail(error),
            Poll::Ready(None) if this.requests.is_none() => return Poll::Ready(None),
            Poll::Ready(None) | Poll::Pending => {}
        }
        let reason = ready!(this.end.poll(cx));
        this.fail(reason)
    }
}
