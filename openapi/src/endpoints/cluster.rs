//! Rows: the members of the cluster, `/v3/members`, and their alarms, `/v3/alarms`.

use serde_json::{Value, json};

use super::keys::parameters::CONSISTENCY;
use super::{Answer, Endpoint, Parameter, Place, RESOURCE, Shape, Verb, json_of};

const COLLECTION: Endpoint = Endpoint { path: "/v3/members", tag: "Members", ..RESOURCE };
const ONE: Endpoint = Endpoint { path: "/v3/members/{id}", parameters: &[ID], ..COLLECTION };

pub(super) const MEMBERS: Endpoint = Endpoint {
    id: "Members_List",
    summary: "Lists the members",
    parameters: &[CONSISTENCY],
    answers: &[ok("All of them.", &[json_of("MemberList", list)])],
    ..COLLECTION
};

pub(super) const ADD: Endpoint = Endpoint {
    verb: Verb::Post,
    id: "Members_Add",
    summary: "Adds a member",
    description: "It can be started then, with `--initial-cluster-state existing`. One that is a learner has no vote until it is promoted, \
and does not make the cluster weaker while it catches up.",
    body: &[json_of("NewMember", || json!({"peer_urls": ["http://10.0.0.4:2380"], "learner": true}))],
    answers: &[Answer {
        status: 201,
        description: "It belongs to the cluster.",
        contents: &[json_of("Member", member)],
        headers: &["Location"],
    }],
    ..COLLECTION
};

pub(super) const MEMBER: Endpoint = Endpoint {
    id: "Members_Get",
    summary: "Tells who a member is",
    answers: &[ok("Its name and where it is.", &[json_of("Member", member)])],
    ..ONE
};

pub(super) const UPDATE: Endpoint = Endpoint {
    verb: Verb::Patch,
    id: "Members_Update",
    summary: "Tells the others where a member is from now on",
    body: &[json_of("MemberChange", || json!({"peer_urls": ["http://10.0.0.4:2380"]}))],
    answers: &[ok("It is known.", &[json_of("Member", member)])],
    ..ONE
};

pub(super) const REMOVE: Endpoint = Endpoint {
    verb: Verb::Delete,
    id: "Members_Remove",
    summary: "Removes a member",
    answers: &[done("It belongs to the cluster no more, and stops.")],
    ..ONE
};

pub(super) const PROMOTE: Endpoint = Endpoint {
    path: "/v3/members/{id}/promote",
    verb: Verb::Post,
    id: "Members_Promote",
    summary: "Gives a learner its vote",
    answers: &[ok("It votes.", &[json_of("Member", member)])],
    ..ONE
};

pub(super) const LEAD: Endpoint = Endpoint {
    path: "/v3/members/{id}/lead",
    verb: Verb::Post,
    id: "Members_Lead",
    summary: "Hands the lead to a member",
    description: "To be asked of the member that leads.",
    answers: &[done("It leads.")],
    ..ONE
};

pub(super) const ALARMS: Endpoint = Endpoint {
    path: "/v3/alarms",
    id: "Alarms_List",
    summary: "Lists the alarms",
    answers: &[ok("Those that are raised.", &[json_of("AlarmList", alarms)])],
    ..COLLECTION
};

pub(super) const DISARM: Endpoint = Endpoint {
    verb: Verb::Delete,
    id: "Alarms_Disarm",
    summary: "Disarms alarms",
    description: "One that has its cause still is raised again.",
    parameters: &[ALARM],
    answers: &[ok("Those that were raised.", &[json_of("AlarmList", alarms)])],
    ..ALARMS
};

const ID: Parameter = Parameter {
    name: "id",
    aliases: &[],
    place: Place::Path,
    description: "The id of the member: digits, or `0x` and the hexadecimal digits that `etcdctl` and logs write.",
    shape: Shape::Text,
    repeated: false,
};
const ALARM: Parameter = Parameter {
    name: "alarm",
    place: Place::Query,
    description: "Those of this kind alone.",
    shape: Shape::Word(&["NOSPACE", "CORRUPT"]),
    ..ID
};

const fn ok(description: &'static str, contents: &'static [super::Content]) -> Answer {
    Answer { status: 200, description, contents, headers: &[] }
}

const fn done(description: &'static str) -> Answer {
    Answer { status: 204, description, contents: &[], headers: &[] }
}

fn member() -> Value {
    json!({
        "id": "10276657743932975437",
        "hex": "8e9e05c52164694d",
        "name": "m1",
        "peer_urls": ["http://10.0.0.4:2380"],
        "client_urls": ["http://10.0.0.4:2379"],
        "learner": false,
        "leader": true,
    })
}

fn list() -> Value {
    json!({"members": [member()]})
}

fn alarms() -> Value {
    json!({"alarms": [{"member": "10276657743932975437", "alarm": "NOSPACE"}]})
}
