//! Workloads whose row is one figure with a unit, not a rate: what a filled server takes, and how long it takes until a
//! cluster serves after something happened to it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use rustix::process::Signal;

use super::probe::first_put;
use super::{Bench, SETTLE, Side};
use crate::local::block_on;
use crate::proto::RangeRequest;
use crate::server::Cluster;
use crate::stats::{Meter, Row};
use crate::workload::{Kind, key, rand};

/// The heartbeat interval of both servers, by default.
const HEARTBEAT_US: u64 = 100_000;

impl Bench {
    /// Memory or disk of all members together, once what the fill left behind has settled.
    pub(super) fn gauge(&mut self, s: &mut Side, kind: Kind) -> Result<Row> {
        std::thread::sleep(SETTLE);
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
        c.stop(if self.o.hard_kill { Signal::KILL } else { Signal::TERM });
        rustix::fs::sync();
        let t = Instant::now();
        c.start()?;
        let meter = Meter::new(c.pids());
        c.wait_ready(Some(&key(b'k', self.o.keys - 1, self.o.key_size)), self.start_timeout())?;
        Ok(timed(label, Kind::Restart, c, t.elapsed(), &meter))
    }

    /// From SIGKILL of the leader to the first put that one of the other members acknowledges. The killed one is back before
    /// this returns.
    pub(super) fn failover(&mut self, s: &mut Side) -> Result<Row> {
        let (label, limit) = (s.label, self.start_timeout());
        let c = s.cluster();
        rustix::fs::sync();
        self.wait_quiet(c);
        // No client sees whether all members are connected to each other again: a second is ten heartbeats for that. What is
        // added keeps the kill from following the last election at the same point between two heartbeats every time.
        let mut clock = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64;
        std::thread::sleep(Duration::from_micros(1_000_000 + rand(&mut clock) % HEARTBEAT_US));
        let leader = c.agreed_leader(limit)?;
        let mut others = c.endpoints();
        others.remove(leader.index);
        let access = c.access(&others, others.len())?;
        let others = others.into_iter().enumerate().map(|(i, addr)| access.entry(addr, i)).collect();
        c.reset_peak();
        let meter = Meter::new(c.pids());
        let first = block_on(first_put(others, || c.kill_member(leader.index), limit))?;
        let row = timed(label, Kind::Failover, c, first.after, &meter);
        ensure!(
            first.term > leader.term,
            "a put was acknowledged in term {}, that of the leader before: it no longer led when it was killed",
            first.term
        );
        c.start_member(leader.index)?;
        c.wait_ready(None, limit)?;
        c.agreed_leader(limit)?;
        Ok(row)
    }

    /// From starting the process of a member that was just added to a linearizable read through it that counts all keys filled.
    /// It is removed again before this returns.
    pub(super) fn new_member(&mut self, s: &mut Side) -> Result<Row> {
        let (label, limit) = (s.label, self.start_timeout());
        let c = s.cluster();
        rustix::fs::sync();
        self.wait_quiet(c);
        c.reset_peak();
        let added = c.add_member()?;
        let count_all = RangeRequest {
            key: Bytes::from_static(b"k"),
            range_end: Bytes::from_static(b"l"),
            count_only: true,
            ..Default::default()
        };
        let t = Instant::now();
        c.start_member(added)?;
        let meter = Meter::new(c.pids());
        c.wait_read(added, &count_all, Some(self.o.keys), t + limit).context("waiting for the new member")?;
        let row = Row { nodes: self.o.nodes, ..timed(label, Kind::NewMember, c, t.elapsed(), &meter) };
        c.remove_member(added, self.o.keep)?;
        c.wait_ready(None, limit)?;
        Ok(row)
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
