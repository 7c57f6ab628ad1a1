//! What can be said on the command line of `run` and `compare`.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Result, ensure};

use crate::entry::{Scope, TlsMode};
use crate::workload::{Kind, NAMES};

/// Bytes: of a request, which is 1.5 MiB at most by default, and of what there is of random data.
const MOST_IN_A_VALUE: usize = (1 << 20) + (1 << 19) - 1024;

#[derive(clap::Args, Clone)]
pub(crate) struct Opts {
    #[arg(long, value_delimiter = ',', default_value = "put,range,txn,mixed", help = format!("Comma-separated: {NAMES}"))]
    pub(super) workloads: Vec<String>,
    /// Closed-loop clients (requests in flight); a comma-separated list runs each workload with each
    #[arg(long, value_delimiter = ',', default_value = "64")]
    pub(super) clients: Vec<usize>,
    /// gRPC connections shared by the clients (JSON: one connection per client)
    #[arg(long, default_value_t = 8)]
    pub(super) conns: usize,
    /// Client threads
    #[arg(long, default_value_t = 1)]
    pub(super) threads: usize,
    /// Measured seconds per round
    #[arg(long, default_value_t = 5.0)]
    pub(super) seconds: f64,
    /// Unmeasured seconds before the first round of each workload and client count
    #[arg(long, default_value_t = 2.0)]
    pub(super) warmup: f64,
    /// Rounds of which the median is reported. failover: 10 and more, because when an election begins is random
    #[arg(long, default_value_t = 3)]
    pub(super) rounds: usize,
    #[arg(long, default_value_t = 16)]
    pub(super) key_size: usize,
    #[arg(long, default_value_t = 256)]
    pub(super) value_size: usize,
    /// Keys that put, range, mixed and json-* pick from
    #[arg(long, default_value_t = 10_000)]
    pub(super) keyspace: u64,
    /// Keys filled for load, list, rss, disk, restart and new-member
    #[arg(long, default_value_t = 1_000_000)]
    pub(super) keys: u64,
    /// Runs all workloads among these keys, on the servers that were filled once for load, list and the others
    #[arg(long)]
    pub(super) filled: bool,
    /// Puts per txn when filling keys (1 = plain puts)
    #[arg(long, default_value_t = 100)]
    pub(super) load_batch: u64,
    /// Limit of one fill
    #[arg(long, default_value_t = 1800.0)]
    pub(super) load_seconds: f64,
    /// watch: watchers on the prefix [default: the number of clients]
    #[arg(long)]
    pub(super) watchers: Option<usize>,
    /// watch: streams they share
    #[arg(long, default_value_t = 8)]
    pub(super) streams: usize,
    /// watch: puts per second
    #[arg(long, default_value_t = 100.0)]
    pub(super) rate: f64,
    /// watch-max: closed-loop writers
    #[arg(long, default_value_t = 16)]
    pub(super) writers: usize,
    /// Servers with a certificate of the run's own authority, which all clients check; =mutual: clients show one, too.
    /// Between members there is none without --peer-tls
    #[arg(long, value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "server")]
    pub(super) tls: Option<TlsMode>,
    /// Members that show each other certificates, by an authority of the run's own (with --nodes)
    #[arg(long)]
    pub(super) peer_tls: bool,
    /// Servers with authentication enabled: root, and a user whose role may read and write the keys of the workloads. All
    /// clients are logged in (64 logins at most, which further connections share) before the clock starts
    #[arg(long)]
    pub(super) users: bool,
    /// watches-https: watches that are open while puts are measured, each on one of the keys that are put
    #[arg(long, default_value_t = 1000)]
    pub(super) https_watches: usize,
    /// watches-https: watches that share a connection
    #[arg(long, default_value_t = 1)]
    pub(super) watches_per_conn: usize,
    /// watches-https: watches and puts as JSON over HTTP/1.1 (a connection for each watch)
    #[arg(long)]
    pub(super) json_watches: bool,
    /// logins: clients that log in all the time, each as a user of its own, while puts are measured
    #[arg(long, default_value_t = 32)]
    pub(super) login_clients: usize,
    /// connections, watchers, watchers-of-one, leases, permissions: how many make the crowd [default: 10,000 connections,
    /// 100,000 watchers or permissions, 1,000,000 leases]
    #[arg(long)]
    pub(super) crowd: Option<u64>,
    /// watchers, watchers-of-one: streams they share
    #[arg(long, default_value_t = 1000)]
    pub(super) crowd_streams: usize,
    /// leases: seconds from the first grant until all of them expire, by when all have to be granted
    #[arg(long, default_value_t = 300)]
    pub(super) leases_end: u64,
    /// Members per side. failover: 3 or more. new-member: 3 shows what catching up costs; with 1 there is no majority while
    /// the second member starts, and what a server does about that weighs most
    #[arg(long, default_value_t = 1)]
    pub(super) nodes: usize,
    /// Members to load: leader, follower or all
    #[arg(long, default_value = "leader", value_parser = ["leader", "follower", "all"])]
    pub(super) target: String,
    /// restart: stop with kill -9 instead of SIGTERM
    #[arg(long)]
    pub(super) hard_kill: bool,
    /// Fresh servers and repetition of the whole --keys group (load, list, rss, disk, restart, new-member)
    #[arg(long, default_value_t = 1)]
    pub(super) big_rounds: usize,
    /// A round during which other processes used more cores than this is repeated
    #[arg(long, default_value_t = 0.4)]
    pub(super) max_other_cores: f64,
    /// How often a disturbed round is repeated at most (the quietest counts)
    #[arg(long, default_value_t = 2)]
    pub(super) retries: usize,
    /// Wait up to this many seconds before each round until other processes use less than a quarter core
    #[arg(long, default_value_t = 0.0)]
    pub(super) quiet_wait: f64,
    /// Seconds to wait for a server to serve, for a cluster to agree on a leader, and for a new member to catch up
    #[arg(long, default_value_t = 120.0)]
    pub(super) start_timeout: f64,
    /// Where data folders go [default: the temporary folder]
    #[arg(long)]
    pub(super) workdir: Option<PathBuf>,
    /// Keep data folders and server logs
    #[arg(long)]
    pub(super) keep: bool,
    /// JSON on stdout instead of tables
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(clap::Args)]
pub(crate) struct RunArgs {
    /// Servers to load that are already running (ip:port,…); without it a server is started
    #[arg(long, value_delimiter = ',')]
    pub(super) endpoints: Vec<SocketAddr>,
    /// With --endpoints: pids whose CPU and memory to account
    #[arg(long, value_delimiter = ',')]
    pub(super) pid: Vec<u32>,
    /// Server command, as --subject of compare [default: etcd]
    #[arg(long)]
    pub(super) server: Option<String>,
    #[command(flatten)]
    pub(super) opts: Opts,
}

