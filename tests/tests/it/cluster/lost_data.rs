//! A member whose data is gone has forgotten what it promised. It says so and ends; only as a new member it may come back.

use std::path::Path;

use keyport_tests::Cluster;

/// Copies a directory with all that is in it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder can be made");
    for entry in std::fs::read_dir(from).expect("the folder can be read") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a file can be copied");
        }
    }
}

/// What a member that must not go on says at its end.
async fn last_words(cluster: &mut keyport_tests::cluster::Cluster, member: usize) -> String {
    let status = cluster.members[member].end().await;
    let log = cluster.members[member].log();
    assert_eq!(status.code(), Some(1), "{log}");
    log.lines().rev().find(|line| line.contains("the server cannot go on")).expect("a reason").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_directory() {
    let mut cluster = Cluster::of(3).start().await;
    if cluster.is_etcd() {
        return; // it goes on, and does harm
    }
    let (leader, lost) = (cluster.leader().await, cluster.follower().await);
    cluster.kill(lost).await;
    let data = cluster.members[lost].data_dir().to_path_buf();
    for existing in [true, false] {
        std::fs::remove_dir_all(&data).expect("its data can be removed");
        cluster.launch_as(lost, existing);
        let words = last_words(&mut cluster, lost).await;
        let id = cluster.members[lost].id;
        assert!(words.contains(&format!("member {id:x} has already been bootstrapped")), "{words}");
        assert!(words.contains(&data.display().to_string()) && words.contains("remove the member"), "{words}");
    }
    // The others go on, and it comes back as another one.
    let mut c = cluster.grpc(leader);
    c.put("k", "v").await;
    cluster.remove(leader, lost).await;
    let new = cluster.add(leader, false).await;
    cluster.restart(new).await;
    c.put("k", "w").await;
    cluster.until_equal().await;
}

/// As from a backup of its disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_directory() {
    let mut cluster = Cluster::of(3).start().await;
    if cluster.is_etcd() {
        return; // it panics
    }
    let (leader, lost) = (cluster.leader().await, cluster.follower().await);
    let mut c = cluster.grpc(leader);
    c.put("k", "before").await;
    cluster.kill(lost).await;
    let data = cluster.members[lost].data_dir().to_path_buf();
    let backup = cluster.scratch().join("backup");
    copy(&data, &backup);
    cluster.restart(lost).await;
    for n in 0..20 {
        c.put("k", &n.to_string()).await;
    }
    cluster.until_equal().await;
    cluster.kill(lost).await;
    std::fs::remove_dir_all(&data).expect("its data can be removed");
    copy(&backup, &data);
    cluster.launch(lost);
    let words = last_words(&mut cluster, lost).await;
    assert!(words.contains("is not the one that this member had before"), "{words}");
    assert!(words.contains(&data.display().to_string()) && words.contains("remove the member"), "{words}");
    assert_eq!(cluster.leader().await, leader);
    c.put("k", "after").await;
}
