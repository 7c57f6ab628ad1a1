//! A server that comes back with much to apply and one processor to do it: it answers only when it has.

use keyport_api::etcdserverpb::{RangeRequest, TxnRequest};
use keyport_tests::Server;
use keyport_tests::grpc::{Grpc, IntoOp, list, put, revision};
use keyport_tests::wait::eventually;
use tokio::task::JoinSet;

const WRITERS: usize = 40;
/// Transactions of a writer.
const TXNS: usize = 15;
/// Keys of a transaction: what takes long to apply takes no longer to commit.
const PUTS: usize = 100;

#[tokio::test]
async fn first_reads_see_all_that_was_acknowledged() {
    let mut server = Server::builder().on_one_cpu().start();
    for round in 1..=4 {
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let mut c = server.grpc().await;
            writers.spawn(async move {
                let mut last = 0;
                for txn in 0..TXNS {
                    let one = |i: usize| put(&format!("k{round}/{writer}/{txn}/{i}"), "v").op();
                    let all = TxnRequest { success: (0..PUTS).map(one).collect(), ..TxnRequest::default() };
                    last = revision(&c.txn(all).await.header);
                }
                last
            });
        }
        let acknowledged = writers.join_all().await.into_iter().max().unwrap();
        server.kill();
        server.relaunch();
        // Asked before it listens, it answers the first moment that it can.
        let count = RangeRequest { count_only: true, ..list("k") };
        let seen = eventually("a first read", async || {
            Some(Grpc::lazy(server.addr()).kv.range(count.clone()).await.ok()?.into_inner())
        })
        .await;
        assert!(revision(&seen.header) >= acknowledged, "{} of {acknowledged}", revision(&seen.header));
        assert_eq!(seen.count, i64::try_from(round * WRITERS * TXNS * PUTS).unwrap());
    }
}
