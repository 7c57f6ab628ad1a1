//! A member without a leader: what it still answers, what it refuses and with which words, and what ends.

use std::time::{Duration, Instant};

use http::Method;
use keyport_api::etcdserverpb::{
    HashKvRequest, LeaseGrantRequest, LeaseTimeToLiveRequest, MemberListRequest, RangeRequest, WatchRequest,
    watch_request::RequestUnion,
};
use keyport_tests::Cluster;
use keyport_tests::grpc::{Grpc, get, put, refused, text, watch};
use keyport_tests::http::b64;
use keyport_tests::wait::{eventually, within};
use serde_json::json;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Status, Streaming};

fn with_leader<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("hasleader", "true".parse().unwrap());
    request
}

/// A watch stream that lives as long as there is a leader.
async fn careful_watch(
    c: &mut Grpc,
) -> Result<(tokio::sync::mpsc::Sender<WatchRequest>, Streaming<keyport_api::etcdserverpb::WatchResponse>), Status> {
    let (send, requests) = tokio::sync::mpsc::channel(4);
    send.send(WatchRequest { request_union: Some(RequestUnion::CreateRequest(watch("k"))) }).await.unwrap();
    let answers = within("a stream", c.watch.watch(with_leader(ReceiverStream::new(requests)))).await?.into_inner();
    Ok((send, answers))
}

const NO_LEADER: &str = "etcdserver: no leader";

/// The put comes before the others have noticed that they need another leader. etcd passes it on to the dead one, and its
/// client waits in vain.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_in_the_moment_of_the_leaders_death() {
    let mut cluster = Cluster::of(3).args(["--election-timeout", "2500", "--heartbeat-interval", "100"]).start().await;
    if cluster.is_etcd() {
        return;
    }
    let leader = cluster.leader().await;
    let follower = cluster.follower().await;
    let mut c = cluster.grpc(follower);
    c.put("k", "before").await;
    let ids = cluster.ids(&[follower, leader]);
    cluster.kill(leader).await;
    cluster.until_disconnected(follower, leader).await;
    assert_eq!(cluster.status(follower).await.unwrap().leader, ids[1], "it still counts as the leader");
    c.put("k", "after").await;
    assert_eq!(text(&c.get("k").await.unwrap().value), "after");
}

/// Its peers find its sockets closed and nobody at its address, and do not wait for the election timeout. With etcd, they do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_leader_is_not_waited_for() {
    const TIMEOUT: Duration = Duration::from_secs(10);
    let timeout = ["--election-timeout".to_string(), TIMEOUT.as_millis().to_string()];
    let mut cluster = Cluster::of(3).direct().args(timeout).start().await;
    if cluster.is_etcd() {
        return;
    }
    for _ in 0..3 {
        let (leader, follower) = (cluster.leader().await, cluster.follower().await);
        let mut c = cluster.grpc(follower);
        c.put("k", "before").await;
        let killed = Instant::now();
        cluster.kill(leader).await;
        c.put("k", "after").await;
        let took = killed.elapsed();
        assert!(took < TIMEOUT, "{took:?}");
        assert_ne!(cluster.leader().await, leader);
        cluster.restart(leader).await;
    }
}

