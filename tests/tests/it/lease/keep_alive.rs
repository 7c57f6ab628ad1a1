//! Keep-alive streams.

use keyport_api::etcdserverpb::{LeaseKeepAliveRequest, LeaseRevokeRequest, LeaseTimeToLiveRequest};
use keyport_tests::Server;
use keyport_tests::grpc::revision;
use keyport_tests::wait::{eventually, within};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

#[tokio::test]
async fn one_answer_a_request_in_order() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let (one, two) = (c.grant(100).await, c.grant(50).await);
    c.put("k", "v").await;
    let asked = [one, two, 4711, one, 0, two];
    let requests = tokio_stream::iter(asked.map(|id| LeaseKeepAliveRequest { id }));
    let mut answers = c.lease.lease_keep_alive(requests).await.unwrap().into_inner();
    for (id, want) in asked.into_iter().zip([100, 50, 0, 100, 0, 50]) {
        let answer = within("an answer", answers.message()).await.unwrap().unwrap();
        assert_eq!((answer.id, answer.ttl), (id, want), "unknown leases answer 0, not an error");
        assert_eq!(revision(&answer.header), 2);
        assert!(answer.header.unwrap().member_id != 0);
    }
    assert_eq!(within("the end", answers.message()).await.unwrap(), None, "closing the requests ends it");
}

#[tokio::test]
async fn it_renews() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let lease = c.grant(60).await;
    let left = |c: &keyport_tests::grpc::Grpc| {
        let mut c = c.clone();
        async move {
            let request = LeaseTimeToLiveRequest { id: lease, keys: false };
            c.lease.lease_time_to_live(request).await.unwrap().into_inner().ttl
        }
    };
    eventually("the time to live has gone down", || {
        let left = left(&c);
        async move { (left.await < 59).then_some(()) }
    })
    .await;
    assert_eq!(c.keep_alive(lease).await.ttl, 60);
    assert!(left(&c).await >= 59);
}

#[tokio::test]
async fn a_revoked_lease_ends_with_zero() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let lease = c.grant(60).await;
    let (send, requests) = mpsc::channel(4);
    send.send(LeaseKeepAliveRequest { id: lease }).await.unwrap();
    let mut answers = c.lease.lease_keep_alive(ReceiverStream::new(requests)).await.unwrap().into_inner();
    assert_eq!(within("an answer", answers.message()).await.unwrap().unwrap().ttl, 60);
    c.lease.lease_revoke(LeaseRevokeRequest { id: lease }).await.unwrap();
    send.send(LeaseKeepAliveRequest { id: lease }).await.unwrap();
    assert_eq!(within("an answer", answers.message()).await.unwrap().unwrap().ttl, 0);
    let other = c.grant(30).await;
    send.send(LeaseKeepAliveRequest { id: other }).await.unwrap();
    assert_eq!(within("an answer", answers.message()).await.unwrap().unwrap().ttl, 30, "the stream goes on");
}
