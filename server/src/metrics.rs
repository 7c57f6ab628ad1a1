//! What the server counts, under etcd's names, types, labels and buckets; what etcd does not count begins with `keyport_`.
//!
//! [`Metrics`] holds a handle for each series; using one is a few relaxed atomic adds. Values that other parts keep
//! anyway (revisions, sizes, queue lengths) are fetched when somebody asks, by the functions given to
//! [`Metrics::on_scrape`]. The text is Prometheus' own format 0.0.4, which dashboards for etcd read.

mod database;
mod grpc;
mod history;
mod make;
mod network;
mod operations;
mod prefixes;
mod process;
mod requests;
mod slots;
mod timings;

pub(crate) use database::{commits, compactions};
pub use grpc::{Call, GrpcMetrics, Series};
pub(crate) use history::{History, INTERVAL as SAMPLED_EVERY, Sample, keep as keep_history, unix_millis};
pub(crate) use network::NetworkMetrics;
pub(crate) use prefixes::Prefixes;
pub use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
pub use requests::RequestTimer;
pub(crate) use timings::Timings;

use std::collections::HashMap;
use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus::core::Desc;
use prometheus::{Registry, TextEncoder};

use crate::config::FeatureGates;
use crate::version;

/// The content type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";

type Refresh = Box<dyn Fn(&Metrics) + Send + Sync>;

