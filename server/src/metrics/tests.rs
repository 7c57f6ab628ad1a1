use super::*;
use keyport_api::methods::{Kind, Method};
use std::collections::{BTreeMap, BTreeSet};

/// Name, type, labels and buckets that dashboards and alerts were written against.
const EXPECTED: &str = include_str!("../../data/metrics.txt");

/// Uses everything once, so that families with labels show.
fn used() -> Metrics {
    let metrics = Metrics::new(true);
    metrics.count_prefixes(1);
    metrics.observe_apply("Put", Duration::from_millis(1), true);
    drop(metrics.time_request("ReadonlyTxn"));
    metrics.observe_range(Duration::from_millis(1), true);
    metrics.turns().observe("", Duration::ZERO, true);
    metrics.observe_check("readyz", "serializable_read", true);
    metrics.set_feature_gates(&FeatureGates::default());
    metrics.learner_promote_failures.with_label_values(&["x"]).inc();
    metrics.known_peers.with_label_values(&["8e9e05c52164694d", "8e9e05c52164694d"]).set(1);
    metrics.server_id.with_label_values(&["8e9e05c52164694d"]).set(1);
    metrics.cluster_version.with_label_values(&["3.7"]).set(1);
    metrics.alarms.with_label_values(&["8e9e05c52164694d", "NOSPACE"]).set(1);
    metrics.memory.with_label_values(&["values"]).set(1);
    metrics.stream_failures.with_label_values(&["send", "watch"]).inc();
    metrics.grpc.count_client(Some(b"3.7"), Kind::Unary);
    metrics.grpc.of(Method::Put).start().finish(tonic::Code::Ok);
    metrics
}

#[derive(Debug, Default, PartialEq)]
struct Family {
    kind: String,
    labels: BTreeSet<String>,
    bounds: Vec<f64>,
}

/// Reads the exposition format.
fn families(text: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            current = name.to_owned();
            let known = families.insert(current.clone(), Family { kind: kind.to_owned(), ..Family::default() });
            assert_eq!(known, None, "{name} twice");
        } else if !line.starts_with('#') {
            let (series, value) = line.rsplit_once(' ').unwrap();
            value.parse::<f64>().unwrap();
            assert!(series.starts_with(&current), "{series} under {current}");
            let family = families.get_mut(&current).unwrap();
            let labels = series.split_once('{').map_or("", |(_, labels)| labels.trim_end_matches('}'));
            for (label, value) in labels.split("\",").filter(|l| !l.is_empty()).map(|l| l.split_once("=\"").unwrap()) {
                let value = value.trim_end_matches('"');
                if label == "le" {
                    if value != "+Inf" && family.bounds.last().is_none_or(|last| *last < value.parse().unwrap()) {
                        family.bounds.push(value.parse().unwrap());
                    }
                } else {
                    family.labels.insert(label.to_owned());
                }
            }
        }
    }
    families
}

#[test]
fn names_types_labels_and_buckets_are_etcds() {
    let mut found = families(&used().render().unwrap());
    for line in EXPECTED.lines().filter(|l| !l.starts_with('#')) {
        let mut words = line.split(' ');
        let (name, kind, labels) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        let bounds = words.next().map_or_else(Vec::new, |text| match text.strip_prefix("exp(") {
            Some(exp) => {
                let numbers: Vec<f64> = exp.trim_end_matches(')').split(',').map(|n| n.parse().unwrap()).collect();
                {
                    let bounds = std::iter::successors(Some(numbers[0]), |bound| Some(bound * numbers[1]));
                    (1..).zip(bounds).take_while(|(n, _)| f64::from(*n) <= numbers[2]).map(|(_, b)| b).collect()
                }
            }
            None => text.split(',').map(|n| n.parse().unwrap()).collect(),
        });
        let labels = labels.split(',').filter(|l| *l != "-").map(str::to_owned).collect();
        let family = found.remove(name).unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(family, Family { kind: kind.to_owned(), labels, bounds }, "{name}");
    }
    assert_eq!(found.keys().collect::<Vec<_>>(), Vec::<&String>::new(), "series that nobody asked for");
}

