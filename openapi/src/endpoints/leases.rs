//! Rows: leases as resources, `/v3/leases`.

use serde_json::{Value, json};

use super::events::parameters::UNNAMED;
use super::keys::parameters::HOLD;
use super::{Answer, Endpoint, Parameter, Place, RESOURCE, Shape, Verb, json_of};

/// What all of them have in common.
const LEASES: Endpoint = Endpoint { path: "/v3/leases", tag: "Leases", ..RESOURCE };

pub(super) const LIST: Endpoint = Endpoint {
    id: "Leases_List",
    summary: "Lists leases",
    answers: &[Answer {
        status: 200,
        description: "Their ids, in order.",
        contents: &[json_of("LeaseList", || json!({"leases": [{"id": "7587848390525747211"}]}))],
        headers: &[],
    }],
    ..LEASES
};

pub(super) const GRANT: Endpoint = Endpoint {
    verb: Verb::Post,
    id: "Leases_Grant",
    summary: "Grants a lease",
    description: "Keys are bound to it with `?lease=`; they go with it when it is not kept alive for its time.",
    parameters: &[HOLD, UNNAMED],
    body: &[json_of("LeaseWish", || json!({"ttl": 60}))],
    answers: &[Answer {
        status: 201,
        description: "What was granted, which may be more than what was asked for.",
        contents: &[json_of("LeaseState", granted)],
        headers: &["Location"],
    }],
    ..LEASES
};

pub(super) const SHOW: Endpoint = Endpoint {
    path: "/v3/leases/{id}",
    id: "Leases_Show",
    summary: "Tells what a lease has left",
    parameters: &[ID, KEYS],
    answers: &[Answer {
        status: 200,
        description: "Seconds that are left of it.",
        contents: &[json_of("LeaseState", state)],
        headers: &[],
    }],
    ..LEASES
};

pub(super) const KEEP_ALIVE: Endpoint = Endpoint {
    path: "/v3/leases/{id}/keepalive",
    verb: Verb::Post,
    id: "Leases_KeepAlive",
    summary: "Renews a lease",
    parameters: &[ID],
    answers: &[Answer {
        status: 200,
        description: "It has all of its time again.",
        contents: &[json_of("LeaseState", granted)],
        headers: &[],
    }],
    ..LEASES
};

pub(super) const REVOKE: Endpoint = Endpoint {
    path: "/v3/leases/{id}",
    verb: Verb::Delete,
    id: "Leases_Revoke",
    summary: "Ends a lease, and removes its keys",
    parameters: &[ID],
    answers: &[Answer { status: 204, description: "It has ended.", contents: &[], headers: &["Keyport-Revision"] }],
    ..LEASES
};

const ID: Parameter = Parameter {
    name: "id",
    aliases: &[],
    place: Place::Path,
    description: "The id of the lease: digits, or `0x` and the hexadecimal digits that `etcdctl` writes.",
    shape: Shape::Text,
    repeated: false,
};
const KEYS: Parameter = Parameter {
    name: "keys",
    aliases: &[],
    place: Place::Query,
    description: "Its keys, too.",
    shape: Shape::Flag,
    repeated: false,
};

fn granted() -> Value {
    json!({"id": "7587848390525747211", "ttl": "60"})
}

fn state() -> Value {
    json!({"id": "7587848390525747211", "ttl": "41", "granted_ttl": "60", "keys": [{"key": "here/m1"}]})
}
