//! `/v3/statistics`: what the asked member did of late, as samples; once, or as a stream to which more are added.

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use keyport_api::error::Error;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use super::live::{self, Looker};
use super::shown;
use crate::calls::{Caller, Calls, JudgedAnew};
use crate::faces::events::{self, Framing};
use crate::faces::query::{Parameter, ParameterError, parameters_once};
use crate::faces::text::GatewayBody;
use crate::metrics::{SAMPLED_EVERY, Sample, unix_millis};

/// What is told where nothing is said, in milliseconds.
const USUAL: i64 = 600_000;
const HOUR: i64 = 3_600_000;
const MINUTE: i64 = 60_000;

/// What is asked for, in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Ask {
    /// Unix time.
    since: Option<i64>,
    step: Option<i64>,
    watches: bool,
}

#[derive(Serialize)]
struct Statistics {
    member: String,
    step: i64,
    samples: Vec<Sample>,
}

pub(super) async fn answer(
    calls: &Calls,
    caller: &Caller,
    parts: &Parts,
    stop: CancellationToken,
) -> Result<Response<GatewayBody>, Failure> {
    let ask = Ask::read(parts)?;
    let history = calls.maintenance.history(caller)?;
    let now = unix_millis();
    if ask.watches {
        let framing = Framing::of(parts);
        let newest = history.newest();
        // The last one, if nothing is said.
        let last = || *newest.borrow() - 1;
        let seen = live::last_event_id(parts).and_then(moment);
        let begin = seen.or(ask.since).unwrap_or_else(last);
        let judged_anew = calls.maintenance.judged_anew(caller)?;
        let (calls, caller, step) = (calls.clone(), caller.clone(), ask.step(now));
        let watch = Watch { calls, caller, judged_anew, newest, step, seen: begin };
        return Ok(live::answer(framing, stop, watch.frames(framing)));
    }
    let step = ask.step(now);
    let samples = history.since(ask.since.unwrap_or(now - USUAL), step);
    let told = Statistics { member: calls.maintenance.member_id().to_string(), step: step / 1000, samples };
    // A day of them is some milliseconds' work.
    Ok(calls.aside(caller).run(move |_| shown::document(&told)).await?)
}

impl Ask {
    fn read(parts: &Parts) -> Result<Ask, Failure> {
        let mut ask = Ask { since: None, step: None, watches: events::hears(&parts.headers) };
        for given in parameters_once(parts.uri.query().unwrap_or_default())? {
            match &*given.name {
                "since" => ask.since = Some(since(&given)?),
                "step" => {
                    let expected = "a number of seconds from 5 to 3600";
                    let seconds = given.positive(expected)?;
                    if !(5..=3600).contains(&seconds) {
                        return Err(given.is_not(expected).into());
                    }
                    ask.step = Some(seconds * 1000);
                }
                "watch" => ask.watches = given.flag()? || ask.watches,
                "unnamed" => drop(given.flag()?),
                _ => given.unknown()?,
            }
        }
        Ok(ask)
    }

    /// As fine as what there is from there on.
    fn step(&self, now: i64) -> i64 {
        let is_recent = self.since.is_none_or(|since| since >= now - HOUR);
        let usual = if is_recent { i64::try_from(SAMPLED_EVERY.as_millis()).unwrap_or(MINUTE) } else { MINUTE };
        self.step.unwrap_or(usual)
    }
}

/// A moment, or how many seconds ago.
fn since(given: &Parameter) -> Result<i64, ParameterError> {
    let expected = "a number of seconds, or a moment such as 2026-11-30T03:20:05Z";
    if let Some(moment) = moment(&given.text()) {
        return Ok(moment);
    }
    let seconds: i64 = given.number(expected)?;
    Ok(unix_millis().saturating_sub(seconds.saturating_mul(1000)))
}

/// Unix time in milliseconds.
fn moment(text: &str) -> Option<i64> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(time.unix_timestamp_nanos().div_euclid(1_000_000)).ok()
}

/// Somebody who looks on.
struct Watch {
    calls: Calls,
    caller: Caller,
    judged_anew: JudgedAnew,
    newest: watch::Receiver<i64>,
    step: i64,
    /// When the last sample was made that he has seen.
    seen: i64,
}

impl Looker for Watch {
    async fn next(&mut self, framing: Framing) -> Result<Option<Bytes>, Error> {
        loop {
            self.newest.borrow_and_update();
            let samples = self.calls.maintenance.history_on(&self.caller)?.since(self.seen, self.step);
            if let Some(last) = samples.last() {
                self.seen = last.end;
                let mut out = Vec::new();
                for sample in &samples {
                    // Of numbers: there is a form, and a vector takes it.
                    let data = serde_json::to_vec(sample).unwrap_or_default();
                    framing.event(&mut out, Some(sample.time()), "sample", |out| out.extend_from_slice(&data));
                }
                return Ok(Some(out.into()));
            }
            tokio::select! {
                changed = self.newest.changed() => if changed.is_err() {
                    return Ok(None);
                },
                due = self.judged_anew.is_due() => due?,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read() {
        assert_eq!(moment("1970-01-01T00:00:10.005Z"), Some(10_005));
        assert_eq!(moment("1970-01-01T01:00:00+01:00"), Some(0));
        assert_eq!((moment("1970"), moment("")), (None, None));
    }

    #[test]
    fn a_day_is_told_by_the_minute() {
        let ask = |since| Ask { since, step: None, watches: false };
        assert_eq!(ask(None).step(HOUR * 30), 5000);
        assert_eq!(ask(Some(HOUR * 29)).step(HOUR * 30), 5000);
        assert_eq!(ask(Some(HOUR * 29 - 1)).step(HOUR * 30), MINUTE);
    }
}
