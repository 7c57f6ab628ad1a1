//! Clients and watchers on every member, while members and links fail. What is judged in the end is in `keyport_tests::history`.

use std::time::Duration;

use keyport_api::etcdserverpb::{DefragmentRequest, MoveLeaderRequest};
use keyport_tests::Cluster;
use keyport_tests::cluster::{Builder, ELECTION};
use keyport_tests::history::{Report, Traffic};
use keyport_tests::random::Random;
use keyport_tests::tiny::Tiny;
use keyport_tests::wait::within;

/// Longer than any election timeout.
pub(super) const LONG: Duration = Duration::from_millis(ELECTION as u64 * 2 + 300);

/// What a test does to a cluster while it is used.
async fn while_used(members: usize, harm: impl AsyncFnOnce(&mut Cluster, &mut Traffic)) -> Report {
    while_it_is_used(Cluster::of(members), harm).await
}

/// [`while_used`] for a cluster with settings.
pub(super) async fn while_it_is_used(builder: Builder, harm: impl AsyncFnOnce(&mut Cluster, &mut Traffic)) -> Report {
    let mut cluster = builder.start().await;
    let mut traffic = Traffic::start(&cluster, 1).await;
    traffic.progress(100).await;
    harm(&mut cluster, &mut traffic).await;
    cluster.heal();
    cluster.leader().await;
    traffic.progress(100).await;
    traffic.finish(&cluster).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leader_is_killed() {
    while_used(3, async |cluster, traffic| {
        for _ in 0..2 {
            let leader = cluster.leader().await;
            cluster.kill(leader).await;
            cluster.leader().await;
            traffic.progress(100).await;
            cluster.restart(leader).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_is_killed() {
    while_used(3, async |cluster, traffic| {
        for _ in 0..2 {
            let follower = cluster.follower().await;
            cluster.kill(follower).await;
            traffic.progress(100).await;
            cluster.restart(follower).await;
        }
    })
    .await;
}

/// It does not know that time has passed, and may believe that it still leads: its clients must not read what is old.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leader_is_paused() {
    while_used(3, async |cluster, traffic| {
        for _ in 0..3 {
            let leader = cluster.leader().await;
            cluster.members[leader].pause();
            cluster.leader().await;
            traffic.progress(60).await;
            cluster.members[leader].resume();
            traffic.progress(60).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_is_paused_now_and_then() {
    while_used(3, async |cluster, traffic| {
        for member in [0, 1, 2, 0, 1, 2] {
            cluster.members[member].pause();
            traffic.run_for(LONG / 3).await;
            cluster.members[member].resume();
            traffic.progress(10).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leader_is_cut_off() {
    while_used(3, async |cluster, traffic| {
        for _ in 0..2 {
            let leader = cluster.leader().await;
            let rest: Vec<usize> = (0..3).filter(|i| *i != leader).collect();
            cluster.network.isolate(cluster.members[leader].id);
            cluster.leader_among(&rest).await;
            traffic.progress(100).await;
            cluster.network.heal();
            cluster.leader().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_works_one_way_only() {
    while_used(3, async |cluster, traffic| {
        let leader = cluster.leader().await;
        let follower = cluster.follower().await;
        let (l, f) = (cluster.members[leader].id, cluster.members[follower].id);
        for (from, to) in [(l, f), (f, l)] {
            cluster.network.cut(from, to);
            traffic.run_for(LONG).await;
            traffic.progress(50).await;
            cluster.network.heal();
            cluster.leader().await;
        }
    })
    .await;
}

/// Two of three cannot hear each other, and both hear the third.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_one_sees_everybody() {
    while_used(3, async |cluster, traffic| {
        for round in 0..2 {
            let leader = cluster.leader().await;
            let others: Vec<usize> = (0..3).filter(|i| *i != leader).collect();
            // The leader in the middle, then at an end.
            let pair = if round == 0 { others } else { vec![leader, others[0]] };
            let ids = cluster.ids(&pair);
            cluster.network.partition(&ids[..1], &ids[1..]);
            traffic.run_for(LONG).await;
            traffic.progress(60).await;
            cluster.network.heal();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_reset() {
    while_used(3, async |cluster, traffic| {
        for round in 0..12 {
            cluster.network.reset(cluster.members[round % 3].id);
            traffic.progress(20).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_is_slow() {
    while_used(3, async |cluster, traffic| {
        let follower = cluster.follower().await;
        let id = cluster.members[follower].id;
        cluster.network.delay(id, Duration::from_millis(150));
        traffic.progress(150).await;
        cluster.network.heal();
        cluster.network.throttle(id, 20_000);
        traffic.progress(150).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart() {
    while_used(3, async |cluster, traffic| {
        for member in 0..3 {
            let status = cluster.members[member].stop().await;
            assert!(cluster.is_etcd() || status.success(), "{status}");
            traffic.progress(50).await;
            cluster.restart(member).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_is_killed() {
    while_used(3, async |cluster, traffic| {
        for _ in 0..2 {
            for member in 0..3 {
                cluster.kill(member).await;
            }
            for member in 0..3 {
                cluster.launch(member);
            }
            for member in 0..3 {
                cluster.until_ready(member).await;
            }
            traffic.progress(100).await;
        }
    })
    .await;
}

/// Killed while they compact and defragment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_they_tidy_up() {
    while_used(3, async |cluster, traffic| {
        for member in [0, 1, 2, 0] {
            traffic.progress(60).await;
            let c = cluster.grpc((member + 1) % 3);
            traffic.compact(c, member == 1).await;
            let mut c = cluster.grpc(member);
            let tidy = tokio::spawn(async move { c.maintenance.defragment(DefragmentRequest {}).await });
            traffic.progress(member as u64).await;
            cluster.kill(member).await;
            drop(within("the call ends", tidy).await);
            cluster.restart(member).await;
            let mut c = cluster.grpc(member);
            within("defragment", c.maintenance.defragment(DefragmentRequest {})).await.unwrap();
        }
    })
    .await;
}

/// One by one, new members take the place of the first three.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_come_and_go() {
    while_used(3, async |cluster, traffic| {
        for (round, learner) in [(0, false), (1, true)] {
            let leader = cluster.leader().await;
            let new = cluster.add(leader, learner).await;
            cluster.launch(new);
            if learner {
                cluster.promote(leader, new).await;
            }
            cluster.until_ready(new).await;
            traffic.follow(cluster, new, 7);
            traffic.progress(60).await;
            // The leader itself the first time.
            let old = if round == 0 { leader } else { cluster.follower().await };
            let through = cluster.serving().into_iter().find(|i| *i != old).unwrap();
            cluster.remove(through, old).await;
            let status = cluster.members[old].end().await;
            assert!(status.success(), "{status}");
            traffic.leave(old);
            cluster.leader().await;
            traffic.progress(60).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leader_is_moved() {
    while_used(3, async |cluster, traffic| {
        for round in 0..6 {
            let leader = cluster.leader().await;
            let to = cluster.members[(leader + 1 + round % 2) % 3].id;
            let mut c = cluster.grpc(leader);
            let moved = within("a move", c.maintenance.move_leader(MoveLeaderRequest { target_id: to })).await;
            assert!(moved.is_ok(), "{moved:?}");
            let now = cluster.leader().await;
            assert_eq!(cluster.members[now].id, to);
            traffic.progress(30).await;
        }
    })
    .await;
}

/// The one whose disk is full stops; the others go on; with room again it comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_fills_up() {
    let Some(tiny) = Tiny::new(140) else { return eprintln!("skipped: may not mount") };
    let mut cluster = Cluster::of(3).data_dir(2, tiny.path().join("data")).start().await;
    let traffic = Traffic::start(&cluster, 1).await;
    traffic.progress(100).await;
    tiny.fill();
    let leader = cluster.leader().await;
    let mut c = cluster.grpc(if leader == 2 { 0 } else { leader });
    let mut written = 0;
    while cluster.members[2].ended().is_none() {
        traffic.write_elsewhere(&mut c, &format!("big/{}", written % 4), &"x".repeat(1_000_000)).await;
        written += 1;
        assert!(written < 200, "the disk of m2 is not full");
    }
    cluster.leader_among(&[0, 1]).await;
    traffic.progress(100).await;
    tiny.grow();
    cluster.restart(2).await;
    traffic.progress(50).await;
    traffic.finish(&cluster).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_in_two_parts() {
    while_used(5, in_two_parts).await;
}

/// The leader is in the smaller part, then in the larger one.
pub(super) async fn in_two_parts(cluster: &mut Cluster, traffic: &mut Traffic) {
    for with_leader in [true, false] {
        let leader = cluster.leader().await;
        let mut others: Vec<usize> = (0..5).filter(|i| *i != leader).collect();
        let last = others.split_off(2);
        let (minority, majority) = match with_leader {
            true => (vec![leader, others[0]], [&others[1..], &last].concat()),
            false => (others, [&[leader], last.as_slice()].concat()),
        };
        cluster.partition(&minority, &majority);
        cluster.leader_among(&majority).await;
        traffic.progress(100).await;
        cluster.heal();
        cluster.leader().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_of_five_are_killed() {
    while_used(5, async |cluster, traffic| {
        let (leader, follower) = (cluster.leader().await, cluster.follower().await);
        cluster.kill(leader).await;
        cluster.kill(follower).await;
        cluster.leader().await;
        traffic.progress(100).await;
        cluster.restart(follower).await;
        traffic.progress(30).await;
        cluster.restart(leader).await;
    })
    .await;
}

/// Whatever a seed says, for a while: `make soak` repeats it with other seeds until its time is over.
async fn chaos(seed: u64, members: usize, rounds: usize) -> Report {
    println!("chaos of seed {seed} on {members} members");
    let mut random = Random::new(seed);
    while_used(members, async |cluster, traffic| {
        for _ in 0..rounds {
            let victim = random.below(members);
            let id = cluster.members[victim].id;
            match random.below(9) {
                0 | 1 => {
                    cluster.kill(victim).await;
                    traffic.run_for(Duration::from_millis(random.below(1500) as u64)).await;
                    cluster.launch(victim);
                }
                2 => {
                    cluster.members[victim].stop().await;
                    cluster.launch(victim);
                }
                3 => {
                    cluster.members[victim].pause();
                    traffic.run_for(Duration::from_millis(random.below(1500) as u64)).await;
                    cluster.members[victim].resume();
                }
                4 => {
                    cluster.network.isolate(id);
                    traffic.run_for(LONG).await;
                    cluster.network.heal();
                }
                5 => {
                    let other = cluster.members[(victim + 1) % members].id;
                    cluster.network.cut(id, other);
                    traffic.run_for(LONG).await;
                    if random.one_in(2) {
                        cluster.network.heal();
                    }
                }
                6 => cluster.network.delay(id, Duration::from_millis(random.below(200) as u64)),
                7 => {
                    cluster.network.reset(id);
                    cluster.network.heal();
                }
                _ => {
                    for member in 0..members {
                        cluster.kill(member).await;
                    }
                    for member in 0..members {
                        cluster.launch(member);
                    }
                }
            }
            traffic.run_for(Duration::from_millis(300)).await;
            for member in &mut cluster.members {
                assert!(member.ended().is_none(), "{} ended by itself", member.name);
            }
        }
        cluster.network.heal();
        for member in 0..members {
            cluster.until_ready(member).await;
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anything_goes() {
    let seed = std::env::var("KEYPORT_TESTS_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    chaos(seed, 3, 6).await;
}

/// `KEYPORT_SOAK=minutes`: seeds one after the other, three and five members, until the time is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soak() {
    let Some(minutes) = std::env::var("KEYPORT_SOAK").ok().and_then(|m| m.parse::<u64>().ok()) else { return };
    let end = std::time::Instant::now() + Duration::from_secs(minutes * 60);
    let first = std::env::var("KEYPORT_TESTS_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(seed_of_today);
    for seed in first.. {
        if std::time::Instant::now() >= end {
            break;
        }
        chaos(seed, if seed % 3 == 0 { 5 } else { 3 }, 10).await;
    }
}

fn seed_of_today() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(1, |now| now.as_secs())
}
