//! Leases live on the leader: every member passes on what is asked about them, and a new leader starts them anew.

use std::time::{Duration, Instant};

use keyport_api::etcdserverpb::{
    LeaseGrantRequest, LeaseKeepAliveRequest, LeaseKeepAliveResponse, LeaseLeasesRequest, LeaseRevokeRequest,
    LeaseTimeToLiveRequest, PutRequest,
};
use keyport_api::mvccpb::event::EventType;
use keyport_tests::grpc::{Grpc, put, refused, watch};
use keyport_tests::wait::{eventually, within};
use keyport_tests::{Cluster, Flavor};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Streaming};

use super::apply::hold_up;
use super::robustness::LONG;

#[tokio::test]
async fn through_any_member() {
    let cluster = Cluster::of(3).start().await;
    let leader = cluster.leader().await;
    for member in 0..3 {
        let mut c = cluster.grpc(member);
        let lease = c.grant(500).await;
        let key = format!("k{member}");
        c.put_of(PutRequest { lease, ..put(&key, "") }).await;
        for asked in 0..3 {
            let mut c = cluster.grpc(asked);
            let request = LeaseTimeToLiveRequest { id: lease, keys: true };
            let ttl = within("ttl", c.lease.lease_time_to_live(request)).await.unwrap().into_inner();
            assert_eq!((ttl.id, ttl.granted_ttl, ttl.keys.len()), (lease, 500, 1));
            assert!((490..=500).contains(&ttl.ttl), "{ttl:?}");
            assert_eq!(ttl.header.unwrap().member_id, cluster.members[asked].id);
            let renewed = c.keep_alive(lease).await;
            assert_eq!((renewed.id, renewed.ttl), (lease, 500));
            let http = cluster.members[asked].http();
            let renewed = http.call("/v3/lease/keepalive", json!({ "ID": lease.to_string() })).await;
            assert_eq!(renewed["result"]["TTL"], "500");
            let leases = c.lease.lease_leases(LeaseLeasesRequest {}).await.unwrap().into_inner();
            assert!(asked != member || leases.leases.iter().any(|l| l.id == lease), "{leases:?}");
        }
        let mut other = cluster.grpc((member + 1) % 3);
        within("revoke", other.lease.lease_revoke(LeaseRevokeRequest { id: lease })).await.unwrap();
        assert_eq!(cluster.grpc((member + 2) % 3).get(&key).await, None);
        // Unknown now, for everybody, in etcd's ways of saying so.
        let again = other.lease.lease_revoke(LeaseRevokeRequest { id: lease }).await;
        refused(again, Code::NotFound, "etcdserver: requested lease not found");
        assert_eq!(c.keep_alive(lease).await.ttl, 0);
        let ttl = c.lease.lease_time_to_live(LeaseTimeToLiveRequest { id: lease, keys: false }).await.unwrap();
        assert_eq!(ttl.into_inner().ttl, -1);
    }
    // Taken on one member is taken on all.
    let mut c = cluster.grpc(leader);
    c.lease.lease_grant(LeaseGrantRequest { id: 77, ttl: 100 }).await.unwrap();
    let again = cluster.grpc((leader + 1) % 3).lease.lease_grant(LeaseGrantRequest { id: 77, ttl: 100 }).await;
    refused(again, Code::FailedPrecondition, "etcdserver: lease already exists");
    let http = cluster.members[(leader + 1) % 3].http();
    let ttl = http.call("/v3/lease/timetolive", json!({ "ID": "77", "keys": true })).await;
    assert_eq!(ttl["grantedTTL"], "100");
}

