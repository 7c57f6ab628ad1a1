//! Leases live on the leader: every member passes on what is asked about them, and a new leader starts them anew.

use std::time::{Duration, Instant};

use keyport_api::etcdserverpb::{
    LeaseGrantRequest, LeaseLeasesRequest, LeaseRevokeRequest, LeaseTimeToLiveRequest, PutRequest,
};
use keyport_api::mvccpb::event::EventType;
use keyport_tests::Cluster;
use keyport_tests::grpc::{put, refused, watch};
use keyport_tests::wait::{eventually, within};
use serde_json::json;
use tonic::Code;

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
            let once = tokio_stream::iter([keyport_api::etcdserverpb::LeaseKeepAliveRequest { id: lease }]);
            let mut answers = c.lease.lease_keep_alive(once).await.ok()?.into_inner();
            let answer = answers.message().await.ok()??;
            assert_eq!(answer.ttl, 5, "still there");
            Some(())
        })
        .await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(c.get("k").await.is_some());
}
