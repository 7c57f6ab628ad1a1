//! A member whose data differs from the others' is found, by whom and with which consequences.

use std::path::Path;

use keyport_api::etcdserverpb::{AlarmRequest, AlarmType, HashRequest};
use keyport_storage::backend::{Backend, BackendOptions, Batch, RowKey};
use keyport_tests::Cluster;
use keyport_tests::grpc::{get, put, refused, text};
use keyport_tests::wait::{eventually, within};
use tonic::Code;

/// Removes one row from the database of a member that does not run: what a failing disk or a bug would do.
fn damage(data: &Path) {
    let backend = Backend::open(&data.join("member/snap/db"), BackendOptions::default()).unwrap();
    let row = RowKey::new(2, 0);
    assert!(backend.record(row).unwrap().is_some());
    let mut batch = Batch::new();
    batch.delete_record(row);
    backend.commit(batch, None);
    backend.flush().unwrap();
}

async fn damaged(args: &[&str]) -> Option<(Cluster, usize)> {
    let mut cluster = Cluster::of(3).args(args.iter().copied()).start().await;
    if cluster.is_etcd() {
        return None; // another database
    }
    let mut c = cluster.grpc(0);
    for i in 0..20 {
        c.put(&format!("k{i}"), "as it was").await;
    }
    let follower = cluster.follower().await;
    // A hash is of what is on disk, so all of it is by then.
    within("a hash", cluster.grpc(follower).maintenance.hash(HashRequest {})).await.unwrap();
    assert!(cluster.members[follower].stop().await.success());
    damage(cluster.members[follower].data_dir());
    Some((cluster, follower))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn found_while_it_runs() {
    let Some((mut cluster, follower)) = damaged(&["--corrupt-check-time=1s"]).await else { return };
    // It may never be healthy: whether it is found first depends on when the others look.
    cluster.launch(follower);
    let id = cluster.members[follower].id;
    let mut c = cluster.grpc(cluster.leader().await);
    let alarms = eventually("the alarm", async || {
        let alarms = c.maintenance.alarm(AlarmRequest::default()).await.ok()?.into_inner().alarms;
        (!alarms.is_empty()).then_some(alarms)
    })
    .await;
    assert_eq!((alarms[0].alarm(), alarms[0].member_id), (AlarmType::Corrupt, id), "{alarms:?}");
    for member in 0..3 {
        eventually("its clients can see the alarm", async || {
            let errors = cluster.status(member).await.ok()?.errors;
            errors.iter().any(|error| error.contains("CORRUPT")).then_some(())
        })
        .await;
        let mut c = cluster.grpc(member);
        let refusal = within("a put", c.kv.put(put("k", ""))).await;
        refused(refusal, Code::DataLoss, "etcdserver: corrupt cluster");
        assert_eq!(text(&c.range(get("k1")).await.kvs[0].value), "as it was");
        let health = cluster.members[member].http().get("/health").await;
        assert_eq!(health.status, 503, "{}", health.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn found_at_its_start() {
    let Some((mut cluster, follower)) = damaged(&["--feature-gates=InitialCorruptCheck=true"]).await else { return };
    cluster.launch(follower);
    let status = cluster.members[follower].end().await;
    assert_eq!(status.code(), Some(1));
    let log = cluster.members[follower].log();
    assert!(log.to_lowercase().contains("corrupt"), "{log}");
    cluster.grpc(cluster.leader().await).put("k", "the others go on").await;
}

/// Nobody is accused who is only late, paused or just back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_found_where_nothing_is() {
    let gates = "--feature-gates=InitialCorruptCheck=true,CompactHashCheck=true";
    let mut cluster = Cluster::of(3).args(["--corrupt-check-time=300ms", gates]).start().await;
    if cluster.is_etcd() {
        return;
    }
    let traffic = keyport_tests::history::Traffic::start(&cluster, 21).await;
    for _ in 0..2 {
        let leader = cluster.leader().await;
        cluster.kill(leader).await;
        traffic.progress(100).await;
        cluster.restart(leader).await;
    }
    let follower = cluster.follower().await;
    cluster.members[follower].pause();
    traffic.progress(100).await;
    cluster.members[follower].resume();
    traffic.progress(100).await;
    let mut c = cluster.grpc(0);
    let alarms = within("alarms", c.maintenance.alarm(AlarmRequest::default())).await.unwrap().into_inner().alarms;
    assert!(alarms.is_empty(), "{alarms:?}");
    traffic.finish(&cluster).await;
}
