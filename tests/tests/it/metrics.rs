//! The metrics beside those of the etcd release that Keyport follows. What differs on purpose stands with its reason in
//! `tests/golden/metrics.txt`.

use std::collections::BTreeMap;

use keyport_tests::grpc::list;
use keyport_tests::{Flavor, Server};
use serde_json::json;

const EXPECTED: &str = include_str!("../../golden/metrics.txt");

/// Keyport, and the etcd that it follows where there is one.
fn servers() -> impl Iterator<Item = Server> {
    let peers = Flavor::peers().into_iter().filter(|peer| !peer.older_than("3.7"));
    [Flavor::Keyport].into_iter().chain(peers).map(|flavor| Server::of(flavor).start())
}

/// Names and types.
fn families(text: &str) -> BTreeMap<&str, &str> {
    text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect()
}

/// What the list says of one side.
fn expected(etcd: bool) -> BTreeMap<&'static str, &'static str> {
    let lines = EXPECTED.lines().filter(|line| !line.starts_with('#'));
    let rows = lines.filter_map(|line| {
        let mut words = line.splitn(4, ' ');
        let (sign, name, kind, reason) = (words.next()?, words.next()?, words.next()?, words.next());
        let here = match sign {
            "=" => true,
            "-" => etcd,
            _ => panic!("{line}"),
        };
        assert!(sign == "=" || reason.is_some(), "a difference has a reason: {line}");
        here.then_some((name, kind))
    });
    rows.collect()
}

#[tokio::test]
async fn names_and_types_are_those_of_etcd_but_for_known_differences() {
    for server in servers() {
        let http = server.http();
        http.call("/v3/kv/put", json!({ "key": "aw==", "value": "dg==" })).await;
        http.call("/v3/kv/range", json!({ "key": "aw==" })).await;
        let alarm = json!({ "action": "ACTIVATE", "alarm": "NOSPACE", "memberID": "5" });
        http.call("/v3/maintenance/alarm", alarm).await;
        http.get("/livez").await;
        http.get("/readyz").await;
        let text = http.get("/metrics").await.text();
        let (found, expected) = (families(&text), expected(server.is_etcd()));
        let missing: Vec<_> = expected.iter().filter(|row| found.get(row.0) != Some(row.1)).collect();
        let own = |name: &str| !server.is_etcd() && name.starts_with("keyport_");
        let surplus: Vec<_> = found.iter().filter(|row| expected.get(row.0) != Some(row.1) && !own(row.0)).collect();
        assert!(missing.is_empty() && surplus.is_empty(), "{:?}: {missing:?}, {surplus:?}", server.flavor());
    }
}

/// Which requests are counted, and as what: one that was refused before it reached the log or the store is not, and a
/// refusal by the state machine is an answer.
#[tokio::test]
async fn requests_are_timed_by_type_and_success() {
    for server in servers() {
        let http = server.http();
        // Whoever waited for the server has asked for its health, which is a range to etcd.
        let before = http.get("/metrics").await.text();
        let key = json!({ "key": "aw==" });
        let read = |extra: serde_json::Value| json!({ "success": [{ "requestRange": extra }] });
        for (path, body) in [
            ("kv/put", json!({ "key": "aw==", "value": "dg==" })),
            ("kv/put", json!({ "key": "aw==", "lease": "99" })),
            ("kv/put", json!({})),
            ("kv/range", key.clone()),
            ("kv/range", json!({ "key": "aw==", "serializable": true })),
            ("kv/range", json!({ "key": "aw==", "revision": "999" })),
            ("kv/range", json!({})),
            ("kv/txn", read(key.clone())),
            ("kv/txn", read(json!({ "key": "aw==", "revision": "999" }))),
            ("kv/txn", json!({ "success": [{ "requestPut": key }] })),
            ("kv/deleterange", json!({ "key": "eg==" })),
            ("kv/compaction", json!({ "revision": "2" })),
            ("kv/compaction", json!({ "revision": "2" })),
            ("kv/compaction", json!({ "revision": "999" })),
            ("lease/grant", json!({ "TTL": "60" })),
            ("lease/revoke", json!({ "ID": "1" })),
            ("maintenance/alarm", json!({})),
        ] {
            http.post(&format!("/v3/{path}"), body.to_string()).await;
        }
        let after = http.get("/metrics").await.text();
        let count = |text: &str, series: &str| {
            let found = text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse::<u64>().ok());
            found.unwrap_or_default()
        };
        for (labels, expected) in [
            ("request_duration_seconds_count{success=\"false\",type=\"Range\"}", 1),
            ("request_duration_seconds_count{success=\"false\",type=\"ReadonlyTxn\"}", 1),
            ("request_duration_seconds_count{success=\"false\",type=\"Put\"}", 0),
            ("request_duration_seconds_count{success=\"true\",type=\"Alarm\"}", 1),
            ("request_duration_seconds_count{success=\"true\",type=\"Compaction\"}", 3),
            ("apply_duration_seconds_count{op=\"Compaction\",success=\"true\",version=\"v3\"}", 2),
            ("apply_duration_seconds_count{op=\"Compaction\",success=\"false\",version=\"v3\"}", 1),
            ("apply_duration_seconds_count{op=\"Put\",success=\"false\",version=\"v3\"}", 1),
            ("request_duration_seconds_count{success=\"true\",type=\"DeleteRange\"}", 1),
            ("request_duration_seconds_count{success=\"true\",type=\"LeaseGrant\"}", 1),
            ("request_duration_seconds_count{success=\"true\",type=\"LeaseRevoke\"}", 1),
            ("request_duration_seconds_count{success=\"true\",type=\"Put\"}", 2),
            ("request_duration_seconds_count{success=\"true\",type=\"Range\"}", 2),
            ("request_duration_seconds_count{success=\"true\",type=\"ReadonlyTxn\"}", 1),
            ("request_duration_seconds_count{success=\"true\",type=\"Txn\"}", 1),
            ("range_duration_seconds_count{success=\"false\"}", 1),
            ("range_duration_seconds_count{success=\"true\"}", 2),
        ] {
            let series = format!("etcd_server_{labels}");
            assert_eq!(count(&after, &series) - count(&before, &series), expected, "{:?}: {series}", server.flavor());
        }
        // What members tell each other through the log is a request, too.
        let published = "etcd_server_request_duration_seconds_count{success=\"true\",type=\"ClusterMemberAttrSet\"}";
        assert_eq!(count(&after, published), 1, "{:?}", server.flavor());
    }
}

