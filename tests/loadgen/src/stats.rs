//! Latency histograms, /proc readings, result rows and their tables.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::Serialize;

/// What one closed loop (or one watch phase) measured.
pub(crate) struct Outcome {
    pub(crate) hist: Histogram<u64>,
    pub(crate) ops: u64,
    pub(crate) errors: u64,
    pub(crate) first_error: Option<String>,
    pub(crate) elapsed: Duration,
    pub(crate) leases: Vec<i64>,
    pub(crate) extra: BTreeMap<&'static str, f64>,
}
impl Default for Outcome {
    fn default() -> Self {
        let hist = Histogram::new_with_bounds(1, 1 << 42, 3).expect("constant bounds are valid");
        Outcome {
            hist,
            ops: 0,
            errors: 0,
            first_error: None,
            elapsed: Duration::ZERO,
            leases: vec![],
            extra: BTreeMap::new(),
        }
    }
}
impl Outcome {
    pub(crate) fn ok(&mut self, ops: u64, nanos: u64) {
        self.ops += ops;
        self.hist.saturating_record(nanos);
    }
    pub(crate) fn error(&mut self, e: impl std::fmt::Display) {
        self.errors += 1;
        self.first_error.get_or_insert_with(|| e.to_string());
    }
    pub(crate) fn merge(&mut self, o: Outcome) {
        self.hist.add(&o.hist).expect("all histograms have the same bounds");
        self.ops += o.ops;
        self.errors += o.errors;
        self.elapsed = self.elapsed.max(o.elapsed);
        self.first_error = self.first_error.take().or(o.first_error);
        self.leases.extend(o.leases);
        self.extra.extend(o.extra);
    }
}

