//! Members with different settings: what one of them decides by its own, all of them go by.

use keyport_api::etcdserverpb::{LeaseGrantRequest, MemberAddRequest, MoveLeaderRequest};
use keyport_tests::Cluster;
use keyport_tests::cluster::changes::settled;
use keyport_tests::grpc::refused;
use keyport_tests::server::free_port;
use keyport_tests::wait::{eventually, within};
use tonic::Code;

/// What some leases get when they are renewed by the leader.
async fn renewed(cluster: &Cluster, leader: usize, leases: &[i64]) -> Vec<i64> {
    let mut c = cluster.grpc(leader);
    let mut ttls = Vec::new();
    for id in leases {
        ttls.push(c.keep_alive(*id).await.ttl);
    }
    ttls
}

async fn make_leader(cluster: &Cluster, member: usize) {
    eventually("it leads", async || {
        let leader = cluster.leader().await;
        let request = MoveLeaderRequest { target_id: cluster.members[member].id };
        let _ = cluster.grpc(leader).maintenance.move_leader(request).await;
        (cluster.leader().await == member).then_some(())
    })
    .await;
}

/// A short TTL is raised to what the member that grants it needs for an election; whoever leads, that is the lease's TTL.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shortest_ttl() {
    // So long that no lease ends meanwhile.
    let mut cluster = Cluster::of(3)
        .args_of(0, ["--election-timeout=10000"])
        .args_of(1, ["--election-timeout=20000"])
        .args_of(2, ["--election-timeout=30000"])
        .start()
        .await;
    if cluster.is_etcd() {
        // There every member raises it by its own setting.
        return;
    }
    let (mut leases, mut told) = (Vec::new(), Vec::new());
    for member in 0..3 {
        let request = LeaseGrantRequest { ttl: 1, id: 0 };
        let lease = within("a grant", cluster.grpc(member).lease.lease_grant(request)).await.unwrap().into_inner();
        leases.push(lease.id);
        told.push(lease.ttl);
    }
    assert_eq!(told, [15, 30, 45], "half as long again as an election timeout");
    for member in 0..3 {
        make_leader(&cluster, member).await;
        assert_eq!(renewed(&cluster, member, &leases).await, told, "m{member} leads");
    }
    // By its rows, too.
    for member in 0..3 {
        make_leader(&cluster, (member + 1) % 3).await;
        cluster.kill(member).await;
        cluster.restart(member).await;
        make_leader(&cluster, member).await;
        assert_eq!(renewed(&cluster, member, &leases).await, told, "m{member} leads and was away");
    }
}

/// A change counts as the member judged it that was asked for it, so no member parts ways with the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_many_learners() {
    let mut cluster = Cluster::of(3).args_of(1, ["--max-learners=2"]).args_of(2, ["--max-learners=2"]).start().await;
    if cluster.is_etcd() {
        // There every member judges it by its own setting.
        return;
    }
    let clients = [0, 1, 2].map(|member| cluster.grpc(member));
    let add = async |through: usize| {
        let mut c = clients[through].clone();
        let request =
            MemberAddRequest { peer_ur_ls: vec![format!("http://127.0.0.1:{}", free_port())], is_learner: true };
        settled(async || c.cluster.member_add(request.clone()).await).await
    };
    let too_many = "etcdserver: too many learner members in cluster";
    add(1).await.unwrap();
    refused(add(0).await, Code::FailedPrecondition, too_many);
    add(1).await.unwrap();
    refused(add(2).await, Code::FailedPrecondition, too_many);
    refused(add(0).await, Code::FailedPrecondition, too_many);
    let members = cluster.list(0, true).await.unwrap();
    assert_eq!(members.iter().filter(|member| member.is_learner).count(), 2);
    for member in 0..3 {
        assert_eq!(cluster.list(member, true).await.unwrap(), members);
    }
    // By its log, too.
    cluster.kill(2).await;
    cluster.restart(2).await;
    assert_eq!(cluster.list(2, true).await.unwrap(), members);
    cluster.grpc(2).put("k", "v").await;
    cluster.until_equal().await;
}
