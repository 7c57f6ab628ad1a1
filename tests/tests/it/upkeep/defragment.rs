//! Defragmentation while the member serves: nothing is lost, whatever is written meanwhile and whenever it is killed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use keyport_api::etcdserverpb::{CompactionRequest, DefragmentRequest, HashKvRequest, StatusRequest};
use keyport_tests::grpc::Grpc;
use keyport_tests::wait::{eventually, eventually_blocking, within};
use keyport_tests::{Flavor, Server};

async fn fill(c: &mut Grpc, keys: usize, bytes: usize) {
    let value = "x".repeat(bytes);
    for round in 0..2 {
        for key in 0..keys {
            c.put(&format!("k{key}"), &format!("{round}{value}")).await;
        }
    }
}

async fn hash(c: &mut Grpc, revision: i64) -> u32 {
    c.maintenance.hash_kv(HashKvRequest { revision }).await.unwrap().into_inner().hash
}

/// Puts, deletions, leases and compactions until it is told to stop: whether the other writer's answers hold is seen by the hash of
/// a server that has not been defragmented.
async fn change(mut c: Grpc, stop: Arc<AtomicBool>) {
    for number in 0_i64.. {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        c.put(&format!("k{}", number % 300), &number.to_string()).await;
        c.delete(&format!("k{}", (number * 7) % 300)).await;
        let lease = c.grant(1000).await;
        if number % 2 == 0 {
            c.lease.lease_revoke(keyport_api::etcdserverpb::LeaseRevokeRequest { id: lease }).await.unwrap();
        }
        if number % 50 == 49 {
            let revision = c.revision().await - 20;
            c.kv.compact(CompactionRequest { revision, physical: false }).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_changes_meanwhile_is_there_afterwards() {
    let mut server = Server::of(Flavor::Keyport).args(["--backend-batch-interval=10ms"]).start();
    let mut c = server.grpc().await;
    fill(&mut c, 1500, 20_000).await;
    let stop = Arc::new(AtomicBool::new(false));
    let changes = tokio::spawn(change(server.grpc().await, Arc::clone(&stop)));
    let before = c.revision().await;
    for _ in 0..4 {
        within("a defragmentation", c.maintenance.defragment(DefragmentRequest {})).await.unwrap();
    }
    let during = c.revision().await - before;
    stop.store(true, Ordering::SeqCst);
    changes.await.unwrap();
    assert!(during > 0, "something changed meanwhile");
    let revision = c.revision().await;
    let leases =
        c.lease.lease_leases(keyport_api::etcdserverpb::LeaseLeasesRequest {}).await.unwrap().into_inner().leases;
    let told = hash(&mut c, revision).await;
    // By what is in the file, and not in memory.
    server.stop();
    server.restart();
    let mut c = server.grpc().await;
    assert_eq!((c.revision().await, hash(&mut c, revision).await), (revision, told));
    let again =
        c.lease.lease_leases(keyport_api::etcdserverpb::LeaseLeasesRequest {}).await.unwrap().into_inner().leases;
    let sorted = |leases: Vec<keyport_api::etcdserverpb::LeaseStatus>| {
        let mut ids: Vec<i64> = leases.into_iter().map(|lease| lease.id).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(sorted(again), sorted(leases));
}

/// Killed at its beginning, while the copy grows, and about its end: each start finds a whole database and no leftovers, and all
/// that was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_it_starts_again() {
    let mut server = Server::of(Flavor::Keyport).args(["--backend-batch-interval=10ms"]).start();
    let mut c = server.grpc().await;
    fill(&mut c, 2000, 20_000).await;
    let folder = server.data_dir().join("member/snap");
    let copy = folder.join("db.tmp.defragment");
    let length = || std::fs::metadata(&copy).map_or(0, |file| file.len());
    let mut seen = Vec::new();
    // The sizes of the copy at which it is killed; at last once it has its name.
    for bytes in [1, 8 << 20, 20 << 20, 36 << 20, u64::MAX] {
        let mut c = server.grpc().await;
        let written = c.put("last", &bytes.to_string()).await;
        let mut asking = c.clone();
        let asked = tokio::spawn(async move { asking.maintenance.defragment(DefragmentRequest {}).await });
        let begun = std::cell::Cell::new(false);
        eventually_blocking("the copy is so long, or is the database", || {
            let now = length();
            begun.set(begun.get() || now > 0);
            let is_over = now == 0 && (begun.get() || asked.is_finished());
            (now >= bytes || is_over).then_some(())
        });
        seen.push(length());
        server.kill();
        let _ = asked.await;
        server.restart();
        let mut c = server.grpc().await;
        assert_eq!(c.get("last").await.unwrap().value, bytes.to_string());
        assert_eq!((c.revision().await, c.range(keyport_tests::grpc::list("k")).await.count), (written, 2000));
        let names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert!(names.iter().all(|name| !name.to_string_lossy().contains("tmp")), "{names:?}");
    }
    assert!(seen.iter().filter(|bytes| **bytes > 0).count() >= 2, "it was killed in the midst of it: {seen:?}");
}

/// What it gives back, and that it is told as etcd tells it.
#[tokio::test]
async fn the_file_shrinks_and_the_metrics_say_so() {
    let server = Server::start();
    let mut c = server.grpc().await;
    fill(&mut c, 200, 20_000).await;
    let revision = c.revision().await;
    c.kv.compact(CompactionRequest { revision, physical: true }).await.unwrap();
    let before = c.maintenance.status(StatusRequest {}).await.unwrap().into_inner().db_size;
    within("a defragmentation", c.maintenance.defragment(DefragmentRequest {})).await.unwrap();
    let after = c.maintenance.status(StatusRequest {}).await.unwrap().into_inner();
    assert!(after.db_size * 3 < before * 2, "{before} {after:?}");
    eventually("it is counted", async || {
        let text = server.http().get("/metrics").await.text();
        let value =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim).map(str::to_owned);
        let done = value("etcd_disk_backend_defrag_duration_seconds_count ") == Some("1".to_owned());
        (done && value("etcd_disk_defrag_inflight ") == Some("0".to_owned())).then_some(())
    })
    .await;
}
