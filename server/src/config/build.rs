//! From values to a checked [`Config`].

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::amount::Amount;
use super::settings::Settings;
use super::{
    AllowList, AutoCompaction, Config, ConfigError, ConsoleMode, DEFAULT_QUOTA_BYTES, FeatureGates, HttpConfig,
    ListenConfig, LogConfig, LogFormat, LogLevel, LogOutput, Rotation, TokenConfig, auto_defrag, backups, cluster,
    duration, identity, invalid, origins, rates, tls, tokens, traces,
};

/// Longer timeouts only hide a broken network.
const MAX_ELECTION_MS: u64 = 50_000;
/// Longer than etcd's 100 ms and more than its 10,000: the log covers what is not committed yet, and every sync of the
/// database is one that the log may have to wait for.
const DEFAULT_BATCH_INTERVAL: Duration = Duration::from_millis(500);
const DEFAULT_BATCH_ROWS: usize = 16_000;
/// Shorter ones would take a pause for a break.
const MIN_PEER_TIMEOUT: Duration = Duration::from_secs(5);
const MIN_PROGRESS_INTERVAL: Duration = Duration::from_millis(100);
/// From what a slow line needs to what etcd gives.
const HEAD_TIMEOUTS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(300);
const RECOMMENDED_REQUEST_BYTES: u64 = 10 * 1024 * 1024;
const RECOMMENDED_QUOTA_BYTES: i64 = 8 * 1024 * 1024 * 1024;

pub(super) fn build(mut s: Settings, default_host: &dyn Fn() -> Option<String>) -> Result<Config, ConfigError> {
    let (heartbeat_interval, election_timeout) = raft_timing(&s)?;
    let listen = listen(&s)?;
    let cluster = cluster::build(&s, &listen, default_host)?;
    let feature_gates = FeatureGates::parse(&s.string("feature-gates"))?;
    let log = log(&s)?;
    let tokens = tokens(&mut s)?;
    let cors = origins::listed(s.list("cors"))?;
    let http = http(&s, cors.clone())?;
    warn(&mut s, &cors, &feature_gates);
    let (name, data_dir) = place(&s);
    let tls = tls::build(&mut s, &listen, &cluster, &data_dir)?;
    Ok(Config {
        data_dir,
        wal_dir: path(&s, "wal-dir"),
        snapshot_count: Some(s.uint("snapshot-count")).filter(|n| *n > 0).unwrap_or(10_000),
        snapshot_catchup_entries: s.uint("snapshot-catchup-entries"),
        quota_backend_bytes: quota(s.int("quota-backend-bytes")),
        value_cache: value_cache(&s)?,
        backend_batch_interval: or_default(s.duration("backend-batch-interval"), DEFAULT_BATCH_INTERVAL),
        backend_batch_limit: positive(s.int("backend-batch-limit"), DEFAULT_BATCH_ROWS),
        bootstrap_defrag_threshold_bytes: defrag_threshold(s.uint("bootstrap-defrag-threshold-megabytes")),
        auto_defrag: auto_defrag::build(&s)?,
        backups: backups::build(&s)?,
        unsafe_no_fsync: s.bool("unsafe-no-fsync"),
        memory_mlock: s.bool("memory-mlock"),
        heartbeat_interval,
        election_timeout,
        pre_vote: s.bool("pre-vote"),
        initial_election_tick_advance: s.bool("initial-election-tick-advance"),
        raft_read_timeout: s.duration("raft-read-timeout").max(MIN_PEER_TIMEOUT),
        raft_write_timeout: s.duration("raft-write-timeout").max(MIN_PEER_TIMEOUT),
        max_txn_ops: usize::try_from(s.uint("max-txn-ops")).unwrap_or(usize::MAX),
        tokens,
        identity: identity::build(&s)?,
        audit_log: path(&s, "audit-log"),
        bcrypt_cost: bcrypt_cost(s.uint("bcrypt-cost")),
        max_request_bytes: usize::try_from(s.uint("max-request-bytes")).unwrap_or(usize::MAX),
        http,
        rates: rates::build(&s)?,
        cluster,
        auto_compaction: auto_compaction(&s)?,
        corrupt_check_interval: Some(s.duration("corrupt-check-time")).filter(|interval| !interval.is_zero()),
        compact_hash_check_interval: compact_hash_check_interval(&s)?,
        downgrade_check_interval: Some(s.duration("downgrade-check-time")).filter(|interval| !interval.is_zero()),
        compaction_batch_limit: positive(s.int("compaction-batch-limit"), 1_000),
        compaction_sleep_interval: or_default(s.duration("compaction-sleep-interval"), Duration::from_millis(10)),
        watch_progress_notify_interval: progress_interval(&s),
        metrics_extensive: s.string("metrics") == "extensive",
        metrics_prefix_depth: usize::try_from(s.uint("metrics-prefix-depth")).ok().filter(|depth| *depth > 0),
        warning_apply_duration: s.duration("warning-apply-duration"),
        traces: traces::build(&s)?,
        console: ConsoleMode::of(&s.string("console")),
        enable_pprof: s.bool("enable-pprof") || log.level == LogLevel::Debug,
        log,
        feature_gates,
        name,
        listen,
        tls,
        warnings: s.warnings,
    })
}

