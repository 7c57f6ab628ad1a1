//! Rows: what the types of problems mean, `/problems/`.

use serde_json::{Value, json};

use super::operations::PLAIN;
use super::{Answer, Content, Endpoint, Parameter, Place, Shape};

pub(super) const LIST: Endpoint = Endpoint {
    path: "/problems/",
    id: "Operations_Problems",
    summary: "Lists the types of problems",
    answers: &[Answer {
        status: 200,
        description: "All of them, as a page or as text for those who accept one.",
        contents: &[Content { media_type: "application/json", shape: Shape::Object, example: Some(list) }, HTML, TEXT],
        headers: &[],
    }],
    ..PLAIN
};

pub(super) const ENTRY: Endpoint = Endpoint {
    path: "/problems",
    id: "Operations_ProblemsEntry",
    summary: "Leads to the types of problems",
    answers: &[Answer { status: 307, description: "To `/problems/`.", contents: &[], headers: &["Location"] }],
    ..PLAIN
};

pub(super) const PAGE: Endpoint = Endpoint {
    path: "/problems/{problem}",
    id: "Operations_Problem",
    summary: "Says what a type of problem means",
    description: "It is at the address that is the `type` of the problem.",
    parameters: &[Parameter {
        name: "problem",
        aliases: &[],
        place: Place::Path,
        description: "The last part of the type.",
        shape: Shape::Text,
        repeated: false,
    }],
    answers: &[
        Answer {
            status: 200,
            description: "What it means, when it comes, and what to do; as a page or as text for those who accept one.",
            contents: &[
                Content { media_type: "application/json", shape: Shape::Object, example: Some(page) },
                HTML,
                TEXT,
            ],
            headers: &[],
        },
        Answer {
            status: 404,
            description: "There is no such type.",
            contents: &[Content {
                media_type: "application/problem+json",
                shape: Shape::Schema("Problem"),
                example: None,
            }],
            headers: &[],
        },
    ],
    ..PLAIN
};

const HTML: Content = Content { media_type: "text/html", shape: Shape::Text, example: None };
const TEXT: Content = Content { media_type: "text/plain", shape: Shape::Text, example: None };

fn list() -> Value {
    json!({"problems": [{"type": "/problems/compacted", "title": "The revision has been compacted", "status": 410}]})
}

fn page() -> Value {
    json!({
        "type": "/problems/compacted",
        "title": "The revision has been compacted",
        "status": 410,
        "grpc_codes": [11],
        "meaning": "History before a revision has been removed; `oldest_revision` says which one is the oldest that is known.",
        "when": "`rev`, a cursor of a list or the start of a watch is older than that.",
        "remedy": "Read what is there now, and watch from its revision."
    })
}
