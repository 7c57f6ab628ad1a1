//! `/v3/warnings`: what the log of the asked member warned of last; once, or as a stream.

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use keyport_api::error::Error;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use super::live::{self, Looker};
use super::shown;
use crate::calls::{Caller, Calls, JudgedAnew};
use crate::faces::events::Framing;
use crate::faces::text::GatewayBody;
use crate::logging::{newest_warning, warnings};

pub(super) fn answer(
    calls: &Calls,
    caller: &Caller,
    parts: &Parts,
    stop: CancellationToken,
) -> Result<Response<GatewayBody>, Failure> {
    let watches = live::is_asked_for(parts)?;
    calls.maintenance.look_inside(caller)?;
    let behind = live::last_event_id(parts).unwrap_or_default();
    if watches {
        let framing = Framing::of(parts);
        let (calls, caller) = (calls.clone(), caller.clone());
        let judged_anew = calls.maintenance.judged_anew(&caller)?;
        let watch = Watch { calls, caller, judged_anew, newest: newest_warning(), seen: behind.to_owned() };
        return Ok(live::answer(framing, stop, watch.frames(framing)));
    }
    let lines = warnings(behind);
    let list = lines.iter().map(|line| line.json()).collect::<Vec<_>>().join(",");
    let last = lines.last().map_or_else(String::new, |line| format!(",\"last\":\"{}\"", line.id()));
    Ok(shown::json(format!("{{\"warnings\":[{list}]{last}}}\n")))
}

/// Somebody who looks on.
struct Watch {
    calls: Calls,
    caller: Caller,
    judged_anew: JudgedAnew,
    newest: watch::Receiver<u64>,
    /// The last that he was told.
    seen: String,
}

impl Looker for Watch {
    async fn next(&mut self, framing: Framing) -> Result<Option<Bytes>, Error> {
        loop {
            self.newest.borrow_and_update();
            self.calls.maintenance.look_on(&self.caller)?;
            let lines = warnings(&self.seen);
            if let Some(last) = lines.last() {
                self.seen = last.id();
                let mut out = Vec::new();
                for line in &lines {
                    let data = line.json();
                    framing.event(&mut out, Some(line.id()), "warning", |out| out.extend_from_slice(data.as_bytes()));
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
