//! Flags that earlier releases had, and what the log says of them and of the others.

use keyport_api::etcdserverpb::{CompactionRequest, StatusRequest};
use keyport_tests::grpc::{Grpc, put};
use keyport_tests::{Flavor, Server};
use serde_json::Value;

use super::{run, said};

fn lines(server: &Server) -> Vec<Value> {
    server.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[tokio::test]
async fn former_names_are_taken_and_what_to_use_instead_is_said() {
    if Flavor::under_test() != Flavor::Keyport {
        // Each release of etcd takes some of them.
        return;
    }
    let server = Server::builder()
        .args(["--max-snapshots=3", "--v2-deprecation=write-only", "--experimental-max-learners", "2"])
        .env("ETCD_EXPERIMENTAL_INITIAL_CORRUPT_CHECK", "true")
        .start();
    let lines = lines(&server);
    for text in [
        "--max-snapshots is deprecated in 3.6 and will be decommissioned in 3.8.",
        "--v2-deprecation is deprecated and scheduled for removal in v3.8. The default value is enforced, ignoring user input.",
        "--experimental-max-learners is deprecated in 3.6 and decommissioned in 3.7. Use --max-learners instead.",
        "--experimental-initial-corrupt-check is deprecated in 3.6 and decommissioned in 3.7. Use --feature-gates=InitialCorruptCheck=true instead.",
    ] {
        let said =
            |line: &&Value| line["msg"].as_str().is_some_and(|msg| msg.starts_with(text)) && line["level"] == "warn";
        assert!(lines.iter().any(|line| said(&line)), "{text}");
    }
    let gate = "etcd_server_feature_enabled{name=\"InitialCorruptCheck\",stage=\"ALPHA\"} 1";
    assert!(server.http().get("/metrics").await.text().contains(gate));
    for args in [&["--max-snapshots=few"][..], &["--v2-deprecation=soon"], &["--experimental-nonsense=1"]] {
        let out = run(args);
        assert_eq!(out.status.code(), Some(2), "{args:?}: {}", said(&out));
    }
}

/// What a command line of 3.5 says of the API of version 2: nothing, or what is refused with the reason.
#[tokio::test]
async fn what_is_gone_is_passed_over_where_nothing_of_it_is_wanted() {
    if Flavor::under_test() != Flavor::Keyport {
        // Later releases refuse all of these.
        return;
    }
    let harmless =
        ["--enable-v2=false", "--proxy", "off", "--proxy-dial-timeout=1000", "--discovery=", "--discovery-proxy="];
    let server = Server::builder().args(harmless).start();
    let lines = lines(&server);
    for name in ["enable-v2", "proxy", "proxy-dial-timeout", "discovery", "discovery-proxy"] {
        let text = format!("flag -{name} is no longer supported - ignoring");
        assert!(lines.iter().any(|line| line["msg"] == *text && line["level"] == "warn"), "{text}");
    }
    for (arg, what) in [
        ("--enable-v2", "the API of version 2"),
        ("--experimental-enable-v2v3=/v2", "the API of version 2"),
        ("--proxy=on", "the proxy for the API of version 2"),
        ("--discovery=https://discovery.example/token", "discovery by the API of version 2"),
    ] {
        let out = run(&[arg]);
        assert_eq!(out.status.code(), Some(2), "{arg}");
        assert!(said(&out).contains(&format!("asks for {what}, which is gone")), "{arg}: {}", said(&out));
    }
}

#[tokio::test]
async fn the_start_line_has_the_settings() {
    // The flag had another name before.
    if Flavor::under_test().older_than("3.6") {
        return;
    }
    let server = Server::builder().args(["--snapshot-catchup-entries=777"]).start();
    let lines = lines(&server);
    let line = lines.iter().find(|line| line["msg"] == "starting an etcd server").expect("the line");
    assert_eq!((&line["snapshot-catchup-entries"], &line["v2-deprecation"]), (&777.into(), &"write-only".into()));
}

/// Rows that were overwritten and compacted leave room, which a start gives back if it is enough.
#[tokio::test(flavor = "multi_thread")]
async fn defragmenting_at_start() {
    if Flavor::under_test().older_than("3.6") {
        return;
    }
    let mut server = Server::builder().args(["--backend-batch-interval=10ms"]).start();
    let mut c = server.grpc().await;
    for n in 0..40 {
        c.kv.put(put("large", &"x".repeat(200_000 + n))).await.unwrap();
    }
    let revision = c.revision().await;
    c.kv.compact(CompactionRequest { revision, physical: true }).await.unwrap();
    tokio::task::block_in_place(|| server.stop());
    let data = server.data_dir().to_path_buf();
    let start = |megabytes: u64| {
        let threshold = format!("--bootstrap-defrag-threshold-megabytes={megabytes}");
        tokio::task::block_in_place(|| Server::builder().data_dir(&data).args([threshold]).start())
    };
    let mut idle = start(1_000);
    let skipped = lines(&idle).into_iter().find(|line| line["msg"] == "Skipping defragmentation").expect("a line");
    assert_eq!(skipped["bootstrap-defrag-threshold-bytes"], 1_000 << 20);
    let before = size(&idle).await;
    assert_eq!(skipped["current-db-size-bytes"], before);
    assert!(before > 4_000_000, "{before} bytes");
    tokio::task::block_in_place(|| idle.stop());
    let worthwhile = start(2);
    assert!(!worthwhile.log().contains("Skipping defragmentation"));
    assert!(worthwhile.log().contains("finished defragmenting directory"), "{}", worthwhile.log());
    let after = size(&worthwhile).await;
    assert!(after < 2_000_000, "{after} bytes of {before}");
    assert_eq!(worthwhile.grpc().await.get("large").await.unwrap().value.len(), 200_039);
}

async fn size(server: &Server) -> i64 {
    let mut c = Grpc::connect(server.addr()).await;
    c.maintenance.status(StatusRequest {}).await.unwrap().into_inner().db_size
}
