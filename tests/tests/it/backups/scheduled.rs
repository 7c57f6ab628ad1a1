//! `--backup-interval`: backups that a member makes of itself.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use keyport_tests::wait::eventually;
use keyport_tests::{Flavor, Server};

use super::{done, keyport, restore, text};

fn files(dir: &Path) -> BTreeSet<PathBuf> {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "db")).collect()
}

fn flags(dir: &Path, interval: &str) -> [String; 3] {
    [format!("--backup-dir={}", dir.display()), format!("--backup-interval={interval}"), "--backup-keep=2".to_owned()]
}

async fn metric(server: &Server, name: &str) -> f64 {
    let text = server.http().get("/metrics").await.text();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
}

#[tokio::test]
async fn they_are_made_looked_through_and_the_oldest_go() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("made/here");
    let server = Server::builder().args(flags(&dir, "1s")).start();
    let mut c = server.grpc().await;
    c.put("k", "v").await;
    let mut seen = BTreeSet::new();
    eventually("four backups", async || {
        seen.extend(files(&dir));
        (seen.len() >= 4).then_some(())
    })
    .await;
    eventually("two of them", async || (files(&dir).len() <= 2).then_some(())).await;
    let newest = eventually("one that is not just being removed", async || {
        let newest = files(&dir).pop_last()?;
        fs::copy(newest, place.path().join("backup.db")).ok().map(|_| place.path().join("backup.db"))
    })
    .await;
    done(&keyport(&["status", text(&newest)]));
    let data = place.path().join("data");
    restore(Flavor::Keyport, &newest, &data);
    let restored = Server::of(Flavor::Keyport).data_dir(&data).start();
    assert_eq!(&restored.grpc().await.get("k").await.unwrap().value[..], b"v");
    assert_eq!(metric(&server, "keyport_backup_failures_total").await, 0.0);
    assert!(metric(&server, "keyport_backup_duration_seconds_count").await >= 4.0);
    assert!(metric(&server, "keyport_backup_size_bytes").await > 8192.0);
    assert!(metric(&server, "keyport_backup_age_seconds").await >= 0.0);

    // What goes wrong is counted, and it goes on as soon as it can.
    let aside = place.path().join("aside");
    fs::rename(&dir, &aside).unwrap();
    eventually("a failure", async || (metric(&server, "keyport_backup_failures_total").await >= 1.0).then_some(()))
        .await;
    c.put("k", "served").await;
    assert!(server.log().contains("failed to make a backup"));
    fs::rename(&aside, &dir).unwrap();
    let before = files(&dir);
    eventually("another one", async || files(&dir).difference(&before).next().map(|_| ())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_one_is_due_by_the_age_of_the_newest() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::builder().args(flags(dir.path(), "1h")).start();
    let first = eventually("the first", async || files(dir.path()).pop_last()).await;
    server.kill();
    let left = first.with_extension("db.part");
    fs::write(&left, "half of one").unwrap();
    server.restart();
    eventually("what was left half made is gone", async || (!left.exists()).then_some(())).await;
    assert_eq!(files(dir.path()).len(), 1, "none is due");
    eventually("its age", async || (metric(&server, "keyport_backup_age_seconds").await >= 0.0).then_some(())).await;
    server.stop();
    let old = SystemTime::now() - Duration::from_secs(3601);
    fs::File::options().write(true).open(&first).unwrap().set_modified(old).unwrap();
    server.restart();
    eventually("the second", async || (files(dir.path()).len() == 2).then_some(())).await;
}

#[tokio::test]
async fn a_directory_that_cannot_be_is_found_out_at_the_start() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    for (args, why) in [
        (flags(&file, "1h").to_vec(), "--backup-dir: cannot make "),
        (flags(&file.join("below"), "1h").to_vec(), "--backup-dir: cannot make "),
        (flags(Path::new("/proc"), "1h").to_vec(), "--backup-dir: cannot write to /proc"),
        (vec!["--backup-interval=1h".to_owned()], "--backup-interval needs --backup-dir"),
    ] {
        let out = Server::builder().args(&args).run_to_end();
        let log = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(!out.status.success() && log.contains(why), "{args:?}: {log}");
    }
}
