//! Clusters of real nodes.

use bytes::Bytes;
use keyport_api::raftpb::{ConfChange, ConfChangeType};
use keyport_raft::Config;
use tokio::net::TcpListener;

use crate::harness::{Cluster, Member, Proxy, Settings, count, until, urls, within};

fn numbers(range: std::ops::Range<u32>) -> Vec<Bytes> {
    range.map(|number| Bytes::from(number.to_string())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_members_elect_and_replicate() {
    let cluster = Cluster::start(&[1, 2]).await;
    let data = numbers(0..500);
    let leader = cluster.leader().await;
    data.iter().for_each(|data| leader.raft.propose(data.clone()).unwrap());
    cluster.agree_on(&data).await;
    for member in &cluster.0 {
        let other = 3 - member.id;
        assert!(member.peers.active_since(other).is_some());
        assert!(count(&member.counts.sent) > 0 && count(&member.counts.received) > 0);
        until("pings come back", || count(&member.counts.round_trips) > 2).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proposals_through_any_member_reach_all_also_large_ones() {
    let cluster = Cluster::start(&[1, 2, 3]).await;
    cluster.leader().await;
    let mut data = Vec::new();
    for (at, member) in cluster.0.iter().enumerate() {
        let large = Bytes::from(vec![b'0' + member.id.to_le_bytes()[0]; 1_500_000 + at]);
        member.raft.propose(large.clone()).unwrap();
        data.push(large);
        cluster.agree_on(&data).await;
    }
    let reads = cluster.0.iter().map(|member| member.raft.read_index());
    for read in reads {
        assert!(within("an index", read).await.unwrap() >= 6);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_goes_on_without_its_leader_and_takes_it_back() {
    let mut cluster = Cluster::start(&[1, 2, 3]).await;
    let first = cluster.leader().await.id;
    let at = cluster.0.iter().position(|member| member.id == first).unwrap();
    let gone = cluster.0.remove(at);
    let gone = gone.stop().await;
    until("another leader", || cluster.0.iter().all(|member| ![0, first].contains(&member.raft.leader()))).await;
    let data = numbers(0..100);
    let leader = cluster.leader().await;
    data.iter().for_each(|data| leader.raft.propose(data.clone()).unwrap());
    cluster.agree_on(&data).await;
    cluster.0.push(gone.resume().await);
    cluster.introduce();
    cluster.agree_on(&data).await;
}

/// Where nobody listens any more, nobody is waited for: by the clock this election would begin after half an hour.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_death_of_a_leader_is_noticed() {
    let config = Config { election_ticks: 100_000, ..Config::new(1) };
    let mut cluster = Cluster::start_with(&[1, 2, 3], &Settings { config, ..Settings::default() }).await;
    let connected = |member: &Member| (1..=3).all(|id| id == member.id || member.peers.active_since(id).is_some());
    until("all are connected", || cluster.0.iter().all(connected)).await;
    cluster.0[0].raft.campaign().unwrap();
    assert_eq!(cluster.leader().await.id, 1);
    cluster.0.remove(0).stop().await;
    until("another leader", || cluster.0.iter().all(|member| member.raft.leader() > 1)).await;
    let data = numbers(0..10);
    let leader = cluster.leader().await;
    data.iter().for_each(|data| leader.raft.propose(data.clone()).unwrap());
    cluster.agree_on(&data).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_come_back_when_a_listener_does() {
    let cluster = Cluster::unconnected(&[1, 2, 3], &Settings::default()).await;
    let mut proxy = Proxy::new(cluster.0[0].listener.as_ref().unwrap().address).await;
    cluster.introduce_with(|id, urls| if id == 1 { vec![proxy.url()] } else { urls });
    cluster.leader().await;
    for member in &cluster.0[1..] {
        until("the stream is up", || member.peers.active_since(1).is_some()).await;
    }
    proxy.cut().await;
    for member in &cluster.0[1..] {
        until("the stream is lost", || count(&member.counts.disconnected) > 0).await;
        until("it is known to be lost", || member.peers.active_since(1).is_none()).await;
    }
    proxy.mend().await;
    for member in &cluster.0[1..] {
        until("the stream is back", || member.peers.active_since(1).is_some()).await;
    }
    let data = numbers(0..10);
    let leader = cluster.leader().await;
    data.iter().for_each(|data| leader.raft.propose(data.clone()).unwrap());
    cluster.agree_on(&data).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_knows_nobody_answers_the_leader_that_comes() {
    let mut cluster = Cluster::start(&[1, 2]).await;
    let leader = cluster.leader().await;
    leader.raft.propose(Bytes::from_static(b"x")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let newcomer = Member::start(3, listener, &[], &Settings::default());
    leader.peers.add(3, urls(&newcomer));
    let change = ConfChange {
        id: Some(1),
        r#type: Some(ConfChangeType::ConfChangeAddNode as i32),
        node_id: Some(3),
        context: None,
    };
    leader.raft.propose_conf_change(change).unwrap();
    cluster.0.push(newcomer);
    cluster.agree_on(&[Bytes::from_static(b"x")]).await;
}
