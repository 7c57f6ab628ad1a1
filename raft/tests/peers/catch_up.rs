//! Members that are too far behind for the log.

use bytes::Bytes;
use keyport_api::raftpb::{ConfChange, ConfChangeType};
use keyport_raft::Config;
use tokio::net::TcpListener;

use crate::harness::{Cluster, Member, Settings, count, until, urls};
use crate::machine::Fault;

/// Logs that are soon too short.
fn settings() -> Settings {
    let config = Config { snapshot_count: 20, snapshot_catchup_entries: 10, ..Config::new(1) };
    Settings { config, ..Settings::default() }
}

fn data(count: u32) -> Vec<Bytes> {
    (0..count).map(|number| Bytes::from(number.to_string().repeat(200))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_was_away_gets_a_snapshot_and_what_came_after() {
    // Nothing is kept for it.
    let mut settings = settings();
    settings.config.catchup_bytes = 16 << 10;
    let mut cluster = Cluster::start_with(&[1, 2, 3], &settings).await;
    let leader = cluster.leader().await.id;
    let at = cluster.0.iter().position(|member| member.id != leader).unwrap();
    let away = cluster.0.remove(at).stop().await;
    let all = data(600);
    let (before, after) = all.split_at(500);
    let leader = cluster.leader().await;
    before.iter().for_each(|data| leader.raft.propose(data.clone()).unwrap());
    cluster.agree_on(before).await;

    let back = away.resume().await;
    // The first attempt fails, so Raft has to be told and try again.
    back.state.change(|inner| inner.fault = Fault::Write);
    cluster.0.push(back);
    cluster.introduce();
    let back = cluster.0.last().unwrap();
    until("an attempt failed", || count(&back.counts.snapshots_not_received) > 0).await;
    back.state.change(|inner| inner.fault = Fault::None);
    until("a snapshot was installed", || back.state.look(|inner| inner.installed) > 0).await;
    let leader = cluster.leader().await;
    after.iter().for_each(|data| leader.raft.propose(data.clone()).unwrap());
    cluster.agree_on(&all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_member_gets_a_snapshot_while_writes_go_on() {
    let mut cluster = Cluster::start_with(&[1, 2], &settings()).await;
    let leader = cluster.leader().await;
    let all = data(1_000);
    let (before, after) = all.split_at(300);
    before.iter().for_each(|data| leader.raft.propose(data.clone()).unwrap());
    cluster.agree_on(before).await;

    let leader = cluster.leader().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let newcomer = Member::start(3, listener, &[], &settings());
    leader.peers.add(3, urls(&newcomer));
    let change = ConfChange {
        id: Some(1),
        r#type: Some(ConfChangeType::ConfChangeAddLearnerNode as i32),
        node_id: Some(3),
        context: None,
    };
    leader.raft.propose_conf_change(change).unwrap();
    after.iter().for_each(|data| leader.raft.propose(data.clone()).unwrap());
    cluster.0.push(newcomer);
    cluster.agree_on(&all).await;
    let newcomer = cluster.0.last().unwrap();
    newcomer.state.look(|inner| {
        assert!(inner.installed > 0);
        assert_eq!((inner.conf_state.voters.clone(), inner.conf_state.learners.clone()), (vec![1, 2], vec![3]));
    });
}
