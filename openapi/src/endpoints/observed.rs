//! Rows: what a console shows of the cluster and of the member that it asks, `/v3/overview`, `/v3/statistics` and `/v3/warnings`.

use serde_json::{Value, json};

use super::events::parameters::UNNAMED;
use super::lines::WATCH;
use super::{Answer, Content, Endpoint, Parameter, Place, RESOURCE, Shape, json_of, query};

const ROW: Endpoint = Endpoint { tag: "Members", ..RESOURCE };

pub(super) const STATISTICS: Endpoint = Endpoint {
    path: "/v3/statistics",
    id: "Statistics_Show",
    summary: "Tells what the asked member did of late",
    description: "A sample every five seconds for an hour, and one a minute for a day, as long as the process runs. Counts are of the time since \
the sample before; sizes and numbers of things are as they were at the end. What did not happen took no time: then there is no `put_p50`.

With `watch` or `Accept: text/event-stream` it is a stream: an event `sample` for each one, at first those since `since`, or since \
`Last-Event-ID`, or the last one. For root while users are on.",
    parameters: &[SINCE, STEP, WATCH, UNNAMED, LAST_EVENT_ID],
    answers: &[ok("The samples, the oldest first.", &[json_of("Statistics", statistics), SAMPLES])],
    ..ROW
};

pub(super) const OVERVIEW: Endpoint = Endpoint {
    path: "/v3/overview",
    id: "Members_Overview",
    summary: "Tells how all members are",
    description: "The asked member asks all others, at once and for no longer than 0.7 seconds: who does not answer by then is `silent`. It \
is told without a leader as well, by what the asked member knows.

With `watch` or `Accept: text/event-stream` it is a stream: an event `overview` with all of it at first, within a second of each change of who \
leads, how somebody is, or which alarms there are, and every five seconds if anything else has changed.",
    parameters: &[WATCH, UNNAMED],
    answers: &[ok("All of them.", &[json_of("Overview", overview), OVERVIEWS])],
    ..ROW
};

pub(super) const WARNINGS: Endpoint = Endpoint {
    path: "/v3/warnings",
    id: "Warnings_List",
    summary: "Tells the last warnings and errors in the log of the asked member",
    description: "As they are in the log, up to 200 of them, whatever `--log-level` says.

With `watch` or `Accept: text/event-stream` it is a stream: an event `warning` for each, at first those that are there, or those behind \
`Last-Event-ID`. For root while users are on.",
    parameters: &[WATCH, UNNAMED, LAST_EVENT_ID],
    answers: &[ok("The oldest first.", &[json_of("WarningList", warnings), WARNED])],
    ..ROW
};

const SINCE: Parameter = query(
    "since",
    "Samples later than that: how many seconds ago, or a moment as `time` has it (RFC 3339). Ten minutes ago if nothing is said.",
    Shape::Text,
);
const STEP: Parameter = query(
    "step",
    "Seconds that are told as one sample; none for the time that is not over. 5 if nothing is said and `since` is within an hour, and 60 otherwise.",
    Shape::Integer(5..=3600),
);
const LAST_EVENT_ID: Parameter = Parameter {
    place: Place::Header,
    ..query("Last-Event-ID", "The `id` of the last event seen. Browsers send it when they reconnect.", Shape::Text)
};

const SAMPLES: Content =
    events(|| json!({"id": "2026-11-30T03:20:05.000Z", "event": "sample", "data": sample().to_string()}));
const OVERVIEWS: Content = events(|| json!({"event": "overview", "data": overview().to_string()}));
const WARNED: Content = events(|| json!({"id": "1796012405000-7", "event": "warning", "data": warning().to_string()}));

const fn events(example: fn() -> Value) -> Content {
    Content { media_type: "text/event-stream", shape: Shape::Schema("ObservedServerSentEvent"), example: Some(example) }
}

const fn ok(description: &'static str, contents: &'static [Content]) -> Answer {
    Answer { status: 200, description, contents, headers: &[] }
}

fn sample() -> Value {
    json!({
        "time": "2026-11-30T03:20:05.000Z", "seconds": 5.0, "reads": 1200, "writes": 310, "streams": 2, "events": 930,
        "put_p50": 0.0012, "put_p99": 0.0039, "range_p50": 0.00009, "range_p99": 0.0004,
        "fsyncs": 290, "fsync_p50": 0.0008, "fsync_p99": 0.0021,
        "connections": 14, "watch_streams": 3, "watchers": 21, "leases": 5, "keys": 4711, "db_size": 1_212_416,
        "db_size_in_use": 811_008, "revision": "70931", "raft_term": "2", "leader_changes": 0,
        "resident_bytes": 48_234_496, "cpu_seconds": 0.31,
    })
}

fn statistics() -> Value {
    json!({"member": "10276657743932975437", "step": 5, "samples": [sample()]})
}

fn overview() -> Value {
    json!({
        "member": "10276657743932975437", "cluster_id": "14841639068965178418", "cluster_version": "3.7.0",
        "leader": "10276657743932975437", "raft_term": "2", "revision": "70931",
        "voters": 1, "voters_needed": 1, "voters_answering": 1, "alarms": [],
        "members": [{
            "id": "10276657743932975437", "hex": "8e9e05c52164694d", "name": "m1", "peer_urls": ["http://10.0.0.4:2380"],
            "client_urls": ["http://10.0.0.4:2379"], "learner": false, "leader": true, "health": "ok", "took_seconds": 0.0004,
            "version": "3.7.0", "keyport": "0.1.0", "revision": "70931", "raft_term": "2", "raft_index": "71022",
            "raft_applied_index": "71022", "db_size": 1_212_416, "db_size_in_use": 811_008, "db_quota": 2_147_483_648_u64,
        }],
    })
}

fn warning() -> Value {
    json!({
        "event_id": "1796012405000-7", "level": "warn", "ts": "2026-11-30T03:20:05.000008Z", "caller": "ops/log.rs:50",
        "msg": "changed what is written to the log", "level-before": "info",
    })
}

fn warnings() -> Value {
    json!({"warnings": [warning()], "last": "1796012405000-7"})
}
