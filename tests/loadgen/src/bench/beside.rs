//! Puts while something else goes on, beside puts while nothing does: on each server how much the one weighs on the other.

use anyhow::Result;

use super::{Bench, Side};
use crate::stats::{Row, quantile_ms};
use crate::users::bystanders;
use crate::workload::{Beside, Kind, Spec};

impl Bench {
    /// The p99 of puts with it, divided by that without. Half of the time without it is before, half after, so that what
    /// drifts weighs on both alike. Everything else in the row is what was measured with it.
    pub(super) fn beside(&mut self, s: &mut Side, kind: Kind, clients: usize) -> Result<Row> {
        let what = match kind {
            Kind::Logins => Beside::Logins { clients: bystanders(self.o.login_clients).collect() },
            _ => Beside::Watches {
                count: self.o.https_watches,
                each_connection: self.o.watches_per_conn,
                json: self.o.json_watches,
            },
        };
        let (puts, half) = (self.puts_beside(kind), self.o.seconds / 2.0);
        let spec = self.spec(s, puts, clients, half)?;
        let mut without = self.outcome(s, spec)?.out;
        let spec = Spec { beside: Some(what), ..self.spec(s, puts, clients, self.o.seconds)? };
        let mut row = self.go(s, spec)?;
        let spec = self.spec(s, puts, clients, half)?;
        without.merge(self.outcome(s, spec)?.out);
        let p99_without = quantile_ms(&without, 0.99);
        row.workload = kind.name();
        row.value = Some(row.p99_ms / p99_without);
        row.unit = "x p99";
        row.extra.insert("p99_ms_without", p99_without);
        row.errors += without.errors;
        row.first_error = row.first_error.or(without.first_error);
        Ok(row)
    }

    /// The puts that are measured.
    pub(super) fn puts_beside(&self, kind: Kind) -> Kind {
        if kind == Kind::WatchesHttps && self.o.json_watches { Kind::JsonPut } else { Kind::Put }
    }
}
