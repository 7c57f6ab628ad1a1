//! The process as the kernel sees it: `process_*` and `os_fd_*`, read from `/proc` when somebody asks; and those of Go's
//! runtime metrics that dashboards read and that have a likeness here.

use std::collections::HashMap;
use std::fs;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, Gauge, Metric, MetricFamily, MetricType};

/// Clock ticks a second in `/proc`: part of the kernel's interface on every Linux platform we run on.
const TICKS: f64 = 100.0;
const TICKS_A_SECOND: u64 = 100;

/// Name, help, whether it is a counter.
const SERIES: [(&str, &str, bool); 16] = [
    ("os_fd_used", "Open file descriptors.", false),
    ("os_fd_limit", "Limit of open file descriptors.", false),
    ("process_cpu_seconds_total", "CPU time, user and system.", true),
    ("process_open_fds", "Open file descriptors.", false),
    ("process_max_fds", "Limit of open file descriptors.", false),
    ("process_resident_memory_bytes", "Resident memory.", false),
    ("process_virtual_memory_bytes", "Virtual memory.", false),
    ("process_virtual_memory_max_bytes", "Limit of virtual memory; -1 is none.", false),
    ("process_start_time_seconds", "Unix time of the start.", false),
    (
        "process_network_receive_bytes_total",
        "Bytes received over IP, by whoever shares the network with the process.",
        true,
    ),
    (
        "process_network_transmit_bytes_total",
        "Bytes sent over IP, by whoever shares the network with the process.",
        true,
    ),
    ("go_threads", "Threads.", false),
    ("go_memstats_alloc_bytes", "Resident memory that no file stands for, much of it allocated.", false),
    ("go_memstats_heap_alloc_bytes", "The same as go_memstats_alloc_bytes.", false),
    ("go_memstats_heap_inuse_bytes", "The same as go_memstats_alloc_bytes.", false),
    ("go_memstats_sys_bytes", "Resident memory.", false),
];

pub(super) struct ProcessCollector {
    descs: Vec<Desc>,
}

impl ProcessCollector {
    pub(super) fn new() -> prometheus::Result<ProcessCollector> {
        let desc = |(name, help, _): &(&str, &str, bool)| {
            Desc::new((*name).to_owned(), (*help).to_owned(), Vec::new(), HashMap::new())
        };
        Ok(ProcessCollector { descs: SERIES.iter().map(desc).collect::<Result<_, _>>()? })
    }
}

impl Collector for ProcessCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let sample = Sample::read();
        SERIES.iter().filter_map(|(name, help, counter)| family(name, help, *counter, sample.value(name)?)).collect()
    }
}

fn family(name: &str, help: &str, counter: bool, value: f64) -> Option<MetricFamily> {
    let mut metric = Metric::default();
    if counter {
        let mut cell = Counter::default();
        cell.set_value(value);
        metric.set_counter(cell);
    } else {
        let mut cell = Gauge::default();
        cell.set_value(value);
        metric.set_gauge(cell);
    }
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(if counter { MetricType::COUNTER } else { MetricType::GAUGE });
    family.set_metric(vec![metric]);
    Some(family)
}

/// What the process takes up, of which no more is read than that.
pub(super) struct Usage {
    pub(super) resident_bytes: u64,
    /// Of a core, user and system.
    pub(super) cpu_millis: u64,
}

impl Usage {
    pub(super) fn now() -> Usage {
        let stat = stat();
        let number = |field: usize| stat.get(field - 3).and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
        let page = u64::try_from(rustix::param::page_size()).unwrap_or_default();
        Usage { resident_bytes: number(24) * page, cpu_millis: (number(14) + number(15)) * (1000 / TICKS_A_SECOND) }
    }
}

/// The fields of `/proc/self/stat` after the command's name, which are numbered from 3.
fn stat() -> Vec<String> {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    after_name.split_ascii_whitespace().map(str::to_owned).collect()
}

/// What `/proc` says; a file that cannot be read leaves its series out.
struct Sample {
    open_fds: Option<f64>,
    limits: Option<String>,
    /// The fields of `/proc/self/stat` after the command's name.
    stat: Vec<f64>,
    /// The text of `/proc/self/status`.
    status: Option<String>,
    boot_time: Option<f64>,
    network: Option<(f64, f64)>,
}

