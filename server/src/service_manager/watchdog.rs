//! Signs of life, for units with `WatchdogSec=`: the manager restarts a service from which it has not heard for that long.
//!
//! `WATCHDOG_USEC` says how long, and a sign is sent twice in that time. It has to mean something, so one is sent only after
//! whoever sends it has seen that the service works; a timer that runs for itself would go on when nothing else does.

use std::convert::Infallible;
use std::ffi::OsString;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::notify;

/// The variable with the interval, in microseconds.
pub(super) const INTERVAL: &str = "WATCHDOG_USEC";
/// The process that it is meant for, if not for whoever finds it.
pub(super) const FOR: &str = "WATCHDOG_PID";

/// A manager that wants to see signs of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Watchdog {
    /// Between two signs.
    period: Duration,
}

/// Why what the manager has said is not understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable}={value:?} is no number above 0")]
struct NotANumber {
    variable: &'static str,
    value: OsString,
}

/// Sends the manager of this process signs of life, if it wants them, for as long as this runs: each after `works` has returned,
/// which is told how long it may take before it should say that it does.
pub(crate) async fn watched_over<F: Future<Output = ()>>(works: impl Fn(Duration) -> F) -> Infallible {
    let Some(Watchdog { period }) = ours() else { return std::future::pending().await };
    tracing::info!(?period, "the service manager is sent signs of life");
    let mut moments = tokio::time::interval(period);
    moments.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        moments.tick().await;
        works(period).await;
        // A manager that has no room for it has enough to read.
        notify("WATCHDOG=1", Duration::ZERO);
    }
}

fn ours() -> Option<Watchdog> {
    match read(std::process::id(), std::env::var_os) {
        Ok(watchdog) => watchdog,
        Err(error) => {
            tracing::warn!(%error, "the service manager is sent no signs of life");
            None
        }
    }
}

fn read(own: u32, variable: impl Fn(&'static str) -> Option<OsString>) -> Result<Option<Watchdog>, NotANumber> {
    let number = |name: &'static str| {
        let said = variable(name).filter(|value| !value.is_empty());
        said.map(|value| match value.to_str().and_then(|text| text.parse::<u64>().ok()).filter(|number| *number > 0) {
            Some(number) => Ok(number),
            None => Err(NotANumber { variable: name, value }),
        })
        .transpose()
    };
    let Some(microseconds) = number(INTERVAL)? else { return Ok(None) };
    let is_ours = number(FOR)?.is_none_or(|process| process == u64::from(own));
    // Timers go by milliseconds.
    let period = Duration::from_micros(microseconds / 2).max(Duration::from_millis(1));
    Ok(is_ours.then_some(Watchdog { period }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(interval: &str, process: &str) -> Result<Option<Watchdog>, NotANumber> {
        read(7, |name| Some(if name == INTERVAL { interval } else { process }.into()))
    }

    #[test]
    fn signs_are_sent_at_half_the_interval_by_the_process_that_is_meant() {
        let every = |millis| Ok(Some(Watchdog { period: Duration::from_millis(millis) }));
        assert_eq!(said("30000000", "7"), every(15_000));
        assert_eq!(said("30000000", ""), every(15_000));
        assert_eq!(said("1", "7"), every(1));
        assert_eq!(read(7, |name| (name == INTERVAL).then(|| "6000".into())), every(3));
        assert_eq!(said("30000000", "8"), Ok(None));
        assert_eq!(said("", "7"), Ok(None));
        assert_eq!(read(7, |_| None), Ok(None));
    }

    #[test]
    fn what_is_no_number_is_named() {
        for (interval, process) in [("0", "7"), ("-1", "7"), ("1s", "7"), ("18446744073709551616", ""), ("1", "me")] {
            let wrong = said(interval, process).unwrap_err();
            assert!([interval, process].map(OsString::from).contains(&wrong.value), "{wrong}");
        }
        assert_eq!(said("1s", "7").unwrap_err().to_string(), "WATCHDOG_USEC=\"1s\" is no number above 0");
    }
}
