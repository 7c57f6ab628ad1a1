//! The one table of flags: name, kind, default, group, place in the configuration file, help.
//!
//! The environment variables, the file's keys and `--help` all follow from it.

use std::time::Duration;

use super::former::FORMER;
use super::url::Url;
use super::{duration, url};

/// What a flag's value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `--x`, `--x=true`, `--x=false`.
    Bool,
    Int,
    Uint,
    /// A whole number of at most 32 bits.
    Uint32,
    /// `5m0s` on the command line, integer nanoseconds in the file.
    Duration,
    Str,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// Comma separated on the command line and in the file.
    Words,
    /// Comma separated on the command line, a YAML list in the file.
    List,
    /// Comma-separated URLs, in the file too.
    Urls,
}

/// The headings of `--help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Member,
    Raft,
    Listeners,
    Cluster,
    Compaction,
    ClientTls,
    PeerTls,
    Auth,
    Observability,
    General,
}

impl Group {
    pub(super) const ALL: [Group; 10] = [
        Group::Member,
        Group::Raft,
        Group::Listeners,
        Group::Cluster,
        Group::Compaction,
        Group::ClientTls,
        Group::PeerTls,
        Group::Auth,
        Group::Observability,
        Group::General,
    ];

    pub(super) fn title(self) -> &'static str {
        match self {
            Group::Member => "Member and storage",
            Group::Raft => "Raft timing",
            Group::Listeners => "Listeners and limits",
            Group::Cluster => "Clustering",
            Group::Compaction => "Compaction and corruption checks",
            Group::ClientTls => "Client TLS",
            Group::PeerTls => "Peer TLS",
            Group::Auth => "Auth",
            Group::Observability => "Observability and logging",
            Group::General => "General",
        }
    }
}

/// Where a flag's value stands in the configuration file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileKey {
    /// Under the flag's own name.
    Same,
    /// At another, dotted path.
    At(&'static str),
    /// Nowhere.
    None,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flag {
    pub name: &'static str,
    pub kind: Kind,
    pub default: &'static str,
    pub help: &'static str,
    pub group: Group,
    pub file: FileKey,
    /// Accepted, but without effect in this release.
    pub inert: bool,
}

impl Flag {
    const fn at(mut self, path: &'static str) -> Flag {
        self.file = FileKey::At(path);
        self
    }

    const fn not_in_file(mut self) -> Flag {
        self.file = FileKey::None;
        self
    }

    const fn inert(mut self) -> Flag {
        self.inert = true;
        self
    }

    /// The variable's name without its `ETCD_` or `KEYPORT_`.
    pub(super) fn env_suffix(&self) -> String {
        self.name.to_ascii_uppercase().replace('-', "_")
    }

    /// Reads a value as the command line and the environment write it.
    pub(super) fn parse(&self, text: &str) -> Result<Value, String> {
        let parsed = match self.kind {
            Kind::Bool => super::args::parse_bool(text).map(Value::Bool),
            Kind::Int => parse_int(text).and_then(|n| i64::try_from(n).ok()).map(Value::Int),
            Kind::Uint => parse_int(text).and_then(|n| u64::try_from(n).ok()).map(Value::Uint),
            Kind::Uint32 => parse_int(text).and_then(|n| u32::try_from(n).ok()).map(|n| Value::Uint(u64::from(n))),
            Kind::Duration => duration::parse(text).map(Value::Duration),
            Kind::Str => Some(Value::Str(text.to_owned())),
            Kind::Choice(words) if words.contains(&text) => Some(Value::Str(text.to_owned())),
            Kind::Choice(words) => return Err(format!("must be one of {}", words.join(", "))),
            Kind::Words | Kind::List => Some(Value::List(split(text))),
            Kind::Urls => return url::parse_list(text).map(Value::Urls).map_err(|e| e.to_string()),
        };
        parsed.ok_or_else(|| "parse error".to_owned())
    }
}

fn split(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|w| !w.is_empty()).map(str::to_owned).collect()
}

/// A whole number, with Go's prefixes for other bases.
pub(super) fn parse_int(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = if let Some(hex) = lower.strip_prefix("0x") {
        (16, hex)
    } else if let Some(binary) = lower.strip_prefix("0b") {
        (2, binary)
    } else if let Some(octal) = lower.strip_prefix("0o") {
        (8, octal)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..])
    } else {
        (10, lower.as_str())
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let n = i128::from_str_radix(digits, radix).ok()?;
    Some(if negative { -n } else { n })
}

