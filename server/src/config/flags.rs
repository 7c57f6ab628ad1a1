//! The one table of flags: name, kind, default, group, place in the configuration file, help.
//!
//! The environment variables, the file's keys and `--help` all follow from it.

use super::OWN;
use super::flag::{Flag, Group, Kind, flag};
use Group::{Auth, ClientTls, Cluster, Compaction, General, Listeners, Member, Observability, PeerTls, Raft};
use Kind::{Bool, Choice, Duration as Dur, Int, List, Repeated, Str, Uint, Uint32, Urls, Words};

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
    flag(Member, "memory-mlock", Bool, "false", "Keep all memory of the process in RAM; needs an unlimited RLIMIT_MEMLOCK, or CAP_IPC_LOCK."),
    flag(Member, "quota-backend-bytes", Int, "0", "Database size at which writes are refused; 0 means 2 GiB, negative means none."),
    flag(Member, "backend-bbolt-freelist-type", Str, "", "Kind of a list that the database here has not.").inert(),
    flag(Member, "value-cache-bytes", Str, "25%", "How much of memory values and the database's cache may take: bytes (512MiB) or a share of what the process may use; the rest is read from the disk."),
    flag(Member, "backend-batch-interval", Dur, "0s", "Longest time before a database commit; 0 means 500ms."),
    flag(Member, "backend-batch-limit", Int, "0", "Most operations before a database commit; 0 means 16000."),
    flag(Member, "bootstrap-defrag-threshold-megabytes", Uint, "0", "Defragment at start when this much can be freed; 0 disables."),
    flag(Member, "auto-defrag-threshold", Str, "0", "What must be free in the database for this member to be defragmented by itself: bytes (256MiB) or a share (30%); 0 disables."),
    flag(Member, "auto-defrag-interval", Dur, "1m0s", "How often the leader asks which member is due for it; one has its turn at a time."),
    flag(Member, "auto-defrag-idle-rate", Uint, "100", "Changes a second beyond which a member is too busy for it."),
    flag(Member, "backup-interval", Dur, "0s", "How old the newest backup of this member may become before it makes another one; 0 disables."),
    flag(Member, "backup-dir", Str, "", "Directory for these backups."),
    flag(Member, "backup-keep", Uint, "7", "How many of them stay."),
    flag(Member, "unsafe-no-fsync", Bool, "false", "Never wait for the disk. Unsafe: a power cut loses data."),

    flag(Raft, "heartbeat-interval", Uint, "100", "Time of a heartbeat, in milliseconds."),
    flag(Raft, "election-timeout", Uint, "1000", "Time without a leader before an election, in milliseconds."),
    flag(Raft, "initial-election-tick-advance", Bool, "true", "Shorten the first election timeout at start."),
    flag(Raft, "pre-vote", Bool, "true", "Ask whether an election could be won before starting one."),
    flag(Raft, "raft-read-timeout", Dur, "5s", "Read timeout of peer connections.").not_in_file(),
    flag(Raft, "raft-write-timeout", Dur, "5s", "Time that a peer connection may take nothing of what waits for it.").not_in_file(),

    flag(Listeners, "listen-peer-urls", Urls, "http://localhost:2380", "Addresses for peers."),
    flag(Listeners, "listen-client-urls", Urls, "http://localhost:2379", "Addresses for clients: gRPC, JSON, REST, events, console."),
    flag(Listeners, "listen-client-http-urls", Urls, "", "Addresses for HTTP only; those of listen-client-urls then serve gRPC only."),
    flag(Listeners, "listen-metrics-urls", Urls, "", "Further addresses for metrics and health."),
    flag(Listeners, "max-txn-ops", Uint, "128", "Most operations in a branch of a transaction."),
    flag(Listeners, "max-request-bytes", Uint32, "1572864", "Largest write request."),
    flag(Listeners, "max-concurrent-streams", Uint32, "4294967295", "HTTP/2 streams at once on one connection."),
    flag(Listeners, "max-concurrent-requests", Uint32, "256", "Requests worked on at once of one HTTP/2 connection; others wait, streams do not count. 0 means no limit."),
    flag(Listeners, "max-connections-per-address", Uint32, "0", "Connections of one client's address; further ones take the place of the one that is idle longest. 0 means no limit."),
    flag(Listeners, "rate-limit-per-user", Str, "", "Requests a second of each user, and after a colon how many at once: 100:500; empty means no limit."),
    flag(Listeners, "rate-limit-per-address", Str, "", "The same of each client's address."),
    flag(Listeners, "rate-limit-prefix", Repeated, "", "The same of all keys with a prefix, <prefix>=100:500; may be given several times."),
    flag(Listeners, "request-head-timeout", Dur, "20s", "Time for the head of a request from its first byte on, 1s to 5m; then 408, or the connection is closed."),
    flag(Listeners, "grpc-keepalive-min-time", Dur, "5s", "Shortest time between pings of a client with calls under way; who pings more often is let go."),
    flag(Listeners, "grpc-keepalive-interval", Dur, "2h0m0s", "Time between pings to clients; 0 disables."),
    flag(Listeners, "grpc-keepalive-timeout", Dur, "20s", "Time to wait for the answer to a ping."),
    flag(Listeners, "socket-reuse-port", Bool, "false", "Set SO_REUSEPORT on listeners.").at("socket-options.reuse-port"),
    flag(Listeners, "socket-reuse-address", Bool, "false", "Set SO_REUSEADDR on listeners; it always is.").at("socket-options.reuse-address"),
    flag(Listeners, "enable-grpc-gateway", Bool, "true", "Serve the JSON gateway."),
    flag(Listeners, "console", Choice(&["on", "read-only", "off"]), "on", "The console at /ui/: on, read-only (it offers no change; the API is as ever), or off."),
    flag(Listeners, "cors", Words, OWN, "Origins of pages that may call: own for the server's, those like https://example.com or http://localhost:3000, or * for all."),
    flag(Listeners, "host-whitelist", Words, OWN, "Host names that HTTP requests may name: own (this machine's, those in the URLs, addresses), names, or * for all."),

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
    flag(Compaction, "downgrade-check-time", Dur, "5s", "Time between checks whether a downgrade is complete; 0 disables."),
    flag(Compaction, "watch-progress-notify-interval", Dur, "0s", "Time between progress notifications of watches; 0 means 10m."),

    flag(ClientTls, "cert-file", Str, "", "Certificate of the server.").at("client-transport-security.cert-file"),
    flag(ClientTls, "key-file", Str, "", "Key of the server.").at("client-transport-security.key-file"),
    flag(ClientTls, "client-cert-auth", Bool, "false", "Require client certificates.").at("client-transport-security.client-cert-auth"),
    flag(ClientTls, "client-cert-auth-http", Bool, "false", "With client-cert-auth: the common name is the user of JSON, events and other HTTP, too.").at("client-transport-security.client-cert-auth-http"),
    flag(ClientTls, "client-cert-file", Str, "", "Certificate for calls to itself.").at("client-transport-security.client-cert-file"),
    flag(ClientTls, "client-key-file", Str, "", "Key for calls to itself.").at("client-transport-security.client-key-file"),
    flag(ClientTls, "client-crl-file", Str, "", "Revoked client certificates.").not_in_file(),
    flag(ClientTls, "client-cert-allowed-cn", List, "", "Common names allowed in client certificates.").at("client-transport-security.allowed-cn"),
    flag(ClientTls, "client-cert-allowed-hostname", List, "", "Host names allowed in client certificates.").at("client-transport-security.allowed-hostname"),
    flag(ClientTls, "trusted-ca-file", Str, "", "CA of the clients.").at("client-transport-security.trusted-ca-file"),
    flag(ClientTls, "auto-tls", Bool, "false", "Serve clients with a self-signed certificate.").at("client-transport-security.auto-tls"),
    flag(ClientTls, "self-signed-cert-validity", Uint, "1", "Validity of generated certificates, in years."),
    flag(ClientTls, "cipher-suites", List, "", "Cipher suites to allow."),
    flag(ClientTls, "tls-min-version", Str, "TLS1.2", "Lowest TLS version: TLS1.2 or TLS1.3."),
    flag(ClientTls, "tls-max-version", Str, "", "Highest TLS version; empty leaves the choice to the library."),

    flag(PeerTls, "peer-cert-file", Str, "", "Certificate for peers.").at("peer-transport-security.cert-file"),
    flag(PeerTls, "peer-key-file", Str, "", "Key for peers.").at("peer-transport-security.key-file"),
    flag(PeerTls, "peer-client-cert-auth", Bool, "false", "Require certificates of peers.").at("peer-transport-security.client-cert-auth"),
    flag(PeerTls, "peer-client-cert-file", Str, "", "Certificate for calls to peers.").at("peer-transport-security.client-cert-file"),
    flag(PeerTls, "peer-client-key-file", Str, "", "Key for calls to peers.").at("peer-transport-security.client-key-file"),
    flag(PeerTls, "peer-trusted-ca-file", Str, "", "CA of the peers.").at("peer-transport-security.trusted-ca-file"),
    flag(PeerTls, "peer-auto-tls", Bool, "false", "Serve peers with a self-signed certificate.").at("peer-transport-security.auto-tls"),
    flag(PeerTls, "peer-crl-file", Str, "", "Revoked peer certificates.").not_in_file(),
    flag(PeerTls, "peer-cert-allowed-cn", List, "", "Common names allowed in peer certificates.").at("peer-transport-security.allowed-cn"),
    flag(PeerTls, "peer-cert-allowed-hostname", List, "", "Host names allowed in peer certificates.").at("peer-transport-security.allowed-hostname"),
    flag(PeerTls, "peer-skip-client-san-verification", Bool, "false", "Do not check the names in peer certificates.").at("peer-transport-security.skip-client-san-verification"),

    flag(Auth, "auth-token", Str, "simple", "Token provider: simple, or jwt,sign-method=..,priv-key=..,pub-key=..,ttl=.."),
    flag(Auth, "auth-token-ttl", Uint, "300", "Idle lifetime of simple tokens, in seconds."),
    flag(Auth, "auth-token-must-end", Bool, "false", "With auth-token=jwt: take no token that does not say when it ends (exp)."),
    flag(Auth, "identity-issuer", Str, "", "Take tokens of this issuer, too (OpenID Connect): iss is this text, letter for letter."),
    flag(Auth, "identity-audience", Str, "", "What aud of its tokens has to be, or to contain."),
    flag(Auth, "identity-jwks", Str, "", "Its public keys: a file, or a URL; if empty, the issuer is asked where they are."),
    flag(Auth, "identity-user-claim", Str, "sub", "The claim that names the user, or /a/b for one inside of another."),
    flag(Auth, "identity-user-prefix", Str, "oidc/", "What the user's name here begins with; empty lets outsiders be any user, root too."),
    flag(Auth, "identity-roles-claim", Str, "", "The claim that lists the user's roles, or /a/b; if empty, they are those of the user of that name."),
    flag(Auth, "identity-role-prefix", Str, "oidc/", "What the roles' names here begin with; empty lets outsiders have any role, root too."),
    flag(Auth, "identity-ca-file", Str, "", "CA of the issuer's server; the system's if empty."),
    flag(Auth, "identity-refresh-interval", Dur, "5m0s", "Time between two looks at keys behind a URL; a file is looked at each second."),
    flag(Auth, "audit-log", Str, "", "File that lines of JSON are added to: who asked for what, and what came of it."),
    flag(Auth, "access-token-in-query", Bool, "false", "Take a token from the query, too: for EventSource, which can set no header."),
    flag(Auth, "bcrypt-cost", Uint, "10", "Cost of hashing passwords, 4 to 31."),

    flag(Observability, "enable-pprof", Bool, "false", "Take profiles of the processor under /debug/pprof/, for root while there are users; log level debug implies it."),
    flag(Observability, "metrics", Choice(&["basic", "extensive"]), "basic", "basic, or extensive for gRPC latency histograms too."),
    flag(Observability, "metrics-prefix-depth", Uint, "0", "Count keys, puts and reads by so many parts of the keys' paths, too; 0 disables."),
    flag(Observability, "logger", Choice(&["zap"]), "zap", "Kind of logger."),
    flag(Observability, "log-level", Str, "info", "debug, info, warn, error, panic or fatal."),
    flag(Observability, "log-format", Str, "json", "json or console; if not given, short lines on a terminal."),
    flag(Observability, "log-outputs", List, "default", "default, stderr, stdout, systemd/journal, or paths of files."),
    flag(Observability, "enable-log-rotation", Bool, "false", "Move the one log file among the outputs aside when it is full."),
    flag(Observability, "log-rotation-config-json", Str, ROTATION, "When it is full, in megabytes; days and number of old files that are kept, 0 for all; whether they are packed, and named in local time."),
    flag(Observability, "warning-apply-duration", Dur, "100ms", "Log applies that take longer."),
    flag(Observability, "warning-unary-request-duration", Dur, "300ms", "Log unary calls that take longer; 0 means 300ms."),
    flag(Observability, "enable-distributed-tracing", Bool, "false", "Tell a collector of calls, as OpenTelemetry traces."),
    flag(Observability, "distributed-tracing-address", Str, "localhost:4317", "Address of the collector (OTLP over gRPC, not encrypted)."),
    flag(Observability, "distributed-tracing-service-name", Str, "etcd", "What this service is called there."),
    flag(Observability, "distributed-tracing-instance-id", Str, "", "What this member is called there; empty for nothing."),
    flag(Observability, "distributed-tracing-sampling-rate", Int, "0", "How many of a million calls begin a trace; those that belong to a sampled one are in it anyway."),

    flag(General, "feature-gates", Str, "", "Gate=true,Gate=false,... (gates below)."),
    flag(General, "config-file", Str, "", "YAML or JSON file with settings; flags and environment are then ignored.").not_in_file(),
    flag(General, "version", Bool, "false", "Print the version and exit.").not_in_file(),
];

#[cfg(test)]
mod tests {
    use super::super::former;
    use super::*;
    use crate::config::flag::FileKey;
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
        for flag in former::all() {
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
}
