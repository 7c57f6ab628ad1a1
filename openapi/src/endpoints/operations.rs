//! Rows: health, metrics, and what the server says about itself.

use serde_json::json;

use super::{Answer, Content, Endpoint, Listeners, Parameter, Place, Shape, Verb, query};
use crate::errors::Form;

/// What most of them have in common.
pub(super) const PLAIN: Endpoint = Endpoint {
    path: "",
    verb: Verb::Get,
    listeners: Listeners::Clients,
    id: "",
    tag: "Operations",
    summary: "",
    description: "",
    parameters: &[],
    body: &[],
    answers: &[],
    refusals: None,
    public: true,
};

pub(super) const METRICS: Endpoint = Endpoint {
    path: "/metrics",
    verb: Verb::Any,
    listeners: Listeners::ClientsAndMetrics,
    id: "Operations_Metrics",
    summary: "Tells all metrics, in Prometheus' text format",
    answers: &[answer(200, "The metrics.", &[text(Some(|| json!("etcd_server_has_leader 1\n")))])],
    ..PLAIN
};

pub(super) const HEALTH: Endpoint = Endpoint {
    path: "/health",
    listeners: Listeners::ClientsAndMetrics,
    id: "Operations_Health",
    summary: "Tells whether the member is well",
    description: "JSON of two fields, sent as text, as etcd does: `health` is the text `true` or `false`, `reason` an alarm, a missing leader, a failed read. \
The check includes a linearizable read.",
    parameters: &[EXCLUDED_ALARMS, SERIALIZABLE],
    answers: &[
        answer(200, "All is well.", &[text(Some(|| json!("{\"health\":\"true\",\"reason\":\"\"}")))]),
        answer(503, "It is not.", &[text(Some(|| json!("{\"health\":\"false\",\"reason\":\"RAFT NO LEADER\"}\n")))]),
    ],
    ..PLAIN
};

pub(super) const LIVEZ: Endpoint = Endpoint {
    path: "/livez",
    id: "Operations_livez",
    summary: "Tells whether the member should be left running",
    description: "The check: `serializable_read`.",
    ..CHECKS
};

pub(super) const LIVEZ_CHECK: Endpoint = Endpoint {
    path: "/livez/{check}",
    id: "Operations_livez_check",
    summary: "Runs one check of `/livez`",
    description: LIVEZ.description,
    ..ONE_CHECK
};

pub(super) const READYZ: Endpoint = Endpoint {
    path: "/readyz",
    id: "Operations_readyz",
    summary: "Tells whether the member can serve",
    description: "The checks: `data_corruption`, `serializable_read`, `linearizable_read`, `non_learner`.",
    ..CHECKS
};

pub(super) const READYZ_CHECK: Endpoint = Endpoint {
    path: "/readyz/{check}",
    id: "Operations_readyz_check",
    summary: "Runs one check of `/readyz`",
    description: READYZ.description,
    ..ONE_CHECK
};

const CHECKS: Endpoint = Endpoint {
    listeners: Listeners::ClientsAndMetrics,
    parameters: &[EXCLUDED_CHECKS, VERBOSE],
    answers: &[CHECKS_PASSED, CHECKS_FAILED],
    ..PLAIN
};

const ONE_CHECK: Endpoint = Endpoint {
    parameters: &[
        EXCLUDED_CHECKS,
        VERBOSE,
        Parameter { place: Place::Path, ..query("check", "The name of the check.", Shape::Text) },
    ],
    answers: &[
        CHECKS_PASSED,
        CHECKS_FAILED,
        answer(
            404,
            "There is no such check.",
            &[text(Some(|| json!("404 page not found\nThe checks of /livez are serializable_read.\n")))],
        ),
    ],
    ..CHECKS
};

const CHECKS_PASSED: Answer = answer(200, "All is well.", &[text(Some(|| json!("ok\n")))]);
const CHECKS_FAILED: Answer = answer(
    503,
    "It is not: one line a check.",
    &[text(Some(|| json!("[-]linearizable_read failed: etcdserver: no leader\n\n")))],
);

pub(super) const VERSION: Endpoint = Endpoint {
    path: "/version",
    id: "Operations_Version",
    summary: "Tells the versions of server and cluster",
    answers: &[answer(
        200,
        "The versions.",
        &[Content {
            shape: Shape::Schema("Version"),
            example: Some(
                || json!({"etcdserver": "3.7.1", "etcdcluster": "3.7.0", "storage": "3.7.0", "keyport": "0.1.0"}),
            ),
            ..JSON
        }],
    )],
    ..PLAIN
};

pub(super) const VARIABLES: Endpoint = Endpoint {
    path: "/debug/vars",
    id: "Operations_Variables",
    summary: "Tells how the process stands: command line, memory, Raft",
    description: "While there are users and roles, for those alone who have the role root.",
    answers: &[answer(200, "The state.", &[JSON])],
    refusals: Some(Form::Problem),
    public: false,
    ..PLAIN
};

pub(super) const INDEX: Endpoint = Endpoint {
    path: "/",
    id: "Operations_Index",
    summary: "Tells what there is to find on this port",
    answers: &[
        answer(200, "The links.", &[JSON]),
        Answer {
            headers: &["Location"],
            ..answer(307, "To a page, for those who like HTML best, as browsers do.", &[])
        },
    ],
    ..PLAIN
};

