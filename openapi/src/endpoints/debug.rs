//! Rows: what those who run a member look at when something is wrong, `/debug/`.

use serde_json::json;

use super::{Answer, Content, Endpoint, Listeners, PROBLEM, Parameter, Place, Shape, Verb, query};
use crate::errors::Form;

const INSIDE: Endpoint = Endpoint {
    path: "",
    verb: Verb::Get,
    listeners: Listeners::Clients,
    id: "",
    tag: "Operations",
    summary: "",
    description: "While there are users and roles, for those alone who have the role root.",
    parameters: &[],
    body: &[],
    answers: &[],
    refusals: Some(Form::Problem),
    public: false,
};

pub(super) const LOG: Endpoint = Endpoint {
    path: "/debug/log",
    id: "Operations_Log",
    summary: "Tells what is written to the log",
    answers: &[answer(200, "Level and targets.", &[VERBOSITY]), NOT_OURS],
    ..INSIDE
};

pub(super) const LOG_CHANGE: Endpoint = Endpoint {
    path: "/debug/log",
    verb: Verb::Put,
    id: "Operations_LogChange",
    summary: "Changes what is written to the log",
    description: "Until the process ends, at this member alone. `targets` are directives as in `RUST_LOG`, such as \
`warn,keyport_raft=debug`, and count instead of the level; without them the level decides. \
While there are users and roles, for those alone who have the role root.",
    body: &[VERBOSITY],
    answers: &[answer(200, "Level and targets from now on.", &[VERBOSITY]), BAD, NOT_OURS],
    ..INSIDE
};

pub(super) const PROFILES: Endpoint = Endpoint {
    path: "/debug/pprof/",
    id: "Operations_Profiles",
    summary: "Tells which profiles there are",
    answers: &[answer(200, "The list.", &[TEXT]), OFF],
    ..INSIDE
};

pub(super) const PROFILE: Endpoint = Endpoint {
    path: "/debug/pprof/profile",
    id: "Operations_Profile",
    summary: "Takes a profile of the processor",
    description: "All threads, about a hundred stacks in a second of work; one profile at a time. `go tool pprof` takes the URL. \
While there are users and roles, for those alone who have the role root.",
    parameters: &[PROFILE_SECONDS, PROFILE_FORM],
    answers: &[
        answer(
            200,
            "The profile.",
            &[Content { media_type: "application/octet-stream", shape: Shape::Binary, example: None }, TEXT],
        ),
        answer(400, "The query is not what is wanted here.", &[TEXT]),
        OFF,
        answer(409, "One is being taken already.", &[TEXT]),
    ],
    ..INSIDE
};

pub(super) const OTHER_PROFILE: Endpoint = Endpoint {
    path: "/debug/pprof/{profile}",
    id: "Operations_OtherProfile",
    summary: "Tells why there is no such profile",
    description: "Those of Go programs that this one has not: `heap`, `goroutine` and others. \
While there are users and roles, for those alone who have the role root.",
    parameters: &[Parameter { place: Place::Path, ..query("profile", "The name of the profile.", Shape::Text) }],
    answers: &[OFF],
    ..INSIDE
};

/// Of `/debug/pprof/profile`.
pub const PROFILE_SECONDS: Parameter = query("seconds", "How long; 30 if not given.", Shape::Integer(1..=300));

/// Of `/debug/pprof/profile`.
pub const PROFILE_FORM: Parameter = query(
    "format",
    "`pprof`, or `folded` for a line a stack, as flame graphs are drawn from.",
    Shape::Word(&PROFILE_FORMS),
);

/// For [`PROFILE_FORM`].
pub const PROFILE_FORMS: [&str; 2] = ["pprof", "folded"];

const VERBOSITY: Content = Content {
    media_type: "application/json",
    shape: Shape::Schema("Verbosity"),
    example: Some(|| json!({"level": "info", "targets": ""})),
};
const TEXT: Content = Content { media_type: "text/plain", shape: Shape::Text, example: None };

const BAD: Answer = answer(400, "The body is not what is wanted here.", &[PROBLEM]);
const NOT_OURS: Answer = answer(501, "The log of this process is not the server's own.", &[PROBLEM]);
const OFF: Answer = answer(404, "There is no such profile, or there are none without `--enable-pprof`.", &[TEXT]);

const fn answer(status: u16, description: &'static str, contents: &'static [Content]) -> Answer {
    Answer { status, description, contents, headers: &[] }
}
