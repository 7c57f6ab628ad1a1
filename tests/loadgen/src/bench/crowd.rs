//! Puts while there is a crowd, beside puts without it, and what each of the crowd takes of memory.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;

use super::{ANONYMOUS, Bench, SETTLE, Side};
use crate::proto::RangeRequest;
use crate::stats::{Outcome, Row, quantile_ms};
use crate::workload::{Beside, Crowd, Kind, Spec};

impl Bench {
    /// The row has what was measured with the crowd; what was without it is among the further figures. Its value is the
    /// memory that one more takes.
    pub(super) fn crowd(&self, s: &mut Side, crowd: Crowd) -> Result<Row> {
        let count = self.o.crowd.unwrap_or(crowd.usual());
        let (row, without) = match crowd {
            Crowd::Leases => self.expiring(s, count)?,
            Crowd::Permissions => self.permitted(s, count)?,
            Crowd::Connections | Crowd::Watchers | Crowd::WatchersOfOne => self.held(s, crowd, count)?,
        };
        let mut row = Row {
            workload: Kind::Many(crowd).name(),
            value: Some(row.server_grown_mib * 1024.0 / count as f64),
            unit: "KiB each",
            ..row
        };
        row.errors += without.errors;
        row.extra.insert("crowd", count as f64);
        row.extra.insert("p99_ms_without", quantile_ms(&without, 0.99));
        row.extra.insert("ops_per_s_without", without.ops as f64 / without.elapsed.as_secs_f64());
        row.first_error = row.first_error.or(without.first_error);
        Ok(row)
    }

    /// Puts of as many keys as the crowd has members, so that each has its turn.
    fn puts(&self, s: &mut Side, keyspace: u64) -> Result<Spec> {
        let clients = self.o.clients.first().copied().unwrap_or(1);
        Ok(Spec { keyspace, ..self.spec(s, Kind::Put, clients, self.o.seconds)? })
    }

    /// A crowd that somebody has to hold.
    fn held(&self, s: &mut Side, crowd: Crowd, count: u64) -> Result<(Row, Outcome)> {
        let (of_one, streams) = (crowd == Crowd::WatchersOfOne, self.o.crowd_streams);
        let many = usize::try_from(count)?;
        let beside = match crowd {
            Crowd::Connections => Beside::Connections { count: many },
            _ => Beside::Watchers { count: many, streams, of_one },
        };
        let spec = self.puts(s, count)?;
        let without = self.outcome(s, spec.clone())?.out;
        let row = self.go(s, Spec { beside: Some(beside), ..spec })?;
        Ok((row, without))
    }

    /// Leases that were granted one after the other, and expire in the same second.
    fn expiring(&self, s: &mut Side, count: u64) -> Result<(Row, Outcome)> {
        let before = s.cluster().mib(ANONYMOUS);
        let leases_end = Instant::now() + Duration::from_secs(self.o.leases_end);
        let granting =
            Spec { keyspace: count, leases_end, ..self.spec(s, Kind::LeasedKeys, 256, self.o.load_seconds)? };
        let granted = self.go(s, granting)?;
        ensure!(granted.errors == 0 && granted.ops == count, "{} granted: {:?}", granted.ops, granted.first_error);
        std::thread::sleep(SETTLE);
        let grown = s.cluster().mib(ANONYMOUS) - before;
        let spec = self.puts(s, self.o.keyspace)?;
        let without = self.outcome(s, spec.clone())?.out;
        let left = leases_end.checked_duration_since(Instant::now()).context("granting took longer: --leases-end")?;
        std::thread::sleep(left + SETTLE);
        let (there, since) = (leased(s)?, Instant::now());
        let mut row = self.go(s, spec)?;
        let expired = (there - leased(s)?) as f64 / since.elapsed().as_secs_f64();
        row.server_grown_mib = grown;
        row.extra.insert("granted_per_s", granted.ops_per_s);
        row.extra.insert("expired_per_s", expired);
        Ok((row, without))
    }

    /// Keys that the user has been permitted one by one, as ranges.
    fn permitted(&self, s: &mut Side, count: u64) -> Result<(Row, Outcome)> {
        let spec = self.puts(s, count)?;
        let without = self.outcome(s, spec)?.out;
        let (before, begun) = (s.cluster().mib(ANONYMOUS), Instant::now());
        s.cluster().permit_one_by_one(count, self.o.key_size)?;
        let took = begun.elapsed().as_secs_f64();
        std::thread::sleep(SETTLE);
        let spec = self.puts(s, count)?;
        let mut row = self.go(s, spec)?;
        row.server_grown_mib = s.cluster().mib(ANONYMOUS) - before;
        row.extra.insert("permitted_per_s", count as f64 / took);
        Ok((row, without))
    }
}

/// How many keys there are that end with a lease.
fn leased(s: &mut Side) -> Result<i64> {
    let count = RangeRequest {
        key: Bytes::from_static(b"l"),
        range_end: Bytes::from_static(b"m"),
        count_only: true,
        ..Default::default()
    };
    s.cluster().count(&count)
}