/// utime+stime of a process (all its threads), in seconds.
fn cpu_secs(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or("");
    let ticks: u64 = after.split_whitespace().skip(11).take(2).filter_map(|s| s.parse::<u64>().ok()).sum();
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

fn self_cpu_secs() -> f64 {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    t.tv_sec as f64 + t.tv_nsec as f64 / 1e9
}

/// CPU seconds that all processes of the machine have used (with time stolen by the host).
fn machine_cpu_secs() -> f64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let f: Vec<u64> =
        stat.lines().next().unwrap_or("").split_whitespace().skip(1).take(8).filter_map(|s| s.parse().ok()).collect();
    let busy: u64 = f.iter().enumerate().filter(|(i, _)| *i != 3 && *i != 4).map(|(_, v)| v).sum(); // not idle, not iowait
    busy as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// A kB field of /proc/PID/status (VmRSS, VmHWM), in MiB.
pub(crate) fn status_mib(pid: u32, field: &str) -> f64 {
    let s = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = s.lines().find(|l| l.starts_with(field)).unwrap_or("");
    line.split_whitespace().nth(1).and_then(|v| v.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

/// Makes VmHWM count from now.
pub(crate) fn reset_peak(pid: u32) {
    let _ = std::fs::write(format!("/proc/{pid}/clear_refs"), "5");
}

/// Seconds of CPU of the server and of this process, and the cores that others used.
pub(crate) type Used = (f64, f64, f64);

/// CPU used by the server's processes, by this one and by everybody, since a moment.
pub(crate) struct Meter {
    pids: Vec<u32>,
    since: Instant,
    cpu: [f64; 3],
}
impl Meter {
    pub(crate) fn new(pids: Vec<u32>) -> Meter {
        let mut m = Meter { pids, since: Instant::now(), cpu: [0.0; 3] };
        m.restart();
        m
    }
    pub(crate) fn restart(&mut self) {
        (self.cpu, self.since) = (self.now(), Instant::now());
    }
    fn now(&self) -> [f64; 3] {
        [self.pids.iter().map(|p| cpu_secs(*p)).sum(), self_cpu_secs(), machine_cpu_secs()]
    }
    pub(crate) fn read(&self) -> Used {
        let now = self.now();
        let [server, client, all] = std::array::from_fn(|i| now[i] - self.cpu[i]);
        (server, client, ((all - server - client) / self.since.elapsed().as_secs_f64()).max(0.0))
    }
}

#[derive(Serialize, Clone, Default)]
pub(crate) struct Row {
    pub(crate) side: String,
    pub(crate) workload: String,
    pub(crate) clients: usize,
    pub(crate) nodes: usize,
    pub(crate) seconds: f64,
    pub(crate) ops: u64,
    pub(crate) errors: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) first_error: Option<String>,
    pub(crate) ops_per_s: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p95_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
    pub(crate) server_cpu_s_per_kop: f64,
    pub(crate) client_cpu_s_per_kop: f64,
    pub(crate) server_peak_rss_mib: f64,
    /// Of memory that no file stands for, until all clients stood.
    pub(crate) server_grown_mib: f64,
    /// Noise: cores that neither server nor client used but others did meanwhile, and the disk's fdatasync/s just before.
    pub(crate) other_cores: f64,
    pub(crate) fsync_per_s: f64,
    /// A workload that is not a rate (restart, failover, new-member, rss, disk): its value and unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<f64>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) unit: &'static str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) extra: BTreeMap<&'static str, f64>,
}

impl Row {
    pub(crate) fn fill(&mut self, o: Outcome, (server_cpu, client_cpu, others): Used) {
        self.other_cores = others;
        let some = |x: f64| if o.ops == 0 { f64::NAN } else { x };
        let q = |q: f64| quantile_ms(&o, q);
        let per = |x: f64| some(x / (o.ops as f64 / 1000.0));
        self.seconds = o.elapsed.as_secs_f64();
        self.ops_per_s = if self.seconds > 0.0 { o.ops as f64 / self.seconds } else { 0.0 };
        (self.p50_ms, self.p95_ms, self.p99_ms) = (q(0.5), q(0.95), q(0.99));
        self.max_ms = q(1.0);
        self.server_cpu_s_per_kop = per(server_cpu);
        self.client_cpu_s_per_kop = per(client_cpu);
        (self.ops, self.errors, self.first_error, self.extra) = (o.ops, o.errors, o.first_error, o.extra);
    }
}

/// NaN if nothing was done.
pub(crate) fn quantile_ms(o: &Outcome, q: f64) -> f64 {
    if o.ops == 0 { f64::NAN } else { o.hist.value_at_quantile(q) as f64 / 1e6 }
}

pub(crate) fn median(mut v: Vec<f64>) -> f64 {
    v.retain(|x| x.is_finite());
    v.sort_by(f64::total_cmp);
    match v.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => v[n / 2],
        n => (v[n / 2 - 1] + v[n / 2]) / 2.0,
    }
}

/// Field-wise median of the rounds of one workload; errors and ops are summed.
pub(crate) fn median_row(rows: &[&Row]) -> Row {
    let m = |f: fn(&Row) -> f64| median(rows.iter().map(|r| f(r)).collect());
    let keys: Vec<&'static str> = rows[0].extra.keys().copied().collect();
    Row {
        seconds: m(|r| r.seconds),
        ops: rows.iter().map(|r| r.ops).sum(),
        errors: rows.iter().map(|r| r.errors).sum(),
        first_error: rows.iter().find_map(|r| r.first_error.clone()),
        ops_per_s: m(|r| r.ops_per_s),
        p50_ms: m(|r| r.p50_ms),
        p95_ms: m(|r| r.p95_ms),
        p99_ms: m(|r| r.p99_ms),
        max_ms: m(|r| r.max_ms),
        server_cpu_s_per_kop: m(|r| r.server_cpu_s_per_kop),
        client_cpu_s_per_kop: m(|r| r.client_cpu_s_per_kop),
        server_peak_rss_mib: m(|r| r.server_peak_rss_mib),
        server_grown_mib: m(|r| r.server_grown_mib),
        other_cores: m(|r| r.other_cores),
        fsync_per_s: m(|r| r.fsync_per_s),
        value: rows[0].value.map(|_| m(|r| r.value.unwrap_or(f64::NAN))),
        extra: keys
            .iter()
            .map(|k| (*k, median(rows.iter().filter_map(|r| r.extra.get(k).copied()).collect())))
            .collect(),
        ..rows[0].clone()
    }
}

/// Right-aligned text table, first column left-aligned.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width =
        |i: usize| rows.iter().map(|r| r[i].chars().count()).chain([head[i].chars().count()]).max().unwrap_or(0);
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &[String]| {
        let pad = |(i, c): (usize, &String)| {
            if i == 0 { format!("{c:<w$}", w = widths[i]) } else { format!("{c:>w$}", w = widths[i]) }
        };
        cells.iter().enumerate().map(pad).collect::<Vec<_>>().join(" | ")
    };
    let head: Vec<String> = head.iter().map(|s| s.to_string()).collect();
    let rule: Vec<String> = widths.iter().map(|w| "-".repeat(*w)).collect();
    [&head, &rule].into_iter().chain(rows).map(|r| format!("| {} |\n", line(r))).collect()
}

pub(crate) fn num(x: f64) -> String {
    match x.abs() {
        a if !a.is_finite() => "-".into(),
        a if a >= 100.0 => format!("{x:.0}"),
        a if a >= 10.0 => format!("{x:.1}"),
        a if a >= 1.0 => format!("{x:.2}"),
        0.0 => "0".into(),
        _ => format!("{x:.4}"),
    }
}

pub(crate) fn row_table(rows: &[Row]) -> String {
    let head = [
        "workload",
        "clients",
        "nodes",
        "ops/s",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "max ms",
        "errors",
        "srv CPU s/kop",
        "cli CPU s/kop",
        "srv peak MiB",
        "other cores",
        "fsync/s",
        "value",
    ];
    let cells = |r: &Row| {
        let rate = |x: f64| if r.value.is_some() && r.ops == 0 { "-".into() } else { num(x) };
        let value = r.value.map_or("-".into(), |v| format!("{} {}", num(v), r.unit));
        vec![
            r.workload.clone(),
            if r.clients == 0 { "-".into() } else { r.clients.to_string() },
            r.nodes.to_string(),
            rate(r.ops_per_s),
            rate(r.p50_ms),
            rate(r.p95_ms),
            rate(r.p99_ms),
            rate(r.max_ms),
            r.errors.to_string(),
            rate(r.server_cpu_s_per_kop),
            rate(r.client_cpu_s_per_kop),
            num(r.server_peak_rss_mib),
            rate(r.other_cores),
            rate(r.fsync_per_s),
            value,
        ]
    };
    table(&head, &rows.iter().map(cells).collect::<Vec<_>>())
}
