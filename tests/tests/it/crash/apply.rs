//! A member that cannot apply what was decided ends, with a reason, rather than go on with something else.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use keyport_api::etcdserverpb::{RangeRequest, TxnRequest};
use keyport_tests::Server;
use keyport_tests::grpc::{IntoOp, get, put};
use keyport_tests::wait::{eventually, within};

/// Where these bytes are in the file.
fn places(file: &Path, bytes: &[u8]) -> Vec<u64> {
    let content = fs::read(file).unwrap();
    content.windows(bytes.len()).enumerate().filter(|(_, window)| *window == bytes).map(|(at, _)| at as u64).collect()
}

/// A transaction reads a row that the disk has lost meanwhile: nothing of the transaction is there afterwards.
#[tokio::test]
async fn a_row_that_is_damaged_while_it_serves() {
    let mut server = Server::builder().args(["--backend-batch-interval=10ms"]).start();
    if server.is_etcd() {
        return;
    }
    let db = server.data_dir().join("member/snap/db");
    let mut c = server.grpc().await;
    let revision = c.put("lost", "the value of before").await;
    c.put("lost", "now").await;
    // More than the database keeps of its file in memory.
    let filler = "x".repeat(1_000_000);
    for i in 0..25 {
        c.put(&format!("filler{i}"), &filler).await;
    }
    c.put("last", "everything is in the file").await;
    eventually("a flush", async || places(&db, b"everything is in the file").first().copied()).await;
    // The key of a row: without it the row is none.
    let row = b"\x0a\x04lost";
    let file = fs::File::options().write(true).open(&db).unwrap();
    let mut half = String::new();
    for attempt in 0.. {
        for at in places(&db, row) {
            file.write_all_at(&[0xff; 6], at).unwrap();
        }
        half = format!("half{attempt}");
        let read = RangeRequest { revision, ..get("lost") };
        let txn = TxnRequest { success: vec![put(&half, "x").op(), read.op()], ..TxnRequest::default() };
        if within("the transaction", c.kv.txn(txn)).await.is_err() {
            break;
        }
        // It was still in memory: let something else take its place.
        assert!(attempt < 20, "the row is read, and it is damaged");
        for i in 0..10 {
            c.put(&format!("more{attempt}/{i}"), &filler).await;
        }
    }
    let status = eventually("its end", async || server.ended()).await;
    let log = server.log();
    assert_eq!(status.code(), Some(1), "{log}");
    let line = log.lines().find(|line| line.contains("cannot apply what the cluster has decided")).unwrap_or(&log);
    assert!(["Txn", "corrupt", "index", "term"].iter().all(|word| line.contains(word)), "{line}");
    assert!(places(&db, half.as_bytes()).is_empty(), "half a transaction");
}