#[test]
fn a_fresh_registry_has_the_series_that_etcd_creates_at_start() {
    let text = Metrics::new(false).render().unwrap();
    for line in [
        "grpc_server_started_total{grpc_method=\"Range\",grpc_service=\"etcdserverpb.KV\",grpc_type=\"unary\"} 0",
        "grpc_server_handled_total{grpc_code=\"DataLoss\",grpc_method=\"Watch\",grpc_service=\"etcdserverpb.Watch\",grpc_type=\"bidi_stream\"} 0",
        "grpc_server_started_total{grpc_method=\"Check\",grpc_service=\"grpc.health.v1.Health\",grpc_type=\"unary\"} 0",
        "etcd_server_version{server_version=\"3.7.1\"} 1",
        "etcd_debugging_mvcc_compact_revision -1",
        "etcd_debugging_store_watchers 0",
        "etcd_debugging_snap_save_total_duration_seconds_count 0",
        "promhttp_metric_handler_requests_total{code=\"200\"} 0",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    for absent in ["v3lockpb", "grpc_server_handling_seconds", "etcd_server_apply_duration_seconds", "_created"] {
        assert!(!text.contains(absent), "{absent}");
    }
}

#[test]
fn a_request_that_is_given_up_counts_as_failed() {
    let metrics = Metrics::new(false);
    metrics.time_request("Put").succeeded();
    metrics.time_request("Put").succeeded();
    drop(metrics.time_request("Put"));
    metrics.time_request("nobody knows it").succeeded();
    let text = metrics.render().unwrap();
    for line in [
        "etcd_server_request_duration_seconds_count{success=\"true\",type=\"Put\"} 2",
        "etcd_server_request_duration_seconds_count{success=\"false\",type=\"Put\"} 1",
        "etcd_server_request_duration_seconds_count{success=\"true\",type=\"unknown\"} 1",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
}

#[test]
fn calls_are_counted() {
    let metrics = Metrics::new(false);
    let method = metrics.grpc.of(Method::Lock);
    let call = method.start();
    method.received(1, 10);
    method.sent(1, 20);
    call.finish(tonic::Code::Ok);
    let other = metrics.grpc.of(Method::Put);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| drop(other.start()));
        }
    });
    metrics.grpc.count_client(Some(b"3.7"), Kind::BidiStream);
    metrics.grpc.count_client(None, Kind::Unary);
    let text = metrics.render().unwrap();
    for line in [
        "grpc_server_handled_total{grpc_code=\"OK\",grpc_method=\"Lock\",grpc_service=\"v3lockpb.Lock\",grpc_type=\"unary\"} 1",
        "grpc_server_msg_sent_total{grpc_method=\"Lock\",grpc_service=\"v3lockpb.Lock\",grpc_type=\"unary\"} 1",
        "grpc_server_handled_total{grpc_code=\"Canceled\",grpc_method=\"Put\",grpc_service=\"etcdserverpb.KV\",grpc_type=\"unary\"} 8",
        "grpc_server_started_total{grpc_method=\"Put\",grpc_service=\"etcdserverpb.KV\",grpc_type=\"unary\"} 8",
        "etcd_network_client_grpc_received_bytes_total 10",
        "etcd_network_client_grpc_sent_bytes_total 20",
        "etcd_server_client_requests_total{client_api_version=\"3.7\",type=\"stream\"} 1",
        "etcd_server_client_requests_total{client_api_version=\"unknown\",type=\"unary\"} 1",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
}

#[test]
fn clients_cannot_grow_the_registry_without_end() {
    let metrics = Metrics::new(false);
    for n in 0..1000 {
        metrics.grpc.count_client(Some(format!("v{n}").as_bytes()), Kind::Unary);
    }
    metrics.grpc.count_client(Some(b"\xff"), Kind::Unary);
    metrics.grpc.count_client(Some(&[b'v'; 100]), Kind::Unary);
    let text = metrics.render().unwrap();
    let series = text.lines().filter(|l| l.starts_with("etcd_server_client_requests_total{")).count();
    assert!(series < 200, "{series}");
    assert!(text.contains("client_api_version=\"other\"") && !text.contains("vvv"), "{text}");
}

#[test]
fn gauges_are_refreshed_before_a_scrape() {
    let metrics = Metrics::new(false);
    metrics.on_scrape(|m| m.keys.set(7));
    assert!(metrics.render().unwrap().contains("etcd_debugging_mvcc_keys_total 7\n"));
}

#[test]
#[should_panic(expected = "the table of metrics is wrong at keyport_twice")]
fn a_row_that_is_there_already_is_named() {
    let registry = Registry::new();
    make::counter(&registry, "keyport_twice", "One.");
    make::gauge(&registry, "keyport_twice", "The other.");
}
