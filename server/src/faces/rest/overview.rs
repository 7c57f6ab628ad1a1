//! `/v3/overview`: how all members are; once, or as a stream that tells of each change.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use keyport_api::error::Error;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use super::hold::event;
use super::live::{self, Looker};
use super::members::Shown;
use super::{alarms, shown};
use crate::calls::{Around, Caller, Calls, Health, Onlooker, Seen};
use crate::faces::events::Framing;
use crate::faces::text::GatewayBody;

/// How often members are asked while somebody looks on; with the time that one may take, within a second.
const LOOK: Duration = Duration::from_millis(250);
/// How often he is told of what changes all the time.
const TELL: Duration = Duration::from_secs(5);

pub(super) async fn answer(
    calls: &Calls,
    caller: &Caller,
    parts: &Parts,
    stop: CancellationToken,
) -> Result<Response<GatewayBody>, Failure> {
    let watches = live::is_asked_for(parts)?;
    let around = calls.overview.show(caller).await?;
    if watches {
        let framing = Framing::of(parts);
        let onlooker = calls.overview.begin(caller)?;
        let told = Told { around, at: Instant::now() };
        let watch = Watch { calls: calls.clone(), onlooker, told, has_begun: false };
        return Ok(live::answer(framing, stop, watch.frames(framing)));
    }
    Ok(shown::document(&document(&around)))
}

/// What somebody who looks on was told last, and when.
struct Told {
    around: Arc<Around>,
    at: Instant,
}

/// Somebody who looks on.
struct Watch {
    calls: Calls,
    onlooker: Onlooker,
    told: Told,
    /// Whether it was told at all.
    has_begun: bool,
}

impl Looker for Watch {
    async fn next(&mut self, framing: Framing) -> Result<Option<Bytes>, Error> {
        if self.has_begun {
            let around = tokio::select! {
                around = next(&self.calls, &self.told) => around,
                error = self.onlooker.may_not() => return Err(error),
            };
            self.told = Told { around, at: Instant::now() };
        }
        self.has_begun = true;
        Ok(Some(event(framing, "overview", document(&self.told.around).to_string().as_bytes())))
    }
}

/// What there is to tell next.
async fn next(calls: &Calls, told: &Told) -> Arc<Around> {
    loop {
        let other_leader = tokio::select! {
            () = sleep(LOOK) => false,
            () = calls.overview.other_leader() => true,
        };
        let around = calls.overview.look(if other_leader { Duration::ZERO } else { LOOK }).await;
        if around.differs(&told.around) || told.at.elapsed() >= TELL && around.is_other(&told.around) {
            return around;
        }
    }
}

fn document(around: &Around) -> Value {
    let (voters, needed, answering) = around.voters();
    let mut document = json!({
        "member": around.member.to_string(),
        "cluster_id": around.cluster_id.to_string(),
        "raft_term": around.raft_term.to_string(),
        "revision": around.revision.to_string(),
        "voters": voters,
        "voters_needed": needed,
        "voters_answering": answering,
        "alarms": around.alarms.iter().map(alarms::document).collect::<Vec<_>>(),
        "members": around.members.iter().map(|seen| member(seen, around.leader)).collect::<Vec<_>>(),
    });
    if let Some(object) = document.as_object_mut() {
        add(object, "leader", (around.leader != 0).then(|| around.leader.to_string()));
        add(object, "cluster_version", around.version.as_ref());
    }
    document
}

fn member(seen: &Seen, leader: u64) -> Map<String, Value> {
    let mut object = Map::new();
    if let Ok(Value::Object(known)) = serde_json::to_value(Shown::of(&seen.member, leader)) {
        object = known;
    }
    let health = match seen.health {
        Health::Ok => "ok",
        Health::Alarmed => "alarmed",
        Health::Leaderless => "leaderless",
        Health::Silent => "silent",
    };
    add(&mut object, "health", Some(health));
    add(&mut object, "silent_seconds", seen.silent.map(|silent| seconds(silent, 1e3)));
    add(&mut object, "error", seen.error.as_ref());
    if let Some((standing, took)) = &seen.standing {
        add(&mut object, "took_seconds", Some(seconds(*took, 1e6)));
        add(&mut object, "version", Some(&standing.version));
        add(&mut object, "keyport", Some(&standing.keyport));
        add(&mut object, "revision", Some(standing.revision.to_string()));
        add(&mut object, "raft_term", Some(standing.raft_term.to_string()));
        add(&mut object, "raft_index", Some(standing.raft_index.to_string()));
        add(&mut object, "raft_applied_index", Some(standing.raft_applied_index.to_string()));
        add(&mut object, "db_size", Some(standing.db_size));
        add(&mut object, "db_size_in_use", Some(standing.db_size_in_use));
        add(&mut object, "db_quota", standing.db_quota);
    }
    object
}

/// What is not known is left out.
fn add(object: &mut Map<String, Value>, name: &str, value: Option<impl Serialize>) {
    if let Some(value) = value.and_then(|value| serde_json::to_value(value).ok()) {
        object.insert(name.to_owned(), value);
    }
}

/// With so many parts of a second.
fn seconds(time: Duration, parts: f64) -> f64 {
    (time.as_secs_f64() * parts).round() / parts
}