impl Sample {
    fn read() -> Sample {
        Sample {
            open_fds: open_fds(),
            limits: fs::read_to_string("/proc/self/limits").ok(),
            // The state letter becomes a NaN and keeps the numbering.
            stat: stat().iter().map(|field| field.parse().unwrap_or(f64::NAN)).collect(),
            status: fs::read_to_string("/proc/self/status").ok(),
            boot_time: fs::read_to_string("/proc/stat")
                .ok()
                .and_then(|text| text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()),
            network: fs::read_to_string("/proc/self/net/netstat").ok().and_then(|text| network(&text)),
        }
    }

    fn value(&self, name: &str) -> Option<f64> {
        // Numbered as in proc(5), where the state is field 3.
        let stat = |field: usize| self.stat.get(field - 3).copied();
        match name {
            "os_fd_used" | "process_open_fds" => self.open_fds,
            "os_fd_limit" | "process_max_fds" => self.limit("Max open files"),
            "process_cpu_seconds_total" => Some((stat(14)? + stat(15)?) / TICKS),
            "go_threads" => stat(20),
            "go_memstats_alloc_bytes" | "go_memstats_heap_alloc_bytes" | "go_memstats_heap_inuse_bytes" => {
                self.anonymous_bytes()
            }
            "process_resident_memory_bytes" | "go_memstats_sys_bytes" => Some(stat(24)? * page_size()),
            "process_virtual_memory_bytes" => stat(23),
            "process_virtual_memory_max_bytes" => self.limit("Max address space"),
            "process_start_time_seconds" => Some(self.boot_time? + stat(22)? / TICKS),
            "process_network_receive_bytes_total" => self.network.map(|(received, _)| received),
            "process_network_transmit_bytes_total" => self.network.map(|(_, sent)| sent),
            _ => None,
        }
    }

    fn anonymous_bytes(&self) -> Option<f64> {
        let line = self.status.as_deref()?.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
        let kilobytes: f64 = line.split_ascii_whitespace().next()?.parse().ok()?;
        Some(kilobytes * 1024.0)
    }

    /// A soft limit; -1 when there is none.
    fn limit(&self, name: &str) -> Option<f64> {
        let line = self.limits.as_deref()?.lines().find_map(|line| line.strip_prefix(name))?;
        match line.split_ascii_whitespace().next()? {
            "unlimited" => Some(-1.0),
            number => number.parse().ok(),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of descriptors and pages are far below 2^52")]
fn open_fds() -> Option<f64> {
    // One of them is the directory being read.
    fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count().saturating_sub(1) as f64)
}

#[expect(clippy::cast_precision_loss, reason = "a page is some kilobytes")]
fn page_size() -> f64 {
    rustix::param::page_size() as f64
}

/// Received and sent, by names in one line and values in the next.
fn network(text: &str) -> Option<(f64, f64)> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("IpExt:"));
    let (names, values) = (lines.next()?.split_ascii_whitespace(), lines.next()?.split_ascii_whitespace());
    let fields: Vec<_> = names.zip(values).collect();
    let value = |wanted: &str| fields.iter().find(|(name, _)| *name == wanted)?.1.parse().ok();
    Some((value("InOctets")?, value("OutOctets")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_is_read() {
        let sample = Sample::read();
        for (name, _, _) in SERIES {
            assert!(sample.value(name).is_some_and(|v| !v.is_nan()), "{name}");
        }
        assert!(sample.value("process_resident_memory_bytes").unwrap() > 1e6);
        assert!(sample.value("process_start_time_seconds").unwrap() > 1.6e9);
        assert!(sample.value("process_open_fds").unwrap() >= 3.0);
        assert!(sample.value("go_threads").unwrap() >= 1.0);
        let (anonymous, all) = (sample.value("go_memstats_alloc_bytes"), sample.value("go_memstats_sys_bytes"));
        assert!(anonymous.unwrap() > 1e5 && anonymous < all, "{anonymous:?} of {all:?}");
    }

    #[test]
    fn usage_is_what_the_sample_says() {
        let usage = Usage::now();
        assert!(usage.resident_bytes > 1_000_000, "{}", usage.resident_bytes);
        let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while Usage::now().cpu_millis <= usage.cpu_millis {
            assert!(std::time::Instant::now() < until, "a busy process takes no time");
        }
    }

    #[test]
    fn traffic_is_found_by_its_name() {
        let text = "TcpExt: InOctets\nTcpExt: 7\nIpExt: InNoRoutes InOctets OutOctets\nIpExt: 1 10 20\n";
        assert_eq!(network(text), Some((10.0, 20.0)));
        assert_eq!(network("IpExt: InOctets\n"), None);
    }
}