/// The registry and its handles. The table below gives each series' name, help, labels and buckets.
pub struct Metrics {
    registry: Registry,
    refresh: Mutex<Vec<Refresh>>,
    /// Calls, messages and bytes of every gRPC method.
    pub grpc: GrpcMetrics,
    /// `etcd_server_apply_duration_seconds`; see [`Metrics::observe_apply`].
    apply_duration: Timings,
    /// `etcd_server_request_duration_seconds`; see [`Metrics::time_request`].
    request_duration: Timings,
    range_duration: Timings,
    /// `keyport_event_loop_turn_seconds`; see [`Metrics::turns`].
    turns: Timings,
    /// Where the operator wants it.
    prefixes: OnceLock<Prefixes>,
    /// What was counted of late.
    history: History,
    handles: Handles,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl std::ops::Deref for Metrics {
    type Target = Handles;

    fn deref(&self) -> &Handles {
        &self.handles
    }
}

/// The table: a handle a row.
macro_rules! handles {
    ($($(#[$doc:meta])* $field:ident: $kind:ident($name:literal, $help:literal $(, labels $labels:expr)? $(, exp $buckets:expr)?);)*) => {
        /// The plain series, one handle each.
        #[derive(Clone, Debug)]
        pub struct Handles {
            $(#[doc = concat!("`", $name, "`: ", $help)] $(#[$doc])* pub $field: $kind,)*
        }

        impl Handles {
            fn register(registry: &Registry) -> Handles {
                Handles { $($field: handles!(@make $kind registry, $name, $help $(, labels $labels)? $(, exp $buckets)?),)* }
            }
        }
    };
    (@make IntCounter $registry:ident, $name:literal, $help:literal) => {
        make::counter($registry, $name, $help)
    };
    (@make IntGauge $registry:ident, $name:literal, $help:literal) => {
        make::gauge($registry, $name, $help)
    };
    (@make IntCounterVec $registry:ident, $name:literal, $help:literal, labels $labels:expr) => {
        make::counters($registry, $name, $help, &$labels)
    };
    (@make IntGaugeVec $registry:ident, $name:literal, $help:literal, labels $labels:expr) => {
        make::gauges($registry, $name, $help, &$labels)
    };
    (@make HistogramVec $registry:ident, $name:literal, $help:literal, labels $labels:expr, exp $buckets:expr) => {
        make::histograms($registry, $name, $help, &$labels, $buckets)
    };
    (@make Histogram $registry:ident, $name:literal, $help:literal, exp $buckets:expr) => {
        make::histogram($registry, $name, $help, $buckets)
    };
}

/// Has series be there from the start whose labels are known.
fn show_labels(handles: &Handles) {
    let Handles { rate_limited, address_connections_closed, logins_refused, scrapes, .. } = handles;
    for (family, labels) in [
        (rate_limited, ["user", "address", "prefix"].as_slice()),
        (address_connections_closed, &["idle", "new"]),
        (logins_refused, &["password", "user", "address", "waiting"]),
        (scrapes, &["200", "500", "503"]),
    ] {
        for label in labels {
            family.with_label_values(&[label]);
        }
    }
}

#[rustfmt::skip]
handles! {
    has_leader: IntGauge("etcd_server_has_leader", "1 while this member knows a leader.");
    is_leader: IntGauge("etcd_server_is_leader", "1 while this member leads.");
    is_learner: IntGauge("etcd_server_is_learner", "1 while this member is a learner.");
    leader_changes: IntCounter("etcd_server_leader_changes_seen_total", "Changes of leader seen.");
    learner_promote_successes: IntCounter("etcd_server_learner_promote_successes", "Learners promoted while leading.");
    learner_promote_failures: IntCounterVec("etcd_server_learner_promote_failures", "Promotions refused while leading.", labels ["Reason"]);
    heartbeat_send_failures: IntCounter("etcd_server_heartbeat_send_failures_total", "Heartbeats sent late.");
    slow_applies: IntCounter("etcd_server_slow_apply_total", "Applies and reads that took longer than the warning threshold.");
    proposals_committed: IntGauge("etcd_server_proposals_committed_total", "Commit index.");
    proposals_applied: IntGauge("etcd_server_proposals_applied_total", "Applied index.");
    proposals_pending: IntGauge("etcd_server_proposals_pending", "Proposals that wait for their result.");
    proposals_failed: IntCounter("etcd_server_proposals_failed_total", "Proposals that failed.");
    slow_read_indexes: IntCounter("etcd_server_slow_read_indexes_total", "Read-index rounds that were answered late.");
    read_indexes_failed: IntCounter("etcd_server_read_indexes_failed_total", "Read-index rounds that failed.");
    snapshot_apply_in_progress: IntGauge("etcd_server_snapshot_apply_in_progress_total", "1 while a leader's snapshot is installed.");
    quota_backend_bytes: IntGauge("etcd_server_quota_backend_bytes", "Quota of the database, in bytes.");
    client_requests: IntCounterVec("etcd_server_client_requests_total", "Calls by kind and by the client's API version.", labels ["type", "client_api_version"]);
    health_success: IntCounter("etcd_server_health_success", "Calls of /health that found the member healthy.");
    health_failures: IntCounter("etcd_server_health_failures", "Calls of /health that did not.");
    healthcheck: IntGaugeVec("etcd_server_healthcheck", "Result of the last livez or readyz check: 1 is ok.", labels ["type", "name"]);
    healthchecks: IntCounterVec("etcd_server_healthchecks_total", "Checks of livez and readyz by outcome.", labels ["type", "name", "status"]);
    feature_enabled: IntGaugeVec("etcd_server_feature_enabled", "Feature gates: 1 is on.", labels ["name", "stage"]);
    server_version: IntGaugeVec("etcd_server_version", "1 for the version that runs.", labels ["server_version"]);
    go_version: IntGaugeVec("etcd_server_go_version", "1 for what this server is built with, which is not Go.", labels ["server_go_version"]);
    server_id: IntGaugeVec("etcd_server_id", "1 for this member's id, in hexadecimal.", labels ["server_id"]);
    cluster_version: IntGaugeVec("etcd_cluster_version", "1 for the cluster version in force, 0 for earlier ones.", labels ["cluster_version"]);

    range_total: IntCounter("etcd_mvcc_range_total", "Ranges executed.");
    put_total: IntCounter("etcd_mvcc_put_total", "Puts executed.");
    delete_total: IntCounter("etcd_mvcc_delete_total", "Deletes executed.");
    txn_total: IntCounter("etcd_mvcc_txn_total", "Transactions of more than one operation.");
    db_size: IntGauge("etcd_mvcc_db_total_size_in_bytes", "Size of the database file.");
    db_size_in_use: IntGauge("etcd_mvcc_db_total_size_in_use_in_bytes", "Bytes of the database that are not free.");
    db_open_read_transactions: IntGauge("etcd_mvcc_db_open_read_transactions", "Open read transactions.");
    hash_duration: Histogram("etcd_mvcc_hash_duration_seconds", "Time of Hash.", exp (0.01, 2.0, 15));
    hash_rev_duration: Histogram("etcd_mvcc_hash_rev_duration_seconds", "Time of HashKV.", exp (0.01, 2.0, 15));

    wal_fsync: Histogram("etcd_disk_wal_fsync_duration_seconds", "Time to sync the write-ahead log.", exp (0.001, 2.0, 14));
    wal_write: Histogram("etcd_disk_wal_write_duration_seconds", "Time to write to the write-ahead log.", exp (0.001, 2.0, 14));
    wal_write_bytes: IntGauge("etcd_disk_wal_write_bytes_total", "Bytes written to the write-ahead log.");
    backend_commit: Histogram("etcd_disk_backend_commit_duration_seconds", "Time of a database commit.", exp (0.001, 2.0, 14));
    backend_defrag: Histogram("etcd_disk_backend_defrag_duration_seconds", "Time of a defragmentation.", exp (0.1, 2.0, 13));
    backend_snapshot: Histogram("etcd_disk_backend_snapshot_duration_seconds", "Time to send a snapshot of the database.", exp (0.01, 2.0, 17));
    auto_defragmentations: IntCounter("keyport_auto_defragmentations_total", "Defragmentations that nobody asked for: --auto-defrag-threshold.");
    db_reclaimable: IntGauge("keyport_db_reclaimable_bytes", "What a defragmentation would give back of the database, about.");
    defrag_inflight: IntGauge("etcd_disk_defrag_inflight", "1 while the database is defragmented.");
    snap_db_fsync: Histogram("etcd_snap_db_fsync_duration_seconds", "Time to sync a received database.", exp (0.001, 2.0, 14));
    snap_db_save: Histogram("etcd_snap_db_save_total_duration_seconds", "Time to save a received database.", exp (0.1, 2.0, 10));
    snap_marshalling: Histogram("etcd_debugging_snap_save_marshalling_duration_seconds", "Time to encode a Raft snapshot file, of which none is written.", exp (0.001, 2.0, 14));
    snap_save: Histogram("etcd_debugging_snap_save_total_duration_seconds", "Time to save a Raft snapshot file, of which none is written.", exp (0.001, 2.0, 14));
    snap_fsync: Histogram("etcd_snap_fsync_duration_seconds", "Time to sync a Raft snapshot file.", exp (0.001, 2.0, 14));

    stream_failures: IntCounterVec("etcd_network_server_stream_failures_total", "Streams that failed.", labels ["Type", "API"]);
    known_peers: IntGaugeVec("etcd_network_known_peers", "1 for each peer, 0 for one that was removed.", labels ["Local", "Remote"]);
    active_peers: IntGaugeVec("etcd_network_active_peers", "Peers that are connected.", labels ["Local", "Remote"]);
    disconnected_peers: IntCounterVec("etcd_network_disconnected_peers_total", "Connections to peers that were lost.", labels ["Local", "Remote"]);
    peer_sent_bytes: IntCounterVec("etcd_network_peer_sent_bytes_total", "Bytes sent to peers.", labels ["To"]);
    peer_received_bytes: IntCounterVec("etcd_network_peer_received_bytes_total", "Bytes received from peers.", labels ["From"]);
    peer_sent_failures: IntCounterVec("etcd_network_peer_sent_failures_total", "Messages to peers that were given up.", labels ["To"]);
    peer_received_failures: IntCounterVec("etcd_network_peer_received_failures_total", "Messages from peers that were lost.", labels ["From"]);
    peer_round_trip: HistogramVec("etcd_network_peer_round_trip_time_seconds", "Round trips to peers.", labels ["To"], exp (0.0001, 2.0, 16));
    snapshot_send_success: IntCounterVec("etcd_network_snapshot_send_success", "Snapshots sent.", labels ["To"]);
    snapshot_send_failures: IntCounterVec("etcd_network_snapshot_send_failures", "Snapshots that could not be sent.", labels ["To"]);
    snapshot_send_inflights: IntGaugeVec("etcd_network_snapshot_send_inflights_total", "Snapshots being sent.", labels ["To"]);
    snapshot_send_total: HistogramVec("etcd_network_snapshot_send_total_duration_seconds", "Time to send a snapshot.", labels ["To"], exp (0.1, 2.0, 10));
    snapshot_receive_success: IntCounterVec("etcd_network_snapshot_receive_success", "Snapshots received.", labels ["From"]);
    snapshot_receive_failures: IntCounterVec("etcd_network_snapshot_receive_failures", "Snapshots that did not arrive whole.", labels ["From"]);
    snapshot_receive_inflights: IntGaugeVec("etcd_network_snapshot_receive_inflights_total", "Snapshots being received.", labels ["From"]);
    snapshot_receive_total: HistogramVec("etcd_network_snapshot_receive_total_duration_seconds", "Time to receive a snapshot.", labels ["From"], exp (0.1, 2.0, 10));

    auth_revision: IntGauge("etcd_debugging_auth_revision", "Revision of users and roles.");
    commit_rebalance: Histogram("etcd_debugging_disk_backend_commit_rebalance_duration_seconds", "Rebalance phase of a commit.", exp (0.001, 2.0, 14));
    commit_spill: Histogram("etcd_debugging_disk_backend_commit_spill_duration_seconds", "Spill phase of a commit.", exp (0.001, 2.0, 14));
    commit_write: Histogram("etcd_debugging_disk_backend_commit_write_duration_seconds", "Write phase of a commit.", exp (0.001, 2.0, 14));
    lease_granted: IntCounter("etcd_debugging_lease_granted_total", "Leases granted.");
    lease_revoked: IntCounter("etcd_debugging_lease_revoked_total", "Leases revoked or expired.");
    lease_renewed: IntCounter("etcd_debugging_lease_renewed_total", "Renewals handled as leader.");
    lease_ttl: Histogram("etcd_debugging_lease_ttl_total", "TTLs granted, in seconds.", exp (1.0, 2.0, 24));
    lease_expired: IntCounter("etcd_debugging_server_lease_expired_total", "Leases expired by this leader.");
    current_revision: IntGauge("etcd_debugging_mvcc_current_revision", "Revision of the store.");
    compact_revision: IntGauge("etcd_debugging_mvcc_compact_revision", "Revision of the last compaction; -1 before any.");
    keys: IntGauge("etcd_debugging_mvcc_keys_total", "Live keys.");
    watch_streams: IntGauge("etcd_debugging_mvcc_watch_stream_total", "Watch streams.");
    watchers: IntGauge("etcd_debugging_mvcc_watcher_total", "Watchers.");
    slow_watchers: IntGauge("etcd_debugging_mvcc_slow_watcher_total", "Watchers that lag behind.");
    events: IntCounter("etcd_debugging_mvcc_events_total", "Watch events sent.");
    pending_events: IntGauge("etcd_debugging_mvcc_pending_events_total", "Watch events queued.");
    put_bytes: IntGauge("etcd_debugging_mvcc_total_put_size_in_bytes", "Bytes of keys and values put since the start.");
    compaction_keys: IntCounter("etcd_debugging_mvcc_db_compaction_keys_total", "Revisions removed by compaction.");
    compaction_last: IntGauge("etcd_debugging_mvcc_db_compaction_last", "Unix time of the last compaction.");
    compaction_pause: Histogram("etcd_debugging_mvcc_db_compaction_pause_duration_milliseconds", "Time of a compaction batch.", exp (1.0, 2.0, 13));
    compaction_total: Histogram("etcd_debugging_mvcc_db_compaction_total_duration_milliseconds", "Time of a compaction.", exp (100.0, 2.0, 14));
    index_compaction_pause: Histogram("etcd_debugging_mvcc_index_compaction_pause_duration_milliseconds", "Time to compact the index.", exp (0.5, 2.0, 14));
    v2_expires: IntCounter("etcd_debugging_store_expires_total", "Keys of the v2 store that ran out; it is gone.");
    v2_watch_requests: IntCounter("etcd_debugging_store_watch_requests_total", "Watch requests to the v2 store; it is gone.");
    v2_watchers: IntGauge("etcd_debugging_store_watchers", "Watchers of the v2 store; it is gone.");
    alarms: IntGaugeVec("etcd_debugging_server_alarms", "Raised alarms.", labels ["server_id", "alarm_type"]);
    watch_send: Histogram("etcd_debugging_server_watch_send_loop_watch_stream_duration_seconds", "Time to send a watch response.", exp (0.001, 2.0, 14));
    watch_send_per_event: Histogram("etcd_debugging_server_watch_send_loop_watch_stream_duration_per_event_seconds", "The same, by event.", exp (0.001, 2.0, 14));
    watch_send_control: Histogram("etcd_debugging_server_watch_send_loop_control_stream_duration_seconds", "Time to send a created or cancelled response.", exp (0.001, 2.0, 14));
    watch_send_progress: Histogram("etcd_debugging_server_watch_send_loop_progress_duration_seconds", "Time of a progress pass.", exp (0.001, 2.0, 14));

    log_first_index: IntGauge("keyport_raft_log_first_index", "First entry of the log in memory: who lacks an earlier one gets a snapshot.");

    connections: IntGauge("keyport_connections", "Open connections of clients.");
    leases: IntGauge("keyport_leases", "Leases that there are.");
    raft_term: IntGauge("keyport_raft_term", "Term that this member is in.");
    audit_lost: IntCounter("keyport_audit_lines_lost_total", "Lines of the audit log that could not be written.");
    identity_keys_age: IntGaugeVec("keyport_identity_keys_age_seconds", "Time since the keys of an identity provider were seen last; -1 before the first time.", labels ["issuer"]);
    identity_keys_failures: IntCounterVec("keyport_identity_keys_failures_total", "Looks at the keys of an identity provider that failed.", labels ["issuer"]);
    tls_certificate_expiry: IntGaugeVec("keyport_tls_certificate_expiry_seconds", "Time until the certificate that is shown there ends.", labels ["endpoint"]);
    tls_rejected: IntCounterVec("keyport_tls_rejected_connections_total", "Connections closed during or after the handshake.", labels ["endpoint"]);
    rate_limited: IntCounterVec("keyport_rate_limited_total", "Requests refused because of too many others: of the user, from the address, under the prefix.", labels ["by"]);
    address_connections_closed: IntCounterVec("keyport_address_connections_closed_total", "Connections closed because their address has as many as it may: idle ones, to make room, or else new ones.", labels ["which"]);
    logins_refused: IntCounterVec("keyport_logins_refused_total", "Logins refused: a wrong password; or not looked at, because too many were of the user from there, or from the address, or too many wait.", labels ["by"]);
    tokens_refused: IntCounter("keyport_tokens_refused_total", "Requests refused for a token that nobody has.");
    memory: IntGaugeVec("keyport_memory_bytes", "Memory, by what it is for.", labels ["what"]);
    prefix_keys: IntGaugeVec("keyport_prefix_keys", "Keys, by prefix.", labels ["prefix"]);
    prefix_puts: IntCounterVec("keyport_prefix_puts_total", "Puts of keys, by prefix.", labels ["prefix"]);
    prefix_put_bytes: IntCounterVec("keyport_prefix_put_bytes_total", "Bytes of keys and values that were put, by prefix.", labels ["prefix"]);
    prefix_deletes: IntCounterVec("keyport_prefix_deletes_total", "Deletions of keys, by prefix.", labels ["prefix"]);
    prefix_reads: IntCounterVec("keyport_prefix_reads_total", "Ranges that begin at a key, by its prefix.", labels ["prefix"]);
    spans_exported: IntCounter("keyport_trace_spans_exported_total", "Spans that the trace collector has taken.");
    spans_lost: IntCounter("keyport_trace_spans_lost_total", "Spans that found no room to wait, or that the trace collector did not take.");
    backup_age: IntGauge("keyport_backup_age_seconds", "Age of the newest backup that this member has made of itself; -1 if there is none.");
    backup_size: IntGauge("keyport_backup_size_bytes", "Its size.");
    backup_duration: Histogram("keyport_backup_duration_seconds", "Time to make such a backup and to go through it again.", exp (0.01, 4.0, 10));
    backup_failures: IntCounter("keyport_backup_failures_total", "Such backups that failed.");
    bulk_work: IntCounter("keyport_bulk_work_total", "Pieces of work that were too large for an event loop, and done aside.");

    tasks: IntGauge("go_goroutines", "Tasks under way, which is what goroutines are here.");
    event_loops: IntGauge("go_sched_gomaxprocs_threads", "Event loops, which serve connections.");

    scrapes_in_flight: IntGauge("promhttp_metric_handler_requests_in_flight", "Scrapes under way.");
    scrapes: IntCounterVec("promhttp_metric_handler_requests_total", "Scrapes by HTTP status.", labels ["code"]);
}

impl Metrics {
    /// A fresh registry. `extensive` also keeps latency histograms of gRPC calls.
    ///
    /// # Panics
    /// If the table above names a series twice or wrongly, which any test finds.
    pub fn new(extensive: bool) -> Metrics {
        Metrics::build(extensive).unwrap_or_else(|error| panic!("the table of metrics is wrong: {error}"))
    }

    fn build(extensive: bool) -> prometheus::Result<Metrics> {
        let registry = Registry::new();
        let handles = Handles::register(&registry);
        let timings = |(name, help), labels: &[&str], fixed, names, bounds| {
            let labels = labels.iter().map(|&label| label.to_owned()).collect();
            let desc = Desc::new(String::from(name), String::from(help), labels, HashMap::new())?;
            make::register(&registry, Timings::new(desc, fixed, names, &make::exp(bounds)?)?)
        };
        let apply_duration = timings(
            ("etcd_server_apply_duration_seconds", "Time to apply, by operation."),
            &["version", "op", "success"],
            &["v3"],
            operations::APPLIED,
            (0.0001, 2.0, 20),
        )?;
        let request_duration = timings(
            ("etcd_server_request_duration_seconds", "Time of a request, by type."),
            &["type", "success"],
            &[],
            operations::ASKED,
            (0.001, 2.0, 14),
        )?;
        let range_duration = timings(
            ("etcd_server_range_duration_seconds", "Time of a range."),
            &["success"],
            &[],
            &[],
            (0.0001, 2.0, 20),
        )?;
        range_duration.show();
        let turns = timings(
            (
                "keyport_event_loop_turn_seconds",
                "How long an event loop went on before it looked for more to do, by a clock that ticks every few milliseconds.",
            ),
            &[],
            &[],
            &[],
            (0.001, 4.0, 7),
        )?;
        let grpc = GrpcMetrics::register(&registry, &handles.client_requests, extensive)?;
        registry.register(Box::new(process::ProcessCollector::new()?))?;
        handles.server_version.with_label_values(&[version::ETCD_SERVER]).set(1);
        handles.go_version.with_label_values(&[&version::toolchain()]).set(1);
        handles.compact_revision.set(-1);
        show_labels(&handles);
        Ok(Metrics {
            registry,
            refresh: Mutex::default(),
            grpc,
            apply_duration,
            request_duration,
            range_duration,
            turns,
            prefixes: OnceLock::new(),
            history: History::default(),
            handles,
        })
    }

    /// Counts keys and what is asked of them by so many parts of their paths, from now on.
    pub(crate) fn count_prefixes(&self, depth: usize) -> &Prefixes {
        self.prefixes.get_or_init(|| Prefixes::new(depth, &self.handles))
    }

    /// A range that begins with `key` is read.
    pub(crate) fn count_range(&self, key: &[u8]) {
        self.range_total.inc();
        if let Some(prefixes) = self.prefixes() {
            prefixes.read(key);
        }
    }

    /// So many operations belong together: with several they are a transaction.
    pub(crate) fn count_transaction(&self, operations: usize) {
        if operations > 1 {
            self.txn_total.inc();
        }
    }

    /// Where that is counted, if it is.
    pub(crate) fn prefixes(&self) -> Option<&Prefixes> {
        self.prefixes.get()
    }

    /// Has `refresh` called before every scrape, to set gauges from what is kept elsewhere.
    pub fn on_scrape(&self, refresh: impl Fn(&Metrics) + Send + Sync + 'static) {
        self.refresh.lock().push(Box::new(refresh));
    }

    /// How long event loops go on before they look for more to do: neither names nor failures.
    pub(crate) fn turns(&self) -> Timings {
        self.turns.clone()
    }

    /// Counts an applied operation, named as in etcd's `op` label.
    pub fn observe_apply(&self, op: &str, took: Duration, ok: bool) {
        self.apply_duration.observe(op, took, ok);
    }

    /// Counts a range.
    pub fn observe_range(&self, took: Duration, ok: bool) {
        self.range_duration.observe("", took, ok);
    }

    /// What was counted of late.
    pub(crate) fn history(&self) -> &History {
        &self.history
    }

    /// Publishes the state of the feature gates.
    pub fn set_feature_gates(&self, gates: &FeatureGates) {
        for (info, enabled) in gates.iter() {
            self.feature_enabled.with_label_values(&[info.name, info.stage.as_str()]).set(i64::from(enabled));
        }
    }

    /// The result of a check of livez or readyz.
    pub fn observe_check(&self, probe: &str, check: &str, ok: bool) {
        self.healthcheck.with_label_values(&[probe, check]).set(i64::from(ok));
        let status = if ok { "success" } else { "error" };
        self.healthchecks.with_label_values(&[probe, check, status]).inc();
    }

    /// Sets the gauges of what is kept elsewhere.
    fn refresh(&self) {
        for refresh in self.refresh.lock().iter() {
            refresh(self);
        }
    }

    /// Everything, as Prometheus text.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        self.scrapes_in_flight.inc();
        self.refresh();
        let text = TextEncoder::new().encode_to_string(&self.registry.gather());
        self.scrapes_in_flight.dec();
        self.scrapes.with_label_values(&[if text.is_ok() { "200" } else { "500" }]).inc();
        text
    }
}

#[cfg(test)]
mod tests;
