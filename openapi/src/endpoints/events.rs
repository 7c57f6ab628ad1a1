//! Row: changes as server-sent events, `GET /v3/watch`.

pub(super) mod parameters;

use serde_json::{Value, json};

use super::{Answer, Content, Endpoint, Listeners, Shape, Verb};
use crate::errors::Form;

pub(super) const EVENTS: Endpoint = Endpoint {
    path: "/v3/watch",
    verb: Verb::Get,
    listeners: Listeners::Clients,
    id: "Watch_Events",
    tag: "Watch",
    summary: "Follows changes as server-sent events",
    description: DESCRIPTION,
    parameters: parameters::ALL,
    body: &[],
    answers: &[
        Answer {
            status: 200,
            description: "The events. `data` of a change is a WatchChange, or with `encoding=base64` an mvccpb.Event.",
            contents: &[
                Content {
                    media_type: "text/event-stream",
                    shape: Shape::Schema("WatchServerSentEvent"),
                    example: Some(put),
                },
                Content {
                    media_type: "application/x-ndjson",
                    shape: Shape::Schema("WatchEvent"),
                    example: Some(delete),
                },
            ],
            headers: &["Last-Event-ID"],
        },
        Answer {
            status: 410,
            description: "The next change after the one named is no longer known: read the state anew. Never with `Accept: text/event-stream`; see `compacted`.",
            contents: &[Content {
                media_type: "application/problem+json",
                shape: Shape::Schema("CompactedProblem"),
                example: None,
            }],
            headers: &[],
        },
    ],
    refusals: Some(Form::Problem),
    public: false,
};

fn put() -> Value {
    let change = json!({"key": "foo", "value": "bar", "create_revision": "42", "mod_revision": "42", "version": "1"});
    json!({"id": "42", "event": "put", "data": change.to_string()})
}

fn delete() -> Value {
    json!({"id": "43", "event": "delete", "data": {"key": "foo", "mod_revision": "43"}})
}

const DESCRIPTION: &str = "Any mixture of `key`, `prefix` and `key` with `range_end` may be given, as often as needed. \
Keys and values are text here; use `key_b64`, `prefix_b64`, `range_end_b64` and `encoding=base64` for those that are not.

Every change has an `id`. A reader that comes back with the last one it saw goes on right after it, even inside a revision \
that changed many keys; browsers do that on their own.

| `event` | `data` |
|---|---|
| `opened` | first of all: the store's revision |
| `put`, `delete` | a change; with `initial` at first also each key as it is |
| `synced` | with `initial`: after the last key, from here on it is changes |
| `bookmark` | nothing happened to these keys up to its `id` |
| `compacted` | the next change is no longer known; the end |
| `ahead` | the event named as the last one seen is not known here yet: the store was set back, as by restoring a backup; the end |
| `failed` | problem details; the end |

The `id` of `compacted` and `ahead` is where to begin anew: who comes back with it, as browsers do, gets the state again \
with `initial`, and otherwise all changes that are still known. What happened in between is lost: whoever needs it reads the \
state.

A browser gives up for good at any status but 200. So whoever sends `Accept: text/event-stream`, as it does, is told with \
200 and one event, `compacted` or `failed`, where others get 410, 503 or 504, and may come back after `retry`. What is \
wrong with the request stays a 4xx for everybody.

Parameters whose names are one letter, or begin with `_`, are ignored: libraries add them to get around caches. Any other \
unknown name is a mistake.

Comments keep the connection open while nothing happens. With `Accept: application/x-ndjson` the same comes as lines of \
JSON. With `unnamed` the events have no names, and their data says what they are: `onmessage` of a page hears no others.

At `/v3/keys` the same is told over a WebSocket: each event is a message, the line of JSON that it is.";