/// Ranges, puts, deletions and transactions that each operation counts as: also what it reads by the way, and guards, which
/// are a transaction of their own.
#[tokio::test]
async fn operations_are_counted_as_etcd_counts_them() {
    const NAMES: [&str; 4] = ["range", "put", "delete", "txn"];
    for server in servers() {
        let http = server.http();
        let counts = async || -> Vec<u64> {
            let text = http.get("/metrics").await.text();
            let value = |name: &&str| {
                let series = format!("etcd_mvcc_{name}_total ");
                text.lines().find_map(|line| line.strip_prefix(&series)?.parse().ok()).expect("a count")
            };
            NAMES.iter().map(value).collect()
        };
        let key = json!({ "key": "aw==" });
        let range = json!({ "requestRange": key });
        let put = |key: &str| json!({ "requestPut": { "key": key } });
        // Holds of a key that there is not.
        let guard = json!({ "key": "bm9uZQ==", "target": "VERSION", "version": "0" });
        for (path, body, expected) in [
            ("kv/put", key.clone(), [0, 1, 0, 0]),
            ("kv/put", json!({ "key": "aw==", "prev_kv": true }), [1, 1, 0, 1]),
            ("kv/range", key.clone(), [1, 0, 0, 0]),
            ("kv/deleterange", json!({ "key": "bm9uZQ==" }), [0, 0, 1, 0]),
            ("kv/deleterange", json!({ "key": "aw==", "prev_kv": true }), [1, 0, 1, 1]),
            ("kv/txn", json!({ "success": [range] }), [1, 0, 0, 0]),
            ("kv/txn", json!({ "success": [range, range] }), [2, 0, 0, 1]),
            ("kv/txn", json!({ "compare": [guard], "success": [range] }), [2, 0, 0, 1]),
            ("kv/txn", json!({ "success": [put("aw==")] }), [0, 1, 0, 0]),
            ("kv/txn", json!({ "success": [put("aw=="), range] }), [1, 1, 0, 1]),
            ("kv/txn", json!({ "compare": [guard], "success": [put("aw==")] }), [1, 1, 0, 0]),
            ("kv/txn", json!({ "compare": [guard, guard], "success": [put("aw==")] }), [2, 1, 0, 1]),
            ("kv/txn", json!({ "compare": [guard, guard], "success": [put("aw=="), range] }), [3, 1, 0, 2]),
            ("lease/grant", json!({ "ID": "7", "TTL": "1000" }), [0, 0, 0, 0]),
            (
                "kv/txn",
                json!({ "success": [
                { "requestPut": { "key": "YQ==", "lease": "7" } },
                { "requestPut": { "key": "Yg==", "lease": "7" } },
            ] }),
                [0, 2, 0, 1],
            ),
            ("lease/revoke", json!({ "ID": "7" }), [0, 0, 2, 1]),
        ] {
            let before = counts().await;
            http.call(&format!("/v3/{path}"), body.clone()).await;
            let after = counts().await;
            let counted: Vec<_> = before.iter().zip(&after).map(|(before, after)| after - before).collect();
            assert_eq!(counted, expected, "{:?}, {NAMES:?}: {path} {body}", server.flavor());
        }
        // In as many pieces as it pleases.
        let before = counts().await;
        let mut chunks = server.grpc().await.kv.range_stream(list("a")).await.unwrap().into_inner();
        while chunks.message().await.unwrap().is_some() {}
        assert!(counts().await[0] > before[0], "{:?}", server.flavor());
    }
}

/// What goes over the network counts wherever it goes, also within the machine.
#[tokio::test]
async fn traffic_is_counted() {
    for server in servers() {
        let received = async || -> f64 {
            let text = server.http().get("/metrics").await.text();
            let value = |line: &str| line.strip_prefix("process_network_receive_bytes_total ")?.parse().ok();
            text.lines().find_map(value).expect("a count")
        };
        let before = received().await;
        let value = "x".repeat(1_000_000);
        server.grpc().await.put("large", &value).await;
        assert!(received().await - before > 1_000_000.0, "{:?}", server.flavor());
    }
}

#[tokio::test]
async fn a_member_alone_knows_itself_and_says_what_it_is() {
    for server in servers() {
        let text = server.http().get("/metrics").await.text();
        let value =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name}"));
        let (labels, known) = value("etcd_network_known_peers").rsplit_once(' ').unwrap();
        let ids: Vec<&str> = labels.split('"').skip(1).step_by(2).collect();
        assert_eq!((known, ids.len(), ids.first()), ("1", 2, ids.last()), "{labels}");
        assert!(value("etcd_server_go_version{").ends_with("\"} 1"));
        for name in ["go_goroutines ", "go_threads ", "go_memstats_alloc_bytes ", "go_memstats_sys_bytes "] {
            assert!(value(name).parse::<f64>().unwrap() >= 1.0, "{name}");
        }
    }
}