/// All of it in one test, since a request without a leader takes its seven seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alone() {
    let mut cluster = Cluster::of(3).start().await;
    let lonely = cluster.follower().await;
    let others: Vec<usize> = (0..3).filter(|i| *i != lonely).collect();
    let mut c = cluster.grpc(lonely);
    c.put("k", "before").await;
    let lease = c.grant(1000).await;
    let mut patient = c.watch();
    patient.create(watch("k")).await;
    let (_open, mut careful) = careful_watch(&mut c).await.unwrap();
    assert!(within("created", careful.message()).await.unwrap().unwrap().created);
    for other in &others {
        cluster.kill(*other).await;
    }
    let status = eventually("no leader is known", async || {
        cluster.status(lonely).await.ok().filter(|status| status.leader == 0)
    })
    .await;
    assert!(status.errors.iter().any(|e| e == NO_LEADER), "{status:?}");

    // What has to be local.
    let local = RangeRequest { serializable: true, ..get("k") };
    assert_eq!(text(&c.range(local.clone()).await.kvs[0].value), "before");
    let members = within("a list", c.cluster.member_list(MemberListRequest { linearizable: false })).await.unwrap();
    assert_eq!(members.into_inner().members.len(), 3);
    within("a hash", c.maintenance.hash_kv(HashKvRequest { revision: 0 })).await.unwrap();

    // What is refused at once.
    refused(c.kv.range(with_leader(local)).await, Code::Unavailable, NO_LEADER);
    refused(c.kv.put(with_leader(put("k", ""))).await, Code::Unavailable, NO_LEADER);
    let http = cluster.members[lonely].http();
    let headers = [("content-type", "application/json"), ("grpc-metadata-hasleader", "true")];
    let body = json!({ "key": b64("k"), "serializable": true }).to_string();
    let answer = http.send(Method::POST, "/v3/kv/range", &headers, body).await;
    assert_eq!((answer.status.as_u16(), answer.json()["message"].as_str()), (503, Some(NO_LEADER)));
    let opened = async {
        let (_open, mut answers) = careful_watch(&mut cluster.grpc(lonely)).await?;
        answers.message().await
    };
    refused(within("a careful watch", opened).await, Code::Unavailable, NO_LEADER);
    let renewed = within("a renewal", cluster.grpc(lonely).try_keep_alive(lease)).await;
    refused(renewed, Code::Unavailable, NO_LEADER);

    // What is cancelled a little later, and what is not.
    refused(within("the careful stream ends", careful.message()).await, Code::Unavailable, NO_LEADER);

    // What waits, and says why it gave up.
    let began = Instant::now();
    let (mut a, mut b, mut d, mut e, mut f) = (c.clone(), c.clone(), c.clone(), c.clone(), c.clone());
    let (put, range, list, grant, ttl) = tokio::join!(
        within("put", a.kv.put(put("k", "lost"))),
        within("range", b.kv.range(get("k"))),
        within("list", d.cluster.member_list(MemberListRequest { linearizable: true })),
        within("grant", e.lease.lease_grant(LeaseGrantRequest { ttl: 10, id: 0 })),
        within("ttl", f.lease.lease_time_to_live(LeaseTimeToLiveRequest { id: lease, keys: false })),
    );
    assert!(began.elapsed().as_secs() >= 6, "{:?}", began.elapsed());
    refused(put, Code::DeadlineExceeded, "context deadline exceeded");
    refused(range, Code::Unavailable, "etcdserver: request timed out");
    refused(list, Code::Unavailable, "etcdserver: request timed out");
    refused(grant, Code::DeadlineExceeded, "context deadline exceeded");
    refused(ttl, Code::Unavailable, NO_LEADER);
    let health = http.get("/health").await;
    assert_eq!(health.status, 503, "{}", health.text());

    // And back.
    for other in &others {
        cluster.launch(*other);
    }
    cluster.leader().await;
    c.put("k", "after").await;
    let events = patient.events(1).await;
    assert_eq!(text(&events[0].kv.as_ref().unwrap().value), "after", "nothing else happened meanwhile");
    assert!(c.keep_alive(lease).await.ttl > 0);
}

/// A leader without followers steps down: it neither confirms a write nor reads what may be old.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_cut_off() {
    let cluster = Cluster::of(3).start().await;
    let leader = cluster.leader().await;
    let others: Vec<usize> = (0..3).filter(|i| *i != leader).collect();
    let mut old = cluster.grpc(leader);
    old.put("k", "before").await;
    cluster.network.isolate(cluster.members[leader].id);
    let (mut writer, mut reader) = (old.clone(), old.clone());
    let late = tokio::spawn(async move {
        let (write, read) =
            tokio::join!(within("put", writer.kv.put(put("lost", ""))), within("range", reader.kv.range(get("k"))),);
        (write.unwrap_err(), read.unwrap_err())
    });
    let new = cluster.leader_among(&others).await;
    let at = cluster.grpc(new).put("k", "after").await;
    eventually("it knows that it does not lead", async || {
        cluster.status(leader).await.ok().filter(|status| status.leader == 0)
    })
    .await;
    let (write, read) = within("both are answered", late).await.unwrap();
    for status in [&write, &read] {
        let code = status.code();
        assert!(code == Code::Unavailable || code == Code::DeadlineExceeded, "{status:?}");
    }
    assert!(
        write.message().starts_with("etcdserver: request timed out") || write.message() == "context deadline exceeded",
        "{write:?}"
    );
    cluster.network.heal();
    cluster.leader().await;
    let now = old.get("k").await.unwrap();
    assert_eq!((now.mod_revision, text(&now.value).as_str()), (at, "after"));
    cluster.until_equal().await;
}
