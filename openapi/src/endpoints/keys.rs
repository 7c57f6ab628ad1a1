//! Rows: keys as resources, `/v3/keys`.

pub(super) mod list;
pub(super) mod parameters;

use serde_json::{Value, json};

use super::events::parameters::UNNAMED;
use super::{Answer, Content, Endpoint, PROBLEM, RESOURCE, Shape, Verb, json_of};
use parameters as of;

/// What all of them have in common.
const KEY: Endpoint = Endpoint { path: "/v3/keys/{key}", tag: "Keys", ..RESOURCE };

pub(super) const GET: Endpoint = Endpoint {
    id: "Keys_Get",
    summary: "Reads a key",
    description: "The body is the value, byte for byte; what else there is to know is in the headers. `Accept: application/json` \
asks for all of it as a document.

The `ETag` is the revision of the last change. With `If-None-Match` a client that has the value already gets 304 and no body.",
    parameters: &[
        of::KEY,
        of::KEY_BASE64,
        of::REVISION,
        of::CONSISTENCY,
        of::WAIT,
        of::WATCH,
        of::IF_MATCH,
        of::IF_NONE_MATCH,
        of::RANGE,
        of::IF_RANGE,
    ],
    answers: &[
        Answer { status: 200, description: "The value.", contents: &[RAW, DOCUMENT, EVENTS], headers: READ },
        Answer { status: 206, description: "The part of the value that `Range` asks for.", contents: &[RAW], headers: PART },
        Answer { status: 304, description: "It is what `If-None-Match` names.", contents: &[], headers: READ },
        Answer {
            status: 410,
            description: "The revision is no longer known: `oldest_revision` says where history begins now.",
            contents: &[Content {
                media_type: "application/problem+json",
                shape: Shape::Schema("CompactedProblem"),
                example: None,
            }],
            headers: &[],
        },
        CHANGED,
        Answer { status: 416, description: "The value has not so many bytes.", contents: &[PROBLEM], headers: &["Content-Range"] },
    ],
    ..KEY
};

pub(super) const PUT: Endpoint = Endpoint {
    verb: Verb::Put,
    id: "Keys_Put",
    summary: "Writes a key",
    description: "The body is the value, byte for byte, whatever its `Content-Type`.

`If-Match` and `If-None-Match` say what the key has to be for that; `cas`, `create` and `update` are the same for shells, which \
have their trouble with quotes.

`ttl` makes the key go away by itself: it is bound to a lease of its own, which the answer names. Writing it again with the same \
`ttl` renews that lease.",
    parameters: &[
        of::KEY,
        of::KEY_BASE64,
        of::TTL,
        of::LEASE,
        of::HOLD,
        UNNAMED,
        of::CAS,
        of::CREATE,
        of::UPDATE,
        of::PREVIOUS,
        of::IF_MATCH,
        of::IF_NONE_MATCH,
        of::PREFER,
    ],
    body: &[RAW],
    answers: &[
        Answer {
            status: 200,
            description: "What the key is now, without its value; with `Prefer: return=representation`, with it. With `hold`: events for as \
long as it is there.",
            contents: &[WRITTEN],
            headers: WROTE,
        },
        Answer { status: 201, description: "The same of a key that was not there before.", contents: &[WRITTEN], headers: MADE },
        Answer { status: 204, description: "The same with `Prefer: return=minimal`.", contents: &[], headers: WROTE },
        CHANGED,
    ],
    ..KEY
};

pub(super) const HISTORY: Endpoint = Endpoint {
    path: "/v3/history/{key}",
    id: "Keys_History",
    summary: "Tells what a key was",
    description: "Its versions, the newest first, deletions among them, as far back as nothing is compacted.",
    parameters: &[of::KEY, of::KEY_BASE64, of::BEFORE, of::LIMIT, of::CONSISTENCY],
    answers: &[Answer {
        status: 200,
        description: "A page of it; none of a key that never was. `Link` and `before` lead to the next one.",
        contents: &[json_of("KeyHistory", history)],
        headers: &["Keyport-Revision"],
    }],
    ..KEY
};

pub(super) const PATCH: Endpoint = Endpoint {
    verb: Verb::Patch,
    id: "Keys_Patch",
    summary: "Changes a part of a value",
    description: "What the value is then is made of what it is now, in one step: no change of somebody else's is lost. The lease stays.

A JSON value takes a merge patch (RFC 7396) or a JSON Patch (RFC 6902). \
A value that is a number takes `increment`, any value `append`. What is not there is `null` for a merge patch, 0 for `increment` and empty for `append`.

With an `Idempotency-Key` it may be sent again, to any member, and is applied once.",
    parameters: &[
        of::KEY,
        of::KEY_BASE64,
        of::INCREMENT,
        of::APPEND,
        of::CAS,
        of::UPDATE,
        of::PREVIOUS,
        of::IF_MATCH,
        of::IF_NONE_MATCH,
        of::PREFER,
        of::IDEMPOTENCY_KEY,
    ],
    body: &[
        Content { media_type: "application/merge-patch+json", shape: Shape::Object, example: Some(merge_patch) },
        Content { media_type: "application/json-patch+json", shape: Shape::Schema("JsonPatch"), example: Some(json_patch) },
        RAW,
    ],
    answers: &[
        Answer {
            status: 200,
            description: "What the key is now; with `Prefer: return=minimal`, nothing.",
            contents: &[DOCUMENT],
            headers: WROTE,
        },
        Answer { status: 201, description: "The same of a key that was not there before.", contents: &[DOCUMENT], headers: MADE },
        Answer { status: 204, description: "The same with `Prefer: return=minimal`.", contents: &[], headers: WROTE },
        Answer {
            status: 409,
            description: "The value is not what such a change can be made of: no JSON, no number, not what a `test` says.",
            contents: &[PROBLEM],
            headers: &[],
        },
        CHANGED,
        Answer { status: 415, description: "The body is no patch: see `Accept-Patch`.", contents: &[PROBLEM], headers: &["Accept-Patch"] },
        REUSED,
    ],
    ..KEY
};

