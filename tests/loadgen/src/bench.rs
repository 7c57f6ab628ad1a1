//! Servers on fresh data folders, warm-up, interleaved rounds, medians.

mod beside;
mod crowd;
mod figures;
mod options;
mod probe;
mod recorded;
mod report;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::entry::Tls;
use crate::limits::fsync_probe;
use crate::server::Cluster;
use crate::stats::{Meter, Outcome, Row, Used, num};
use crate::workload::{Kind, Spec, drive};
use options::Opts;
pub(crate) use options::{CompareArgs, RunArgs};
pub(crate) use report::{compare, run};

/// A folder removed at the end.
struct Work {
    path: PathBuf,
    keep: bool,
}
impl Drop for Work {
    fn drop(&mut self) {
        if !self.keep {
            let _ = std::fs::remove_dir_all(&self.path);
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

/// Memory that no file stands for, in /proc/PID/status.
const ANONYMOUS: &str = "RssAnon";

/// What it takes until memory and disk that are no longer needed have been given back. No client sees that it is done.
const SETTLE: Duration = Duration::from_secs(3);

/// What a workload measured, and what was used meanwhile.
struct Done {
    out: Outcome,
    used: Used,
    /// Of the disk, just before.
    fsync_per_s: f64,
    /// Anonymous memory of the servers, from before the clients came until all of them stood.
    grown_mib: f64,
}

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
        o.check(&kinds)?;
        let base = o.workdir.clone().unwrap_or_else(std::env::temp_dir);
        let work = Work { path: base.join(format!("loadgen-{}", std::process::id())), keep: o.keep };
        std::fs::create_dir_all(&work.path)?;
        Ok(Bench { o: o.clone(), kinds, work, rows: vec![], dirs: 0 })
    }

    /// Runs everything; what failed is told, and the rest still runs. True if nothing failed.
    fn all(mut self, sides: &mut [Side]) -> Result<(Vec<Row>, bool)> {
        let managed = sides.iter().all(|s| s.cluster.as_ref().is_none_or(Cluster::managed));
        if let Some(k) = self.kinds.iter().find(|k| k.stops_members()) {
            ensure!(managed, "{} needs servers that loadgen starts (--server)", k.name());
        }
        let guarded = |k: &Kind| k.needs_tls() || k.needs_users();
        ensure!(
            managed || self.o.tls.is_none() && !self.o.peer_tls && !self.o.users && !self.kinds.iter().any(guarded),
            "TLS and users need servers that loadgen starts (--server)"
        );
        let (mut big, small): (Vec<Kind>, Vec<Kind>) = self.kinds.iter().partition(|k| self.o.among_many(**k));
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
        self.start(sides, kinds)?;
        if self.o.among_many(kinds[0]) {
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
                Kind::Many(crowd) => {
                    let rows = self.pair(sides, &|b, s| b.crowd(s, crowd))?;
                    self.rows.extend(rows);
                }
                Kind::WatchesHttps | Kind::Logins => {
                    for clients in self.o.clients.clone() {
                        for s in sides.iter_mut().filter(|_| self.o.warmup > 0.0) {
                            self.measure(s, self.puts_beside(kind), clients, self.o.warmup)?;
                        }
                        self.rounds(sides, &|b, s| b.beside(s, kind, clients))?;
                    }
                }
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
                Some(v) if row.ops > 0 => {
                    let extra = row.extra.iter().map(|(name, x)| format!(", {name} {}", num(*x)));
                    format!("{} {}, p99 {} ms{}", num(v), row.unit, num(row.p99_ms), extra.collect::<String>())
                }
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
    fn start(&mut self, sides: &mut [Side], kinds: &[Kind]) -> Result<()> {
        let scope = self.o.encryption(kinds);
        let users = self.o.users || kinds.iter().any(|k| k.needs_users());
        let tls = if scope.is_empty() { None } else { Some(Tls::new(scope, &self.work.path)?) };
        for s in sides {
            if s.cluster.as_ref().is_some_and(|c| !c.managed()) {
                continue;
            }
            s.cluster = None; // stops the previous one
            let dir = self.work.path.join(format!("{}-{}", s.label, self.dirs));
            if !self.o.keep && self.dirs > 0 {
                let _ = std::fs::remove_dir_all(self.work.path.join(format!("{}-{}", s.label, self.dirs - 1)));
            }
            let mut c = Cluster::new(&s.cmd, self.o.nodes, &dir, tls.as_ref())?;
            c.start()?;
            c.wait_ready(None, self.start_timeout()).with_context(|| format!("{} did not start", s.label))?;
            if users {
                c.enable_users(if kinds.contains(&Kind::Logins) { self.o.login_clients } else { 0 })?;
            }
            s.cluster = Some(c);
        }
        self.dirs += 1;
        Ok(())
    }

    fn start_timeout(&self) -> Duration {
        Duration::from_secs_f64(self.o.start_timeout)
    }

    fn spec(&self, s: &mut Side, kind: Kind, clients: usize, seconds: f64) -> Result<Spec> {
        let o = &self.o;
        let c = s.cluster();
        let targets = c.targets(&o.target);
        let access = c.access(&targets, if kind.json() { clients } else { o.conns })?;
        let keyspace = if o.among_many(kind) { o.keys } else { o.keyspace };
        Ok(Spec {
            kind,
            targets,
            access,
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
            leases_end: Instant::now(),
            beside: None,
        })
    }

    fn measure(&self, s: &mut Side, kind: Kind, clients: usize, seconds: f64) -> Result<Row> {
        if kind == Kind::LeaseRevoke && s.cluster().leases.is_empty() {
            self.measure(s, Kind::LeaseGrant, clients.max(64), seconds)?;
        }
        let spec = self.spec(s, kind, clients, seconds)?;
        self.go(s, spec)
    }

    /// Fills `keys` keys with at least 64 in flight.
    fn fill(&self, s: &mut Side, keys: u64) -> Result<Row> {
        let clients = self.o.clients.iter().copied().max().unwrap_or(1).clamp(64, 256);
        let spec = Spec { keyspace: keys, ..self.spec(s, Kind::Load, clients, self.o.load_seconds)? };
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
        let done = self.outcome(s, spec)?;
        row.fill(done.out, done.used);
        row.fsync_per_s = done.fsync_per_s;
        row.server_grown_mib = done.grown_mib;
        row.server_peak_rss_mib = s.cluster().mib("VmHWM");
        Ok(row)
    }

    fn outcome(&self, s: &mut Side, spec: Spec) -> Result<Done> {
        let c = s.cluster();
        let leases = if spec.kind == Kind::LeaseRevoke { std::mem::take(&mut c.leases) } else { vec![] };
        rustix::fs::sync(); // the other side's dirty pages are not this side's to write
        self.wait_quiet(c);
        let probe = fsync_probe(&self.work.path, 256, false, 0.1)?;
        c.reset_peak();
        let mut meter = Meter::new(c.pids());
        let before = c.mib(ANONYMOUS);
        let mut grown_mib = 0.0;
        let mut out = drive(spec, leases, || {
            grown_mib = c.mib(ANONYMOUS) - before;
            meter.restart();
        });
        let used = meter.read();
        c.leases.append(&mut out.leases);
        Ok(Done { out, used, fsync_per_s: probe.ops as f64 / probe.elapsed.as_secs_f64(), grown_mib })
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
