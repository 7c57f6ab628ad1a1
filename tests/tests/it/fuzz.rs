//! The fuzz targets for a few seconds each; `KEYPORT_TESTS_FUZZ_SECONDS` for longer, `KEYPORT_TESTS_SEED` for other inputs.

use std::time::Duration;

use bytes::Bytes;
use keyport_api::etcdserverpb::RangeRequest;
use keyport_tests::fuzz::{gateway_json, json_splitting, ranges, run, wal_replay};
use keyport_tests::random::Random;
use keyport_tests::{Flavor, Server};
use prost::Message;

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|s| s.parse().ok()).unwrap_or(usual)
}

fn fuzz(target: impl Fn(&[u8]), good: &[Bytes]) {
    let time = Duration::from_secs(setting("KEYPORT_TESTS_FUZZ_SECONDS", 3));
    let count = run(target, good, setting("KEYPORT_TESTS_SEED", 1), time);
    println!("{count} inputs");
    assert!(count > 100);
}

#[tokio::test]
async fn logs() {
    let mut server = Server::of(Flavor::Keyport).args(["--backend-batch-interval=1h"]).start();
    let mut c = server.grpc().await;
    for i in 0..30 {
        c.put(&format!("k{i}"), &"v".repeat(i * 20)).await;
    }
    server.kill();
    let wal = server.data_dir().join("member/wal");
    let mut good = Vec::new();
    for entry in std::fs::read_dir(wal).unwrap() {
        let mut bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let used = bytes.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1);
        bytes.truncate(used.next_multiple_of(8) + 64);
        good.push(bytes.into());
    }
    fuzz(wal_replay, &good);
}

#[test]
fn bodies() {
    let good = [
        r#"{"key":"AAEC","range_end":"/w==","limit":"5","sortOrder":"DESCEND","keys_only":true,"unknown":[1,{"x":null}]}"#,
        r#"{"key":"a2V5","value":"\u0061Zm8=","lease":-9223372036854775808,"prev_kv":false,"ignoreValue":true}"#,
        r#"{"compare":[{"key":"aw==","target":"MOD","result":1,"mod_revision":"7"}],"success":[{"request_put":{"key":"aw=="}},
            {"requestTxn":{"failure":[{"request_delete_range":{"key":"aw==","range_end":"AA=="}}]}}]}"#,
        r#"{"create_request":{"key":"aw==","start_revision":1e3,"filters":["NOPUT",1],"watch_id":"-1"}} {"cancel_request":{"watch_id":7}}"#,
        r#"{"progress_request":{}}"#,
    ]
    .map(|text| Bytes::from_static(text.as_bytes()));
    fuzz(gateway_json, &good);
    fuzz(json_splitting, &good);
}

#[test]
fn range_requests() {
    let mut random = Random::new(5);
    let good: Vec<Bytes> = (0..50).map(|_| RangeRequest::encode_to_vec(&random.range()).into()).collect();
    fuzz(ranges, &good);
}