/// For what may be sent again.
pub(super) const REUSED: Answer = Answer {
    status: 422,
    description: "The `Idempotency-Key` was that of another request.",
    contents: &[PROBLEM],
    headers: &[],
};

pub(super) const POST: Endpoint = Endpoint {
    verb: Verb::Post,
    id: "Keys_Add",
    summary: "Adds a key behind a prefix",
    description: "The key is the prefix and a number that is larger than those of all keys that were added to it before: read in the order of keys \
they are in the order in which they came. `Location` says which it is.

A request with an `Idempotency-Key` may be sent again, to any member: nothing is added a second time, and the answer is that of the first, with \
`Idempotent-Replayed: true` beside it.",
    parameters: &[of::KEY, of::KEY_BASE64, of::TTL, of::LEASE, of::PREFER, of::IDEMPOTENCY_KEY],
    body: &[RAW],
    answers: &[
        Answer { status: 201, description: "What the key is.", contents: &[WRITTEN], headers: MADE },
        REUSED,
    ],
    ..KEY
};

pub(super) const DELETE: Endpoint = Endpoint {
    verb: Verb::Delete,
    id: "Keys_Delete",
    summary: "Removes a key",
    parameters: &[of::KEY, of::KEY_BASE64, of::CAS, of::PREVIOUS, of::IF_MATCH, of::IF_NONE_MATCH],
    answers: &[
        Answer {
            status: 200,
            description: "What it was, with `prev`.",
            contents: &[DOCUMENT],
            headers: &["Keyport-Revision"],
        },
        Answer { status: 204, description: "It is gone.", contents: &[], headers: &["Keyport-Revision"] },
        CHANGED,
    ],
    ..KEY
};

/// What is said of a key beside its value.
const READ: &[&str] = &[
    "ETag",
    "Keyport-Revision",
    "Keyport-Create-Revision",
    "Keyport-Mod-Revision",
    "Keyport-Version",
    "Keyport-Lease",
    "Accept-Ranges",
];
const PART: &[&str] = &[
    "ETag",
    "Content-Range",
    "Keyport-Revision",
    "Keyport-Create-Revision",
    "Keyport-Mod-Revision",
    "Keyport-Version",
    "Keyport-Lease",
    "Accept-Ranges",
];
const WROTE: &[&str] = &["ETag", "Keyport-Revision", "Preference-Applied"];
const MADE: &[&str] = &["ETag", "Location", "Keyport-Revision", "Preference-Applied"];

const RAW: Content = Content { media_type: "application/octet-stream", shape: Shape::Binary, example: None };
const DOCUMENT: Content =
    Content { media_type: "application/json", shape: Shape::Schema("KeyValue"), example: Some(document) };
const WRITTEN: Content =
    Content { media_type: "application/json", shape: Shape::Schema("KeyValue"), example: Some(written) };

pub(in super::super) const EVENTS: Content =
    Content { media_type: "text/event-stream", shape: Shape::Schema("WatchServerSentEvent"), example: None };

/// The answer to a precondition that does not hold.
const CHANGED: Answer = Answer {
    status: 412,
    description: "The key is not what the request says it has to be. `ETag` is that of what it is; there is none where it is not there.",
    contents: &[PROBLEM],
    headers: &["ETag"],
};

fn document() -> Value {
    json!({"key": "app/db", "value": "postgres://db", "create_revision": "12", "mod_revision": "31", "version": "4"})
}

fn merge_patch() -> Value {
    json!({"host": "db2", "port": null})
}

fn json_patch() -> Value {
    json!([{"op": "test", "path": "/host", "value": "db"}, {"op": "replace", "path": "/host", "value": "db2"}])
}

fn written() -> Value {
    json!({"key": "app/db", "create_revision": "12", "mod_revision": "31", "version": "4"})
}

fn history() -> Value {
    json!({
        "key": "app/db",
        "revision": "31",
        "compact_revision": "0",
        "versions": [
            {"key": "app/db", "value": "postgres://db", "create_revision": "12", "mod_revision": "31", "version": "1"},
            {"key": "app/db", "mod_revision": "9", "deleted": true},
        ],
        "before": "9",
    })
}
