//! Rows: locks and elections, `/v3/locks` and `/v3/elections`.

use serde_json::{Value, json};

use super::events::parameters::UNNAMED;
use super::keys::parameters::HOLD;
use super::{Answer, Content, Endpoint, HELD, PROBLEM, Parameter, Place, RESOURCE, Shape, Verb, json_of, query};

const LOCKS: Endpoint = Endpoint { path: "/v3/locks/{lock}", tag: "Locks", ..RESOURCE };
const ELECTIONS: Endpoint = Endpoint { path: "/v3/elections/{election}", tag: "Elections", ..RESOURCE };

const TAKING: &str = "Without `lease` it is granted a lease of `ttl` seconds, 60 if nothing is said, which ends when the place is given up; \
renew it with `POST /v3/leases/{id}/keepalive`. With `wait` the request stands in line, and its lease is renewed meanwhile; who goes away leaves \
the line. With `hold` it is had for as long as the answer is read, and given up when that ends.

The body, if there is one, is what the place says: who it is, perhaps. The line is the one that `etcdctl` and etcd's other clients stand in under \
the same name.";

pub(super) const LOCK: Endpoint = Endpoint {
    id: "Locks_Get",
    summary: "Tells who holds a lock, and who waits for it",
    parameters: &[NAME_OF_LOCK, LIMIT],
    answers: &[told(&[json_of("LockState", lock_state)])],
    ..LOCKS
};

pub(super) const TAKE: Endpoint = Endpoint {
    verb: Verb::Post,
    id: "Locks_Take",
    summary: "Takes a lock",
    description: TAKING,
    parameters: &[NAME_OF_LOCK, TTL, LEASE, WAIT, HOLD, UNNAMED],
    body: &[SAYS],
    answers: &[HELD_WHILE_READ, TAKEN, TAKEN_ALREADY],
    ..LOCKS
};

pub(super) const RELEASE: Endpoint = Endpoint {
    verb: Verb::Delete,
    id: "Locks_Release",
    summary: "Gives a lock up, or leaves the line",
    parameters: &[NAME_OF_LOCK, LEASE],
    answers: &[LEFT],
    ..LOCKS
};

pub(super) const ELECTION: Endpoint = Endpoint {
    id: "Elections_Get",
    summary: "Tells who leads, and who would",
    description: "With `watch` or `Accept: text/event-stream` it is a stream: an event `leader` for who leads now, and for each change.",
    parameters: &[NAME_OF_ELECTION, LIMIT, WATCH, UNNAMED],
    answers: &[told(&[json_of("ElectionState", election_state), LEADERS])],
    ..ELECTIONS
};

pub(super) const CAMPAIGN: Endpoint = Endpoint {
    verb: Verb::Post,
    id: "Elections_Campaign",
    summary: "Stands for election, and proclaims a value once elected",
    description: TAKING,
    parameters: &[NAME_OF_ELECTION, TTL, LEASE, WAIT, HOLD, UNNAMED],
    body: &[SAYS],
    answers: &[HELD_WHILE_READ, TAKEN, TAKEN_ALREADY],
    ..ELECTIONS
};

pub(super) const PROCLAIM: Endpoint = Endpoint {
    verb: Verb::Put,
    id: "Elections_Proclaim",
    summary: "Proclaims another value, as the leader",
    parameters: &[NAME_OF_ELECTION, LEASE],
    body: &[SAYS],
    answers: &[
        Answer {
            status: 200,
            description: "It is proclaimed.",
            contents: &[json_of("TakenPlace", taken)],
            headers: &[],
        },
        Answer { status: 409, description: "That lease does not lead.", contents: &[PROBLEM], headers: &[] },
    ],
    ..ELECTIONS
};

pub(super) const RESIGN: Endpoint = Endpoint {
    verb: Verb::Delete,
    id: "Elections_Resign",
    summary: "Resigns, or stands no more",
    parameters: &[NAME_OF_ELECTION, LEASE],
    answers: &[LEFT],
    ..ELECTIONS
};

const LEADERS: Content = Content {
    example: Some(
        || json!({"event": "leader", "data": "{\"key\":\"chief/694d7\",\"value\":\"m1\",\"revision\":\"7\",\"lease\":\"7587848390525747211\"}"}),
    ),
    ..HELD
};
const HELD_WHILE_READ: Answer = Answer {
    status: 200,
    description: "With `hold`: it is had for as long as this is read.",
    contents: &[HELD],
    headers: &[],
};
const TAKEN: Answer = Answer {
    status: 201,
    description: "It is had.",
    contents: &[json_of("TakenPlace", taken)],
    headers: &["Location"],
};
const TAKEN_ALREADY: Answer = Answer {
    status: 409,
    description: "Somebody else has it, and still had when the waiting was over.",
    contents: &[Content {
        media_type: "application/problem+json",
        shape: Shape::Schema("HeldProblem"),
        example: Some(held_problem),
    }],
    headers: &[],
};
const LEFT: Answer =
    Answer { status: 204, description: "The place is given up.", contents: &[], headers: &["Keyport-Revision"] };
const SAYS: Content = Content { media_type: "application/octet-stream", shape: Shape::Binary, example: None };

const fn told(contents: &'static [Content]) -> Answer {
    Answer { status: 200, description: "Who stands there, in their order.", contents, headers: &["Keyport-Revision"] }
}

const NAME_OF_LOCK: Parameter = name("lock", "What it is called, slashes included; any byte may be percent-encoded.");
const NAME_OF_ELECTION: Parameter = Parameter { name: "election", ..NAME_OF_LOCK };
pub(super) const TTL: Parameter = query("ttl", "Seconds that its lease has.", Shape::Digits);
pub(super) const LEASE: Parameter = query(
    "lease",
    "The lease that the place belongs to, by its id: digits, or `0x` and the hexadecimal digits that `etcdctl` writes.",
    Shape::Text,
);
pub(super) const WAIT: Parameter = query(
    "wait",
    "Seconds to wait for those before, 600 at most. 0 if nothing is said; with `hold`, as long as it takes.",
    Shape::Digits,
);
pub(super) const WATCH: Parameter = query("watch", "As a stream of events.", Shape::Flag);
pub(super) const LIMIT: Parameter =
    query("limit", "How many are told at most; 1000 if nothing is said.", Shape::Integer(1..=1000));

const fn name(name: &'static str, description: &'static str) -> Parameter {
    Parameter { place: Place::Path, ..query(name, description, Shape::Text) }
}

fn lock_state() -> Value {
    json!({
        "name": "nightly",
        "holder": {"key": "nightly/694d7", "value": "m1", "revision": "7", "lease": "7587848390525747211"},
        "waiters": [],
        "count": "1",
    })
}

fn election_state() -> Value {
    json!({"name": "chief", "candidates": [], "count": "0"})
}

fn taken() -> Value {
    json!({"name": "nightly", "key": "nightly/694d7", "revision": "7", "lease": "7587848390525747211", "ttl": "60"})
}

fn held_problem() -> Value {
    json!({
        "type": "/problems/held",
        "title": "Somebody else has it",
        "status": 409,
        "detail": "it is held by somebody else",
        "holder": {"key": "nightly/694d7", "value": "m1", "revision": "7", "lease": "7587848390525747211"},
    })
}
