//! How often may be asked, beyond what the server could do: by each user, from each address, and under each prefix of keys,
//! as the operator wishes. Without a wish nothing is counted.
//!
//! What keeps others alive is not counted: renewing and giving back what one holds, looking whether a member is well, and
//! logging in, whose tries are bounded by themselves. A transaction is one request of its user, and as many under a prefix
//! as it has operations there. A call that waits, or that goes on, counts when it begins, and each watch when it is created.

mod allowance;
mod origin;
mod prefixes;
mod table;
mod touches;

use std::net::IpAddr;
use std::time::Instant;

use keyport_api::error::Error;
use keyport_api::methods::Method;

use crate::config::RatesConfig;
use crate::metrics::{IntCounter, Metrics};
use allowance::Allowance;
pub(crate) use origin::network;
use prefixes::Prefixes;
use table::Table;
pub(crate) use touches::Touches;

/// Whether a call is what others depend on, and not refused for its rate. (Of `Unlock` and `Resign` only what gives a place back:
/// see `calls::queue`.)
pub(crate) fn is_exempt(method: Method) -> bool {
    use Method::*;
    matches!(
        method,
        LeaseGrant
            | LeaseRevoke
            | LeaseKeepAlive
            | LeaseTimeToLive
            | LeaseLeases
            | Unlock
            | Resign
            | Status
            | MemberList
            | HealthCheck
            | HealthList
            | HealthWatch
            | Authenticate
    )
}

/// What requests from one address are held to.
#[derive(Debug)]
pub(crate) struct AddressRate {
    table: Table,
    clock: Clock,
    refused: IntCounter,
}

impl AddressRate {
    /// None where addresses are not counted.
    pub(crate) fn new(config: &RatesConfig, metrics: &Metrics) -> Option<AddressRate> {
        let allowance = Allowance::of(config.per_address?);
        let refused = metrics.rate_limited.with_label_values(&["address"]);
        Some(AddressRate { table: Table::new(allowance), clock: Clock::start(), refused })
    }

    /// Counts a request.
    ///
    /// # Errors
    /// `AddressRateExceeded`.
    pub(crate) fn count(&self, from: IpAddr) -> Result<(), Error> {
        if self.table.take(&network(from), self.clock.now()) {
            return Ok(());
        }
        self.refused.inc();
        Err(Error::AddressRateExceeded)
    }

    /// How many more may come from there now, and in how many seconds all that there ever are.
    pub(crate) fn left(&self, from: IpAddr) -> (u64, u64) {
        self.table.left(&network(from), self.clock.now())
    }
}

/// What requests are held to once it is known whose they are, and for which keys.
#[derive(Debug)]
pub(crate) struct CallRates {
    users: Option<Table>,
    prefixes: Prefixes,
    clock: Clock,
    refused_users: IntCounter,
    refused_prefixes: IntCounter,
}

impl CallRates {
    /// None where neither users nor keys are counted.
    pub(crate) fn new(config: &RatesConfig, metrics: &Metrics) -> Option<CallRates> {
        if config.per_user.is_none() && config.prefixes.is_empty() {
            return None;
        }
        let refused = |by| metrics.rate_limited.with_label_values(&[by]);
        Some(CallRates {
            users: config.per_user.map(|rate| Table::new(Allowance::of(rate))),
            prefixes: Prefixes::new(&config.prefixes),
            clock: Clock::start(),
            refused_users: refused("user"),
            refused_prefixes: refused("prefix"),
        })
    }

    /// Counts a request of a user.
    ///
    /// # Errors
    /// `UserRateExceeded`.
    pub(crate) fn count_user(&self, user: &str) -> Result<(), Error> {
        match &self.users {
            Some(users) if !users.take(user, self.clock.now()) => {
                self.refused_users.inc();
                Err(Error::UserRateExceeded)
            }
            _ => Ok(()),
        }
    }

    /// Counts what a request has to do with keys: all of it, or nothing.
    ///
    /// # Errors
    /// `PrefixRateExceeded`.
    pub(crate) fn count_keys(&self, request: &impl Touches) -> Result<(), Error> {
        if self.prefixes.take(request, self.clock.now()) {
            return Ok(());
        }
        self.refused_prefixes.inc();
        Err(Error::PrefixRateExceeded)
    }
}

/// Nanoseconds since it was started: what fits in an atomic.
#[derive(Clone, Copy, Debug)]
struct Clock(Instant);

impl Clock {
    fn start() -> Clock {
        Clock(Instant::now())
    }

    fn now(self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