#[derive(clap::Args)]
pub(crate) struct CompareArgs {
    /// Command of the server under test, with {data} {client} {peer} ({name} {cluster} {state} {client_port} {peer_port};
    /// with TLS {cert} {key} {ca}) placeholders for the data folder and URLs ({state}: new or existing); without any placeholder etcd's flags are
    /// appended. VAR=value words may precede it
    #[arg(long)]
    pub(super) subject: String,
    /// Command of the server to compare with [default: etcd: $ETCD_BIN, or fetched from PyPI]
    #[arg(long)]
    pub(super) peer: Option<String>,
    /// Ratios of an earlier run (what --json printed): those that are worse now by more than the noise are told
    #[arg(long)]
    pub(super) against: Option<PathBuf>,
    #[command(flatten)]
    pub(super) opts: Opts,
}

impl Opts {
    /// What is encrypted for these workloads, asked for or not.
    pub(super) fn encryption(&self, kinds: &[Kind]) -> Scope {
        let needed = kinds.iter().any(|kind| kind.needs_tls()).then_some(TlsMode::Server);
        Scope { clients: self.tls.or(needed), members: self.peer_tls }
    }

    /// Whether it runs against a server filled with --keys keys (all in one group) rather than --keyspace keys.
    pub(super) fn among_many(&self, kind: Kind) -> bool {
        self.filled || kind.big()
    }

    /// Whether all counts and sizes are ones that these workloads can do with.
    pub(super) fn check(&self, kinds: &[Kind]) -> Result<()> {
        ensure!(
            self.clients.iter().all(|c| *c > 0)
                && self.conns > 0
                && self.rounds > 0
                && self.nodes > 0
                && self.load_batch > 0,
            "counts must be at least 1"
        );
        ensure!(
            self.watchers != Some(0) && self.streams > 0 && self.writers > 0 && self.keyspace > 0,
            "counts must be at least 1"
        );
        ensure!(
            self.https_watches > 0 && self.watches_per_conn > 0 && self.login_clients > 0,
            "counts must be at least 1"
        );
        ensure!(self.crowd != Some(0) && self.crowd_streams > 0, "counts must be at least 1");
        ensure!(
            (8..=MOST_IN_A_VALUE).contains(&self.value_size) && (10..4096).contains(&self.key_size),
            "--value-size is 8 to {MOST_IN_A_VALUE}, --key-size 10..4096"
        );
        let list = kinds.iter().filter_map(|k| if let Kind::List(n) = k { Some(*n) } else { None }).max();
        ensure!(list.unwrap_or(0) <= self.keys, "list needs --keys of at least its size");
        ensure!(
            self.nodes > 1 || !self.peer_tls || kinds.contains(&Kind::NewMember),
            "--peer-tls needs --nodes 2 or more: a member alone has nobody to call"
        );
        ensure!(
            self.nodes > 2 || !kinds.contains(&Kind::Failover),
            "failover needs --nodes 3 or more: fewer members have no leader without the one that is killed"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: CompareArgs,
    }

    #[test]
    fn tls_may_be_named_alone() {
        let mode = |args: &[&str]| {
            let line = ["x", "--subject", "s"].iter().chain(args);
            Line::try_parse_from(line).unwrap_or_else(|e| panic!("{e}")).args.opts.tls
        };
        assert_eq!(mode(&[]), None);
        assert_eq!(mode(&["--tls", "--users"]), Some(TlsMode::Server));
        assert_eq!(mode(&["--tls=mutual"]), Some(TlsMode::Mutual));
    }

    #[test]
    fn what_is_encrypted_is_what_was_asked_for_and_what_a_workload_needs() {
        let opts = |args: &[&str]| {
            let line = ["x", "--subject", "s"].iter().chain(args);
            Line::try_parse_from(line).unwrap_or_else(|e| panic!("{e}")).args.opts
        };
        let (server, mutual) = (Some(TlsMode::Server), Some(TlsMode::Mutual));
        let kinds = [Kind::Put, Kind::TlsConnect];
        assert!(opts(&[]).encryption(&kinds[..1]).is_empty());
        assert_eq!(opts(&[]).encryption(&kinds), Scope { clients: server, members: false });
        let three = opts(&["--nodes=3", "--peer-tls"]);
        assert_eq!(three.encryption(&kinds[..1]), Scope { clients: None, members: true });
        assert_eq!(opts(&["--tls=mutual"]).encryption(&kinds), Scope { clients: mutual, members: false });
        assert!(three.check(&kinds).is_ok());
        let alone = opts(&["--peer-tls"]);
        assert!(alone.check(&kinds).is_err() && alone.check(&[Kind::NewMember]).is_ok());
    }
}