/// A flag's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Bool(bool),
    Int(i64),
    Uint(u64),
    Duration(Duration),
    Str(String),
    List(Vec<String>),
    Urls(Vec<Url>),
}

/// A row with its value in the file under its own name.
pub(super) const fn flag(
    group: Group,
    name: &'static str,
    kind: Kind,
    default: &'static str,
    help: &'static str,
) -> Flag {
    Flag { name, kind, default, help, group, file: FileKey::Same, inert: false }
}

/// Every row that can be given: those of the table, and those of the former names.
pub(super) fn all() -> impl Iterator<Item = &'static Flag> {
    FLAGS.iter().chain(FORMER.iter().map(|former| &former.flag))
}

/// The flag of that name, present or former.
pub(super) fn find(name: &str) -> Option<&'static Flag> {
    all().find(|f| f.name == name)
}

/// Flags of old releases: accepted, warned about, ignored.
pub(super) const IGNORED: [&str; 13] = [
    "cluster-active-size",
    "cluster-remove-delay",
    "cluster-sync-interval",
    "config",
    "force",
    "max-result-buffer",
    "max-retry-attempts",
    "peer-heartbeat-interval",
    "peer-election-timeout",
    "retry-interval",
    "snapshot",
    "v",
    "vv",
];

use Group::{Auth, ClientTls, Cluster, Compaction, General, Listeners, Member, Observability, PeerTls, Raft};
use Kind::{Bool, Choice, Duration as Dur, Int, List, Str, Uint, Uint32, Urls, Words};

const ROTATION: &str = r#"{"maxsize": 100, "maxage": 0, "maxbackups": 0, "localtime": false, "compress": false}"#;