pub(super) const GATEWAY: Endpoint = Endpoint {
    path: "/v3",
    verb: Verb::Any,
    id: "Operations_Gateway",
    summary: "Leads to the list of paths",
    answers: &[Answer { headers: &["Location"], ..answer(307, "To `/v3/`.", &[]) }],
    ..PLAIN
};

pub(super) const PATHS: Endpoint = Endpoint {
    path: "/v3/",
    id: "Operations_Paths",
    summary: "Lists the paths of the API",
    answers: &[answer(
        200,
        "The paths.",
        &[Content {
            example: Some(
                || json!({"about": "", "docs": "/docs", "openapi": "/openapi.json", "paths": ["/v3/kv/put"]}),
            ),
            ..JSON
        }],
    )],
    ..PLAIN
};

pub(super) const OPENAPI: Endpoint = Endpoint {
    path: "/openapi.json",
    id: "Operations_OpenApi",
    summary: "This document",
    answers: &[Answer { headers: &["ETag"], ..answer(200, "The document.", &[JSON]) }, NOT_MODIFIED],
    ..PLAIN
};

pub(super) const OLDER_OPENAPI: Endpoint = Endpoint {
    path: "/openapi-3.0.json",
    id: "Operations_OlderOpenApi",
    summary: "This document as OpenAPI 3.0",
    description: "For generators of clients that do not know 3.1.",
    ..OPENAPI
};

pub(super) const DOCS: Endpoint = Endpoint {
    path: "/docs",
    id: "Operations_Docs",
    summary: "Leads to a page to try out everything that is in this document",
    description: "It is a screen of the console. Where there is no console a page says so.",
    answers: &[
        answer(200, "There is no console.", &[HTML]),
        Answer { headers: &["Location"], ..answer(307, "To `/ui/#/explorer`.", &[]) },
    ],
    ..PLAIN
};

pub(super) const CONSOLE: Endpoint = Endpoint {
    path: "/ui/",
    id: "Operations_Console",
    summary: "The console: a page to see and change everything with",
    description: "It works by the API alone, with the caller's own permissions.",
    answers: &[
        Answer { headers: &["ETag"], ..answer(200, "The page.", &[HTML]) },
        NOT_MODIFIED,
        answer(404, "It is switched off (`--console=off`).", &[text(None)]),
    ],
    ..PLAIN
};

pub(super) const CONSOLE_ENTRY: Endpoint = Endpoint {
    path: "/ui",
    id: "Operations_ConsoleEntry",
    summary: "Leads to the console",
    answers: &[Answer { headers: &["Location"], ..answer(307, "To `/ui/`.", &[]) }],
    ..PLAIN
};

pub(super) const CONSOLE_SETTINGS: Endpoint = Endpoint {
    path: "/ui/settings.json",
    id: "Operations_ConsoleSettings",
    summary: "Tells the console what it may be used for",
    answers: &[answer(
        200,
        "`mode` is `on`, `read-only` or `off`: what the page offers. What the API allows is another matter.",
        &[Content {
            shape: Shape::Schema("ConsoleSettings"),
            example: Some(|| json!({"mode": "on", "version": "0.1.0", "etcdserver": "3.7.1"})),
            ..JSON
        }],
    )],
    ..PLAIN
};

pub(super) const CONSOLE_FILE: Endpoint = Endpoint {
    path: "/ui/{file}",
    id: "Operations_ConsoleFile",
    summary: "What the console is made of",
    description: "Its scripts and style sheets, whose names change with what is in them, and `notices.txt`: whose work is in it.",
    parameters: &[Parameter { place: Place::Path, ..query("file", "The name of the file.", Shape::Text) }],
    answers: &[
        Answer { headers: &["ETag"], ..answer(200, "The file.", &[SCRIPT, STYLE, text(None), IMAGE, HTML]) },
        NOT_MODIFIED,
        answer(404, "There is no such file.", &[text(None)]),
    ],
    ..PLAIN
};

const NOT_MODIFIED: Answer =
    Answer { headers: &["ETag"], ..answer(304, "What `If-None-Match` names still holds.", &[]) };

/// Of `/health`.
pub const EXCLUDED_ALARMS: Parameter =
    Parameter { repeated: true, ..query("exclude", "An alarm to overlook: `NOSPACE` or `CORRUPT`.", Shape::Text) };

/// Of `/health`.
pub const SERIALIZABLE: Parameter =
    query("serializable", "Ask this member alone, and do not look for a leader.", Shape::Flag);

/// Of `/livez` and `/readyz`.
pub const EXCLUDED_CHECKS: Parameter =
    Parameter { repeated: true, ..query("exclude", "A check to leave out.", Shape::Text) };

/// Of `/livez` and `/readyz`.
pub const VERBOSE: Parameter = query("verbose", "List the checks also when all is well.", Shape::Flag);

const JSON: Content = Content { media_type: "application/json", shape: Shape::Object, example: None };
const HTML: Content = Content { media_type: "text/html", shape: Shape::Text, example: None };
const SCRIPT: Content = Content { media_type: "text/javascript", shape: Shape::Text, example: None };
const STYLE: Content = Content { media_type: "text/css", shape: Shape::Text, example: None };
const IMAGE: Content = Content { media_type: "image/svg+xml", shape: Shape::Text, example: None };

const fn text(example: Option<fn() -> serde_json::Value>) -> Content {
    Content { media_type: "text/plain", shape: Shape::Text, example }
}

const fn answer(status: u16, description: &'static str, contents: &'static [Content]) -> Answer {
    Answer { status, description, contents, headers: &[] }
}