/// A follower does not expire anything; the next leader gives the full time again, and then expires once.
#[tokio::test]
async fn the_next_leader_extends_and_expires() {
    const TTL: i64 = 6;
    let mut cluster = Cluster::of(3).start().await;
    let leader = cluster.leader().await;
    let asked = (leader + 1) % 3;
    let mut c = cluster.grpc(asked);
    let mut w = c.watch();
    w.create(watch("k")).await;
    let lease = c.grant(TTL).await;
    c.put_of(PutRequest { lease, ..put("k", "leased") }).await;
    assert_eq!(w.events(1).await[0].r#type(), EventType::Put);
    // Half of the time is over when the leader dies.
    eventually("half of the time is over", async || {
        let request = LeaseTimeToLiveRequest { id: lease, keys: false };
        let ttl = cluster.grpc(leader).lease.lease_time_to_live(request).await.ok()?.into_inner().ttl;
        (ttl <= TTL / 2).then_some(())
    })
    .await;
    cluster.kill(leader).await;
    let killed = Instant::now();
    cluster.leader().await;
    let event = w.events(1).await.remove(0);
    let lived = killed.elapsed();
    assert_eq!(event.r#type(), EventType::Delete);
    assert!(lived >= Duration::from_secs(TTL as u64 - 1), "it had its full time again: {lived:?}");
    let at = event.kv.unwrap().mod_revision;
    let mut c = cluster.grpc(asked);
    eventually("it is gone", async || {
        let leases = c.lease.lease_leases(LeaseLeasesRequest {}).await.ok()?.into_inner().leases;
        leases.is_empty().then_some(())
    })
    .await;
    // Once: the next change is ours.
    assert_eq!(c.put("k", "again").await, at + 1);
    let event = w.events(1).await.remove(0);
    assert_eq!((event.r#type(), event.kv.unwrap().mod_revision), (EventType::Put, at + 1));
    cluster.restart(leader).await;
    cluster.until_equal().await;
    let leases = cluster.grpc(leader).lease.lease_leases(LeaseLeasesRequest {}).await.unwrap().into_inner();
    assert!(leases.leases.is_empty(), "{leases:?}");
}

/// Renewed through a follower all the time, a lease outlives leaders.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewals_survive_a_change_of_leaders() {
    let mut cluster = Cluster::of(3).start().await;
    let leader = cluster.leader().await;
    let through = (leader + 1) % 3;
    let mut c = cluster.grpc(through);
    let lease = c.grant(5).await;
    c.put_of(PutRequest { lease, ..put("k", "") }).await;
    let began = Instant::now();
    cluster.kill(leader).await;
    // Longer than its time. Whoever is asked while there is no leader says so, and the client comes back.
    while began.elapsed() < Duration::from_secs(7) {
        eventually("a renewal", async || {
            let answer = c.try_keep_alive(lease).await.ok()??;
            assert_eq!(answer.ttl, 5, "still there");
            Some(())
        })
        .await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(c.get("k").await.is_some());
}

/// A stream of renewals that is open.
struct Renewals {
    ask: mpsc::Sender<LeaseKeepAliveRequest>,
    answers: Streaming<LeaseKeepAliveResponse>,
}

impl Renewals {
    /// Opens one for a lease that lives.
    async fn open(mut c: Grpc, id: i64) -> Renewals {
        let (ask, requests) = mpsc::channel(1);
        ask.send(LeaseKeepAliveRequest { id }).await.unwrap();
        let opened = within("a stream", c.lease.lease_keep_alive(ReceiverStream::new(requests))).await;
        let mut answers = opened.unwrap().into_inner();
        assert!(within("a renewal", answers.message()).await.unwrap().unwrap().ttl > 0);
        Renewals { ask, answers }
    }

    /// The TTL that a renewal answers; none if the member cannot say.
    async fn ask(&mut self, id: i64) -> Option<i64> {
        self.ask.send(LeaseKeepAliveRequest { id }).await.ok()?;
        let answer = within("a renewal", self.answers.message()).await.ok()??;
        assert_eq!(answer.id, id);
        Some(answer.ttl)
    }

    async fn renew(&mut self, id: i64) -> i64 {
        self.ask(id).await.expect("a renewal")
    }
}

/// The TTLs that all members answer, asked at the same time.
async fn renew_everywhere(streams: &mut [Renewals], id: i64) -> Vec<i64> {
    let [a, b, c] = streams else { panic!("three members") };
    let (a, b, c) = tokio::join!(a.renew(id), b.renew(id), c.renew(id));
    vec![a, b, c]
}

/// Members that follow acknowledge what the leader has not applied. It does not renew what it only believes to live.
async fn a_leader_that_has_not_heard(gate: &[&str]) {
    let cluster = Cluster::of(3).args(gate).start().await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    let mut c = cluster.grpc(follower);
    let lease = c.grant(500).await;
    let mut asked = JoinSet::new();
    let mut streams = Vec::new();
    for member in 0..3 {
        streams.push(Renewals::open(cluster.grpc(member), lease).await);
    }
    let Some(stopped) = hold_up(&cluster, leader) else { return };
    within("a revocation", c.lease.lease_revoke(LeaseRevokeRequest { id: lease })).await.unwrap();
    for (member, mut stream) in streams.into_iter().enumerate() {
        asked.spawn(async move { (member, stream.ask(lease).await) });
    }
    let is_wrong = |answer: &(usize, Option<i64>)| answer.1.is_some_and(|ttl| ttl > 0);
    let mut answers = Vec::new();
    // They may wait for the leader's state, or say that they cannot know.
    let all = async {
        while let Some(answer) = asked.join_next().await {
            answers.push(answer.unwrap());
        }
    };
    let _ = tokio::time::timeout(LONG, all).await;
    drop(stopped);
    answers.extend(asked.join_all().await);
    assert!(!answers.iter().any(is_wrong), "m{leader} leads and has not applied the revocation: {answers:?}");
    for member in 0..3 {
        assert_eq!(cluster.grpc(member).keep_alive(lease).await.ttl, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_that_the_leader_has_not_applied() {
    a_leader_that_has_not_heard(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_that_the_leader_has_not_applied_slowly() {
    if Flavor::under_test() == Flavor::Keyport {
        a_leader_that_has_not_heard(&["--feature-gates=FastLeaseKeepAlive=false"]).await;
    }
}

/// Once any member has acknowledged that a lease lives, or that it does not, every member says the same.
async fn acknowledged_is_known_everywhere(gate: &[&str]) {
    const ROUNDS: usize = 120;
    let cluster = Cluster::of(3).args(gate).start().await;
    let mut clients: Vec<Grpc> = (0..3).map(|member| cluster.grpc(member)).collect();
    let kept = clients[0].grant(500).await;
    let mut streams = Vec::new();
    for c in &clients {
        streams.push(Renewals::open(c.clone(), kept).await);
    }
    let mut writers = JoinSet::new();
    for writer in 0..12 {
        let mut c = clients[writer % 3].clone();
        writers.spawn(async move {
            loop {
                c.put(&format!("k{writer}"), "v").await;
            }
        });
    }
    let mut wrong = Vec::new();
    for round in 0..ROUNDS {
        let through = round % 3;
        let lease = clients[(round / 3) % 3].grant(500).await;
        let granted = renew_everywhere(&mut streams, lease).await;
        let revoke = clients[through].lease.lease_revoke(LeaseRevokeRequest { id: lease });
        within("a revocation", revoke).await.unwrap();
        let revoked = renew_everywhere(&mut streams, lease).await;
        if granted != [500; 3] || revoked != [0; 3] {
            wrong.push((round, through, granted, revoked));
        }
    }
    let leader = cluster.leader().await;
    let many = wrong.len();
    wrong.truncate(5);
    assert!(many == 0, "in {many} of {ROUNDS} rounds, with m{leader} leading; round, member, TTLs: {wrong:?}");
    writers.abort_all();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_renewal_after_a_revocation() {
    // etcd's leader renews what it has not seen revoked yet.
    if Flavor::under_test() == Flavor::Keyport {
        acknowledged_is_known_everywhere(&[]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_renewal_after_a_revocation_though_slowly() {
    if !Flavor::under_test().older_than("3.7") {
        acknowledged_is_known_everywhere(&["--feature-gates=FastLeaseKeepAlive=false"]).await;
    }
}
