//! A caller that goes away must not block those behind it: whenever that happens, its place is given up.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use keyport_api::error::Error;
use keyport_api::etcdserverpb::DeleteRangeRequest;
use keyport_api::etcdserverpb::request_op::Request;

use super::{Place, Queue};
use crate::gate::Pass;

/// Somebody who has a place and waits. Dropping it leaves the line.
pub(super) struct LeaveOnDrop {
    queue: Queue,
    pass: Pass,
    /// The key of the place, and when it was taken; none of a place that is not to be given up.
    place: Option<(Bytes, i64)>,
}

impl LeaveOnDrop {
    pub(super) fn new(queue: &Queue, pass: &Pass, place: &Place) -> LeaveOnDrop {
        // A place that was there before is not the call's to give up.
        let own = place.found.is_none().then(|| (place.key.clone(), place.revision));
        LeaveOnDrop { queue: queue.clone(), pass: pass.clone(), place: own }
    }

    pub(super) fn disarm(mut self) {
        self.place = None;
    }
}

impl Drop for LeaveOnDrop {
    fn drop(&mut self) {
        let Some((key, revision)) = self.place.take() else { return };
        tokio::spawn(leave(self.queue.clone(), self.pass.clone(), key, revision));
    }
}

/// Somebody who is about to get a place. What was proposed cannot be taken back, so when this is dropped it is waited for,
/// and then left. A place that was there before is not the call's to give up.
pub(super) struct Entering {
    queue: Queue,
    pass: Pass,
    taking: Option<BoxFuture<'static, Result<Place, Error>>>,
}

impl Entering {
    pub(super) fn new(
        queue: &Queue,
        pass: &Pass,
        taking: impl Future<Output = Result<Place, Error>> + Send + 'static,
    ) -> Entering {
        Entering { queue: queue.clone(), pass: pass.clone(), taking: Some(Box::pin(taking)) }
    }
}

impl Future for Entering {
    type Output = Result<Place, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let taken = match &mut self.taking {
            Some(taking) => taking.as_mut().poll(cx),
            None => Poll::Pending,
        };
        if taken.is_ready() {
            self.taking = None;
        }
        taken
    }
}

impl Drop for Entering {
    fn drop(&mut self) {
        let Some(taking) = self.taking.take() else { return };
        let (queue, pass) = (self.queue.clone(), self.pass.clone());
        tokio::spawn(async move {
            if let Ok(Place { key, revision, found: None, .. }) = taking.await {
                leave(queue, pass, key, revision).await;
            }
        });
    }
}

/// Whoever has taken the key anew since keeps it.
async fn leave(queue: Queue, pass: Pass, key: Bytes, revision: i64) {
    let delete = DeleteRangeRequest { key: key.clone(), ..DeleteRangeRequest::default() };
    if let Err(error) = queue.change(&pass, key, revision, Request::RequestDeleteRange(delete)).await {
        tracing::warn!(%error, "could not leave the line; the lease will");
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::time::Duration;

    use futures_util::poll;
    use keyport_api::etcdserverpb::{LeaseGrantRequest, RangeRequest};
    use keyport_api::v3lockpb::LockRequest;

    use super::super::line;
    use crate::gate::Caller;
    use crate::testing::Member;

    /// What becomes of the place of a call that is dropped as soon as it was begun, nobody knows at that moment.
    #[tokio::test]
    async fn whoever_goes_while_a_place_is_being_taken_leaves_it() {
        let member = Member::start().await;
        let caller = Caller::internal("a test");
        let (lock, lease) = (&member.calls.lock, &member.calls.lease);
        let mut leases = Vec::new();
        for _ in 0..20 {
            leases.push(lease.lease_grant(&caller, LeaseGrantRequest { ttl: 1000, id: 0 }).await.unwrap().id);
        }
        let request = |lease| LockRequest { name: "l".into(), lease };
        let holder = leases.pop().unwrap();
        lock.lock(&caller, request(holder)).await.unwrap();
        for lease in leases {
            assert!(poll!(pin!(lock.lock(&caller, request(lease)))).is_pending());
        }
        // The holder asks again: that it goes away then takes nothing from it. Now and then it is told before it can go.
        while !poll!(pin!(lock.lock(&caller, request(holder)))).is_pending() {}
        // All of them had been proposed, and this comes behind them.
        assert!(member.commit(&[(b"k", Some(b"v"))]).await > 20);
        let (key, range_end) = line(b"l");
        let all = RangeRequest { key, range_end, ..RangeRequest::default() };
        let one_is_left = async {
            loop {
                let left = member.calls.kv.range(&caller, all.clone()).await.unwrap().reply.records;
                if let [one] = &left[..] {
                    return assert_eq!(one.key(), format!("l/{holder:x}").as_bytes());
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), one_is_left).await.expect("all others have left");
    }
}
