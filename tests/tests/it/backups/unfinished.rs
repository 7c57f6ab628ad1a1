//! Backups of a server that was in the middle of a compaction.

use std::fs::File;
use std::path::Path;

use keyport_api::etcdserverpb::HashKvRequest;
use keyport_storage::bbolt::{Reader, Writer};
use keyport_tests::grpc::get;
use keyport_tests::wait::eventually;
use keyport_tests::{Flavor, Server};

use super::{done, etcdutl, keyport, text};

const SCHEDULED: &[u8] = b"scheduledCompactRev";
const FINISHED: &[u8] = b"finishedCompactRev";

fn meta(file: &Path, key: &[u8]) -> Option<Vec<u8>> {
    let reader = Reader::open(File::open(file).unwrap()).unwrap();
    let mut buckets = reader.buckets().unwrap();
    let mut rows = buckets.find(b"meta").unwrap().unwrap();
    while let Some(row) = rows.next_row().unwrap() {
        if row.key == key {
            return Some(row.value.to_vec());
        }
    }
    None
}

/// The same file, but that a compaction was begun.
fn begun(from: &Path, to: &Path, revision: i64) {
    let row = [&revision.to_be_bytes()[..], b"_", &[0; 8]].concat();
    let reader = Reader::open(File::open(from).unwrap()).unwrap();
    let mut writer = Writer::new(File::create(to).unwrap()).unwrap();
    let mut buckets = reader.buckets().unwrap();
    while let Some(mut rows) = buckets.next_bucket().unwrap() {
        let is_meta = rows.name() == b"meta";
        writer.bucket(rows.name()).unwrap();
        let mut due = is_meta;
        while let Some(next) = rows.next_row().unwrap() {
            if due && next.key >= SCHEDULED {
                writer.put(SCHEDULED, &row).unwrap();
                due = false;
            }
            if !is_meta || next.key != SCHEDULED {
                writer.put(next.key, next.value).unwrap();
            }
        }
        if due {
            writer.put(SCHEDULED, &row).unwrap();
        }
    }
    writer.finish().unwrap();
}

async fn hash(server: &Server, revision: i64) -> (u32, i64) {
    let answer = server.grpc().await.maintenance.hash_kv(HashKvRequest { revision }).await.unwrap().into_inner();
    (answer.hash, answer.compact_revision)
}

#[tokio::test]
async fn a_compaction_that_was_begun_is_finished_where_it_is_restored() {
    for flavor in [Flavor::Keyport].into_iter().chain(Flavor::releases()) {
        let dir = tempfile::tempdir().unwrap();
        let source = Server::of(flavor).start();
        let mut c = source.grpc().await;
        for i in 0..40 {
            c.put(&format!("k{}", i % 7), &format!("value {i}")).await;
        }
        let path = |name: &str| dir.path().join(name);
        source.etcdctl().ok(&["snapshot", "save", text(&path("whole.db"))]);
        begun(&path("whole.db"), &path("begun.db"), 30);
        assert_eq!(meta(&path("begun.db"), FINISHED), None);
        let args = |data: &Path| {
            ["restore", text(&path("begun.db")), "--skip-hash-check", "--data-dir", text(data)].map(str::to_owned)
        };
        let run = |tool: &dyn Fn(&[&str]) -> std::process::Output, data: &Path| {
            let args = args(data);
            done(&tool(&args.each_ref().map(String::as_str)));
        };
        run(&|args| keyport(args), &path("ours"));
        run(&|args| etcdutl(Flavor::Etcd, &[&["snapshot"], args].concat()), &path("theirs"));
        let ours = Server::of(Flavor::Keyport).data_dir(path("ours")).start();
        let theirs = Server::of(Flavor::Etcd).data_dir(path("theirs")).start();
        for server in [&ours, &theirs] {
            let mut before = get("k1");
            before.revision = 29;
            let refused = server.grpc().await.kv.range(before).await.unwrap_err();
            assert!(refused.message().contains("compacted"), "{refused}");
        }
        // It goes on in the background; the hash is of what it leaves.
        eventually("both have finished", async || (hash(&ours, 0).await == hash(&theirs, 0).await).then_some(())).await;
        assert_eq!(hash(&ours, 35).await, hash(&theirs, 35).await, "{flavor:?}");
        eventually("it is written that it is finished", async || {
            ours.etcdctl().ok(&["snapshot", "save", text(&path("after.db"))]);
            (meta(&path("after.db"), FINISHED) == meta(&path("begun.db"), SCHEDULED)).then_some(())
        })
        .await;
    }
}