/// Every flag, grouped as `--help` shows them.
#[rustfmt::skip]
pub(super) const FLAGS: &[Flag] = &[
    flag(Member, "name", Str, "default", "Human-readable name of this member."),
    flag(Member, "data-dir", Str, "", "Data directory; empty means <name>.etcd."),
    flag(Member, "wal-dir", Str, "", "Separate directory for the write-ahead log."),
    flag(Member, "snapshot-count", Uint, "10000", "Applied entries between two Raft snapshots on disk."),
    flag(Member, "snapshot-catchup-entries", Uint, "5000", "Entries kept in memory for slow followers after a snapshot."),
    flag(Member, "max-wals", Uint, "5", "Log files kept; here one is removed as soon as no restart needs it.").inert(),
    flag(Member, "memory-mlock", Bool, "false", "Lock database pages in memory.").inert(),
    flag(Member, "quota-backend-bytes", Int, "0", "Database size at which writes are refused; 0 means 2 GiB, negative means none."),
    flag(Member, "backend-bbolt-freelist-type", Str, "", "Kind of a list that the database here has not.").inert(),
    flag(Member, "backend-batch-interval", Dur, "0s", "Longest time before a database commit; 0 means 500ms."),
    flag(Member, "backend-batch-limit", Int, "0", "Most operations before a database commit; 0 means 16000."),
    flag(Member, "bootstrap-defrag-threshold-megabytes", Uint, "0", "Defragment at start when this much can be freed; 0 disables."),
    flag(Member, "unsafe-no-fsync", Bool, "false", "Never wait for the disk. Unsafe: a power cut loses data."),

    flag(Raft, "heartbeat-interval", Uint, "100", "Time of a heartbeat, in milliseconds."),
    flag(Raft, "election-timeout", Uint, "1000", "Time without a leader before an election, in milliseconds."),
    flag(Raft, "initial-election-tick-advance", Bool, "true", "Shorten the first election timeout at start."),
    flag(Raft, "pre-vote", Bool, "true", "Ask whether an election could be won before starting one."),
    flag(Raft, "raft-read-timeout", Dur, "5s", "Read timeout of peer connections.").not_in_file(),
    flag(Raft, "raft-write-timeout", Dur, "5s", "Write timeout of peer connections; the read timeout covers it, as answers are waited for.").not_in_file().inert(),

    flag(Listeners, "listen-peer-urls", Urls, "http://localhost:2380", "Addresses for peers."),
    flag(Listeners, "listen-client-urls", Urls, "http://localhost:2379", "Addresses for clients: gRPC, JSON, REST, events, console."),
    flag(Listeners, "listen-client-http-urls", Urls, "", "Addresses for HTTP only; those of listen-client-urls then serve gRPC only."),
    flag(Listeners, "listen-metrics-urls", Urls, "", "Further addresses for metrics and health."),
    flag(Listeners, "max-txn-ops", Uint, "128", "Most operations in a branch of a transaction."),
    flag(Listeners, "max-request-bytes", Uint32, "1572864", "Largest write request."),
    flag(Listeners, "max-concurrent-streams", Uint32, "4294967295", "HTTP/2 streams at once on one connection."),
    flag(Listeners, "grpc-keepalive-min-time", Dur, "5s", "Shortest time between pings that a client may keep.").inert(),
    flag(Listeners, "grpc-keepalive-interval", Dur, "2h0m0s", "Time between pings to clients; 0 disables."),
    flag(Listeners, "grpc-keepalive-timeout", Dur, "20s", "Time to wait for the answer to a ping."),
    flag(Listeners, "socket-reuse-port", Bool, "false", "Set SO_REUSEPORT on listeners.").at("socket-options.reuse-port"),
    flag(Listeners, "socket-reuse-address", Bool, "false", "Set SO_REUSEADDR on listeners; it always is.").at("socket-options.reuse-address"),
    flag(Listeners, "enable-grpc-gateway", Bool, "true", "Serve the JSON gateway."),
    flag(Listeners, "cors", Words, "*", "Origins that browsers may call from: * or URLs with a port."),
    flag(Listeners, "host-whitelist", Words, "*", "Host names that plain HTTP requests may name: * or a list."),

    flag(Cluster, "initial-advertise-peer-urls", Urls, "http://localhost:2380", "Peer URLs announced to the cluster."),
    flag(Cluster, "advertise-client-urls", Urls, "http://localhost:2379", "Client URLs announced to clients; needed with listen-client-urls."),
    flag(Cluster, "initial-cluster", Str, "default=http://localhost:2380", "Members at bootstrap: name=url,..."),
    flag(Cluster, "initial-cluster-state", Choice(&["new", "existing"]), "new", "Whether the cluster is new or existing."),
    flag(Cluster, "initial-cluster-token", Str, "etcd-cluster", "Word that goes into the cluster's and members' ids."),
    flag(Cluster, "force-new-cluster", Bool, "false", "Make this member a cluster of its own. Unsafe."),
    flag(Cluster, "strict-reconfig-check", Bool, "true", "Refuse membership changes that would lose the quorum."),
    flag(Cluster, "max-learners", Int, "1", "Most learners in the cluster."),
    flag(Cluster, "discovery-token", Str, "", "Token of the cluster at the discovery service.").at("discovery-config.token"),
    flag(Cluster, "discovery-endpoints", List, "", "Endpoints of the discovery service.").at("discovery-config.client.endpoints"),
    flag(Cluster, "discovery-dial-timeout", Dur, "2s", "Dial timeout of discovery.").at("discovery-config.client.dial-timeout"),
    flag(Cluster, "discovery-request-timeout", Dur, "5s", "Request timeout of discovery.").at("discovery-config.client.request-timeout"),
    flag(Cluster, "discovery-keepalive-time", Dur, "2s", "Keepalive period of discovery.").at("discovery-config.client.keepalive-time"),
    flag(Cluster, "discovery-keepalive-timeout", Dur, "6s", "Keepalive timeout of discovery.").at("discovery-config.client.keepalive-timeout"),
    flag(Cluster, "discovery-insecure-transport", Bool, "true", "Discovery without TLS.").at("discovery-config.client.secure.insecure-transport"),
    flag(Cluster, "discovery-insecure-skip-tls-verify", Bool, "false", "Discovery without certificate checks.").at("discovery-config.client.secure.insecure-skip-tls-verify"),
    flag(Cluster, "discovery-cert", Str, "", "Client certificate of discovery.").at("discovery-config.client.secure.cert"),
    flag(Cluster, "discovery-key", Str, "", "Client key of discovery.").at("discovery-config.client.secure.key"),
    flag(Cluster, "discovery-cacert", Str, "", "CA file of discovery.").at("discovery-config.client.secure.cacert"),
    flag(Cluster, "discovery-user", Str, "", "User name of discovery.").at("discovery-config.client.auth.username"),
    flag(Cluster, "discovery-password", Str, "", "Password of discovery.").at("discovery-config.client.auth.password"),
    flag(Cluster, "discovery-fallback", Choice(&["exit"]), "exit", "What to do when discovery fails.").not_in_file(),
    flag(Cluster, "discovery-srv", Str, "", "DNS domain to find the cluster in."),
    flag(Cluster, "discovery-srv-name", Str, "", "Suffix of the DNS service name."),

    flag(Compaction, "auto-compaction-mode", Str, "periodic", "periodic or revision."),
    flag(Compaction, "auto-compaction-retention", Str, "0", "History kept: a time (a bare number is hours) or a number of revisions; 0 disables."),
    flag(Compaction, "compaction-batch-limit", Int, "0", "Revisions removed in a batch; 0 means 1000."),
    flag(Compaction, "compaction-sleep-interval", Dur, "0s", "Pause between batches; 0 means 10ms."),
    flag(Compaction, "corrupt-check-time", Dur, "0s", "Time between comparisons of the data with the peers'; 0 disables."),
    flag(Compaction, "compact-hash-check-time", Dur, "1m0s", "Time between comparisons of compaction hashes; needs the gate CompactHashCheck."),
    flag(Compaction, "downgrade-check-time", Dur, "5s", "Time between checks whether a downgrade is complete; 0 disables.").inert(),
    flag(Compaction, "watch-progress-notify-interval", Dur, "0s", "Time between progress notifications of watches; 0 means 10m."),

    flag(ClientTls, "cert-file", Str, "", "Certificate of the server.").at("client-transport-security.cert-file").inert(),
    flag(ClientTls, "key-file", Str, "", "Key of the server.").at("client-transport-security.key-file").inert(),
    flag(ClientTls, "client-cert-auth", Bool, "false", "Require client certificates.").at("client-transport-security.client-cert-auth").inert(),
    flag(ClientTls, "client-cert-file", Str, "", "Certificate for calls to itself.").at("client-transport-security.client-cert-file").inert(),
    flag(ClientTls, "client-key-file", Str, "", "Key for calls to itself.").at("client-transport-security.client-key-file").inert(),
    flag(ClientTls, "client-crl-file", Str, "", "Revoked client certificates.").not_in_file().inert(),
    flag(ClientTls, "client-cert-allowed-hostname", List, "", "Host names allowed in client certificates.").at("client-transport-security.allowed-hostname").inert(),
    flag(ClientTls, "trusted-ca-file", Str, "", "CA of the clients.").at("client-transport-security.trusted-ca-file").inert(),
    flag(ClientTls, "auto-tls", Bool, "false", "Serve clients with a self-signed certificate.").at("client-transport-security.auto-tls").inert(),
    flag(ClientTls, "self-signed-cert-validity", Uint, "1", "Validity of generated certificates, in years.").inert(),
    flag(ClientTls, "cipher-suites", List, "", "Cipher suites to allow.").inert(),
    flag(ClientTls, "tls-min-version", Str, "TLS1.2", "Lowest TLS version: TLS1.2 or TLS1.3.").inert(),
    flag(ClientTls, "tls-max-version", Str, "", "Highest TLS version; empty leaves the choice to the library.").inert(),

    flag(PeerTls, "peer-cert-file", Str, "", "Certificate for peers.").at("peer-transport-security.cert-file").inert(),
    flag(PeerTls, "peer-key-file", Str, "", "Key for peers.").at("peer-transport-security.key-file").inert(),
    flag(PeerTls, "peer-client-cert-auth", Bool, "false", "Require certificates of peers.").at("peer-transport-security.client-cert-auth").inert(),
    flag(PeerTls, "peer-client-cert-file", Str, "", "Certificate for calls to peers.").at("peer-transport-security.client-cert-file").inert(),
    flag(PeerTls, "peer-client-key-file", Str, "", "Key for calls to peers.").at("peer-transport-security.client-key-file").inert(),
    flag(PeerTls, "peer-trusted-ca-file", Str, "", "CA of the peers.").at("peer-transport-security.trusted-ca-file").inert(),
    flag(PeerTls, "peer-auto-tls", Bool, "false", "Serve peers with a self-signed certificate.").at("peer-transport-security.auto-tls").inert(),
    flag(PeerTls, "peer-crl-file", Str, "", "Revoked peer certificates.").not_in_file().inert(),
    flag(PeerTls, "peer-cert-allowed-cn", List, "", "Common names allowed in peer certificates.").at("peer-transport-security.allowed-cn").inert(),
    flag(PeerTls, "peer-cert-allowed-hostname", List, "", "Host names allowed in peer certificates.").at("peer-transport-security.allowed-hostname").inert(),
    flag(PeerTls, "peer-skip-client-san-verification", Bool, "false", "Do not check the names in peer certificates.").at("peer-transport-security.skip-client-san-verification").inert(),

    flag(Auth, "auth-token", Str, "simple", "Token provider: simple, or jwt with its options.").inert(),
    flag(Auth, "auth-token-ttl", Uint, "300", "Idle lifetime of simple tokens, in seconds.").inert(),
    flag(Auth, "bcrypt-cost", Uint, "10", "Cost of hashing passwords, 4 to 31.").inert(),

    flag(Observability, "enable-pprof", Bool, "false", "Serve profiles under /debug/pprof.").inert(),
    flag(Observability, "metrics", Choice(&["basic", "extensive"]), "basic", "basic, or extensive for gRPC latency histograms too."),
    flag(Observability, "logger", Choice(&["zap"]), "zap", "Kind of logger."),
    flag(Observability, "log-level", Str, "info", "debug, info, warn, error, panic or fatal."),
    flag(Observability, "log-format", Str, "json", "json or console; if not given, short lines on a terminal."),
    flag(Observability, "log-outputs", List, "default", "default, stderr, stdout, systemd/journal, or paths of files."),
    flag(Observability, "enable-log-rotation", Bool, "false", "Rotate the log file.").inert(),
    flag(Observability, "log-rotation-config-json", Str, ROTATION, "How to rotate it.").inert(),
    flag(Observability, "warning-apply-duration", Dur, "100ms", "Log applies that take longer."),
    flag(Observability, "warning-unary-request-duration", Dur, "300ms", "Log unary calls that take longer; 0 means 300ms."),
    flag(Observability, "enable-distributed-tracing", Bool, "false", "Export OpenTelemetry traces.").inert(),
    flag(Observability, "distributed-tracing-address", Str, "localhost:4317", "Address of the trace collector.").inert(),
    flag(Observability, "distributed-tracing-service-name", Str, "etcd", "Service name in traces.").inert(),
    flag(Observability, "distributed-tracing-instance-id", Str, "", "Instance id in traces.").inert(),
    flag(Observability, "distributed-tracing-sampling-rate", Uint, "0", "Sampled spans in a million.").inert(),

    flag(General, "feature-gates", Str, "", "Gate=true,Gate=false,... (gates below)."),
    flag(General, "config-file", Str, "", "YAML or JSON file with settings; flags and environment are then ignored.").not_in_file(),
    flag(General, "version", Bool, "false", "Print the version and exit.").not_in_file(),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_default_reads_back() {
        for flag in FLAGS {
            assert!(flag.parse(flag.default).is_ok(), "{}", flag.name);
        }
    }

    #[test]
    fn names_and_file_keys_are_unique() {
        let mut names = HashSet::new();
        let mut keys = HashSet::new();
        for flag in all() {
            assert!(names.insert(flag.name), "{}", flag.name);
            assert!(!IGNORED.contains(&flag.name), "{}", flag.name);
            match flag.file {
                FileKey::Same => assert!(keys.insert(flag.name), "{}", flag.name),
                FileKey::At(path) => assert!(keys.insert(path), "{path}"),
                FileKey::None => {}
            }
        }
    }

    #[test]
    fn groups_stand_together() {
        let mut order: Vec<Group> = FLAGS.iter().map(|f| f.group).collect();
        order.dedup();
        assert_eq!(order, Group::ALL);
    }

    #[test]
    fn numbers_are_read_as_go_reads_them() {
        for (text, n) in
            [("0", 0), ("12", 12), ("-12", -12), ("+1", 1), ("0x10", 16), ("0b11", 3), ("0o17", 15), ("017", 15)]
        {
            assert_eq!(parse_int(text), Some(n), "{text}");
        }
        for text in ["", "-", "0x", "1.0", "1e3", "--1", "0x-1", "a", "09"] {
            assert_eq!(parse_int(text), None, "{text}");
        }
    }
}
