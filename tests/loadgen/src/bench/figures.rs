//! Workloads whose row is one figure with a unit, not a rate: what a filled server takes, and how long a start takes.

use super::{Bench, Side};
use crate::server::Cluster;
use crate::stats::{Meter, Row};
use crate::workload::{Kind, key};
use anyhow::{Result, ensure};
use rustix::process::Signal;
use std::time::{Duration, Instant};

impl Bench {
    /// Memory or disk of all members together, once what the fill left behind has settled.
    pub(super) fn gauge(&mut self, s: &mut Side, kind: Kind) -> Result<Row> {
        std::thread::sleep(Duration::from_secs(3));
        let label = s.label.into();
        let c = s.cluster();
        let mut row = Row { side: label, workload: kind.name(), nodes: c.size(), unit: "MiB", ..Default::default() };
        if kind == Kind::Rss {
            row.value = Some(c.mib("VmRSS"));
        } else {
            let (allocated, apparent) = c.disk_mib();
            row.value = Some(allocated);
            row.extra.insert("apparent_mib", apparent);
        }
        row.server_peak_rss_mib = c.mib("VmHWM");
        Ok(row)
    }

    /// From starting the processes to a linearizable read of the last key filled, on every member.
    pub(super) fn restart(&mut self, s: &mut Side) -> Result<Row> {
        let label = s.label;
        let c = s.cluster();
        ensure!(c.managed(), "restart needs a server that loadgen starts (--server)");
        c.stop(if self.o.hard_kill { Signal::KILL } else { Signal::TERM });
        rustix::fs::sync();
        let t = Instant::now();
        c.start()?;
        let meter = Meter::new(c.pids());
        c.wait_ready(Some(&key(b'k', self.o.keys - 1, self.o.key_size)), self.start_timeout())?;
        Ok(timed(label, Kind::Restart, c, t.elapsed(), &meter))
    }
}

/// The row of a time that passed while `meter` ran.
fn timed(side: &str, kind: Kind, c: &Cluster, took: Duration, meter: &Meter) -> Row {
    let (server, _, others) = meter.read();
    Row {
        side: side.into(),
        workload: kind.name(),
        nodes: c.size(),
        value: Some(took.as_secs_f64() * 1e3),
        unit: "ms",
        other_cores: others,
        extra: [("cpu_s", server)].into(),
        server_peak_rss_mib: c.mib("VmHWM"),
        ..Default::default()
    }
}