fn progress_interval(s: &Settings) -> Duration {
    let interval = s.duration("watch-progress-notify-interval");
    or_default(interval, Duration::from_secs(600)).max(MIN_PROGRESS_INTERVAL)
}

/// The member's name, and where its data is.
fn place(s: &Settings) -> (String, PathBuf) {
    let name = s.string("name");
    let data_dir = Some(s.string("data-dir")).filter(|d| !d.is_empty()).unwrap_or_else(|| format!("{name}.etcd"));
    (name, PathBuf::from(data_dir))
}

fn path(s: &Settings, flag: &str) -> Option<PathBuf> {
    Some(s.string(flag)).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// None where there is none.
fn quota(bytes: i64) -> Option<u64> {
    if bytes == 0 { Some(DEFAULT_QUOTA_BYTES) } else { u64::try_from(bytes).ok() }
}

fn compact_hash_check_interval(s: &Settings) -> Result<Duration, ConfigError> {
    let interval = s.duration("compact-hash-check-time");
    if interval.is_zero() { Err(invalid("--compact-hash-check-time must be >0 (set to 0s)")) } else { Ok(interval) }
}

fn value_cache(s: &Settings) -> Result<Amount, ConfigError> {
    let text = s.string("value-cache-bytes");
    Amount::parse(&text).ok_or_else(|| {
        invalid(format!("--value-cache-bytes must be bytes (268435456, 256MiB) or a share (25%) (set to {text})"))
    })
}

fn defrag_threshold(megabytes: u64) -> Option<u64> {
    (megabytes > 0).then(|| megabytes.saturating_mul(1024 * 1024))
}

fn or_default(value: Duration, default: Duration) -> Duration {
    if value.is_zero() { default } else { value }
}

fn positive(value: i64, default: usize) -> usize {
    usize::try_from(value).ok().filter(|n| *n > 0).unwrap_or(default)
}

fn tokens(s: &mut Settings) -> Result<TokenConfig, ConfigError> {
    let lifetime = Duration::from_secs(Some(s.uint("auth-token-ttl")).filter(|ttl| *ttl > 0).unwrap_or(300));
    let text = s.string("auth-token");
    tokens::parse(&text, lifetime, s.bool("auth-token-must-end"), &mut s.warnings)
}

/// As etcd, which takes its default for what bcrypt does not know.
fn bcrypt_cost(cost: u64) -> u32 {
    u32::try_from(cost).ok().filter(|cost| (4..=31).contains(cost)).unwrap_or(10)
}

fn raft_timing(s: &Settings) -> Result<(Duration, Duration), ConfigError> {
    let (heartbeat, election) = (s.uint("heartbeat-interval"), s.uint("election-timeout"));
    if heartbeat == 0 {
        return Err(invalid("--heartbeat-interval must be >0 (set to 0ms)"));
    }
    if election == 0 {
        return Err(invalid("--election-timeout must be >0 (set to 0ms)"));
    }
    if heartbeat.saturating_mul(5) > election {
        return Err(invalid(format!(
            "--election-timeout[{election}ms] should be at least as 5 times as --heartbeat-interval[{heartbeat}ms]"
        )));
    }
    if election > MAX_ELECTION_MS {
        return Err(invalid(format!(
            "--election-timeout[{election}ms] is too long, and should be set less than {MAX_ELECTION_MS}ms"
        )));
    }
    Ok((Duration::from_millis(heartbeat), Duration::from_millis(election)))
}

fn listen(s: &Settings) -> Result<ListenConfig, ConfigError> {
    if s.is_set("listen-client-urls") && !s.is_set("advertise-client-urls") {
        return Err(invalid("--advertise-client-urls is required when --listen-client-urls is set explicitly"));
    }
    let listen = ListenConfig {
        client: s.urls("listen-client-urls"),
        client_http: s.urls("listen-client-http-urls"),
        metrics: s.urls("listen-metrics-urls"),
        peer: s.urls("listen-peer-urls"),
        reuse_port: s.bool("socket-reuse-port"),
    };
    for (flag, urls) in [("listen-client-urls", &listen.client), ("listen-peer-urls", &listen.peer)] {
        if urls.is_empty() {
            return Err(invalid(format!("--{flag} must name at least one URL")));
        }
    }
    for url in [&listen.peer, &listen.client, &listen.client_http, &listen.metrics].into_iter().flatten() {
        url.check_bindable()?;
    }
    if let Some(url) = listen.client_http.iter().find(|u| listen.client.contains(u)) {
        return Err(invalid(format!("{url} is both in --listen-client-urls and in --listen-client-http-urls")));
    }
    Ok(listen)
}

fn http(s: &Settings, cors: AllowList) -> Result<HttpConfig, ConfigError> {
    let request_head_timeout = s.duration("request-head-timeout");
    if !HEAD_TIMEOUTS.contains(&request_head_timeout) {
        return Err(invalid(format!("--request-head-timeout {request_head_timeout:?} is not from 1s to 5m")));
    }
    Ok(HttpConfig {
        max_concurrent_streams: u32::try_from(s.uint("max-concurrent-streams")).unwrap_or(u32::MAX),
        max_concurrent_requests: usize::try_from(s.uint("max-concurrent-requests")).unwrap_or(usize::MAX),
        max_connections_per_address: usize::try_from(s.uint("max-connections-per-address")).unwrap_or(usize::MAX),
        request_head_timeout,
        keepalive_interval: Some(s.duration("grpc-keepalive-interval")).filter(|d| !d.is_zero()),
        keepalive_timeout: or_default(s.duration("grpc-keepalive-timeout"), Duration::from_secs(20)),
        keepalive_min_time: s.duration("grpc-keepalive-min-time"),
        enable_gateway: s.bool("enable-grpc-gateway"),
        cors,
        hosts: allow_list(s.list("host-whitelist")),
        token_in_query: s.bool("access-token-in-query"),
        certificate_names: s.bool("client-cert-auth-http"),
        warning_unary_request_duration: or_default(
            s.duration("warning-unary-request-duration"),
            Duration::from_millis(300),
        ),
    })
}

fn allow_list(words: Vec<String>) -> AllowList {
    if words.is_empty() || words.iter().any(|w| w == "*") { AllowList::Any } else { AllowList::Only(words) }
}

fn auto_compaction(s: &Settings) -> Result<Option<AutoCompaction>, ConfigError> {
    let (mode, text) = (s.string("auto-compaction-mode"), s.string("auto-compaction-retention"));
    let wrong = || invalid(format!("invalid value {text:?} for --auto-compaction-retention in mode {mode}"));
    match mode.as_str() {
        "periodic" => {
            let period = match text.parse::<u32>() {
                Ok(hours) => Duration::from_secs(3600) * hours,
                Err(_) => duration::parse(&text).ok_or_else(wrong)?,
            };
            Ok(Some(AutoCompaction::Periodic(period)).filter(|_| !period.is_zero()))
        }
        "revision" => {
            let revisions = text.parse::<i64>().ok().filter(|revisions| *revisions >= 0).ok_or_else(wrong)?;
            Ok(Some(AutoCompaction::Revision(revisions)).filter(|_| revisions > 0))
        }
        _ => Err(invalid(format!("unknown auto-compaction-mode {mode:?}"))),
    }
}

fn log(s: &Settings) -> Result<LogConfig, ConfigError> {
    let level = s.string("log-level");
    let format = s.string("log-format");
    let words = s.list("log-outputs");
    if words.len() > 1 && words.iter().any(|w| w == "default") {
        return Err(invalid("multi logoutput for \"default\" is not supported yet"));
    }
    let mut outputs: Vec<LogOutput> = Vec::new();
    for output in words.iter().map(|w| LogOutput::parse(w)) {
        if !outputs.contains(&output) {
            outputs.push(output);
        }
    }
    if outputs.is_empty() {
        outputs.push(LogOutput::Stderr);
    }
    let rotation = s.bool("enable-log-rotation").then(|| rotation(s, &outputs)).transpose()?;
    Ok(LogConfig {
        level: LogLevel::parse(&level).ok_or_else(|| invalid(format!("unrecognized level: {level:?}")))?,
        format: match format.as_str() {
            "json" if !s.is_set("log-format") => LogFormat::Fitting,
            "json" => LogFormat::Json,
            "console" => LogFormat::Console,
            _ => {
                return Err(invalid(format!("unknown log format: {format:?}, supported values json, console")));
            }
        },
        outputs,
        rotation,
    })
}

fn rotation(s: &Settings, outputs: &[LogOutput]) -> Result<Rotation, ConfigError> {
    if outputs.iter().filter(|output| matches!(output, LogOutput::File(_))).count() != 1 {
        return Err(invalid("--log-outputs requires a single file path when --log-rotate-config-json is defined"));
    }
    Rotation::parse(&s.string("log-rotation-config-json")).map_err(invalid)
}

fn warn(s: &mut Settings, cors: &AllowList, gates: &FeatureGates) {
    let inert = s.inert();
    let mut warnings = Vec::new();
    if !inert.is_empty() {
        warnings.push(format!("accepted, but without effect in this release: --{}", inert.join(", --")));
    }
    let inert: Vec<_> = gates.inert().collect();
    if !inert.is_empty() {
        warnings.push(format!("accepted, but without effect in this release: --feature-gates {}", inert.join(", ")));
    }
    let request_bytes = s.uint("max-request-bytes");
    if request_bytes > RECOMMENDED_REQUEST_BYTES {
        warnings
            .push(format!("--max-request-bytes {request_bytes} exceeds the recommended {RECOMMENDED_REQUEST_BYTES}"));
    }
    let quota = s.int("quota-backend-bytes");
    if quota > RECOMMENDED_QUOTA_BYTES {
        warnings.push(format!("--quota-backend-bytes {quota} exceeds the recommended {RECOMMENDED_QUOTA_BYTES}"));
    }
    if s.bool("client-cert-auth-http") && !s.bool("client-cert-auth") {
        warnings.push("--client-cert-auth-http is of no use without --client-cert-auth".to_owned());
    } else if s.bool("client-cert-auth-http") && *cors == AllowList::Any {
        warnings.push("with --cors=* any page acts as whom a browser's certificate names".to_owned());
    }
    for (flag, opened) in
        [("host-whitelist", "HTTP requests may name any host"), ("cors", "pages of all sites may call")]
    {
        if s.is_set(flag) && s.list(flag).is_empty() {
            warnings.push(format!("--{flag} is empty, which means the same as *: {opened}"));
        }
    }
    let cost = s.uint("bcrypt-cost");
    let hashed_with = bcrypt_cost(cost);
    if u64::from(hashed_with) != cost {
        warnings.push(format!("--bcrypt-cost {cost} is not from 4 to 31; using {hashed_with}"));
    }
    if s.bool("unsafe-no-fsync") {
        warnings.push("--unsafe-no-fsync: acknowledged writes may be lost when the machine stops".to_owned());
    }
    s.warnings.append(&mut warnings);
}
