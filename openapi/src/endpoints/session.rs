//! Rows: who the caller is, and the cookie by which a page is known, `/v3/session`.

use serde_json::{Value, json};

use super::{Answer, Content, Endpoint, RESOURCE, Shape, Verb};

/// What all of them have in common.
const SESSION: Endpoint = Endpoint { path: "/v3/session", tag: "Auth", ..RESOURCE };

pub(super) const SHOW: Endpoint = Endpoint {
    id: "Session_Show",
    summary: "Tells who the caller is",
    answers: &[Answer { status: 200, description: "Who that is.", contents: &[CONTENT], headers: &[] }],
    ..SESSION
};

pub(super) const BEGIN: Endpoint = Endpoint {
    verb: Verb::Post,
    id: "Session_Begin",
    summary: "Logs in by a cookie",
    description: "For pages: the cookie is out of reach of scripts (`HttpOnly`), and comes only with requests of this server's own \
pages (`SameSite=Strict`). Others ask for a token (`/v3/auth/authenticate`), or send `Authorization: Basic`.",
    body: &[Content { media_type: "application/json", shape: Shape::Schema("Login"), example: Some(login) }],
    answers: &[Answer { status: 200, description: "Who that is.", contents: &[CONTENT], headers: &["Set-Cookie"] }],
    public: true,
    ..SESSION
};

pub(super) const END: Endpoint = Endpoint {
    verb: Verb::Delete,
    id: "Session_End",
    summary: "Takes the cookie back",
    description: "And ends the token in it at the member that is asked. Others know it until it was not used there for \
`--auth-token-ttl`; one that is signed is good until it says it ends.",
    answers: &[Answer { status: 204, description: "It is gone.", contents: &[], headers: &["Set-Cookie"] }],
    public: true,
    ..SESSION
};

pub(super) const PASSWORD: Endpoint = Endpoint {
    path: "/v3/session/password",
    verb: Verb::Put,
    id: "Session_ChangePassword",
    summary: "Changes the caller's own password",
    description: "Needs no permission but the old password. All tokens of the user end, and the cookie is taken back.",
    body: &[Content {
        media_type: "application/json",
        shape: Shape::Schema("NewPassword"),
        example: Some(new_password),
    }],
    answers: &[Answer { status: 204, description: "It is another one now.", contents: &[], headers: &["Set-Cookie"] }],
    ..SESSION
};

const CONTENT: Content = Content {
    media_type: "application/json",
    shape: Shape::Schema("Session"),
    example: Some(|| json!({"authentication": true, "user": "alice", "roles": ["reader"]})),
};

fn login() -> Value {
    json!({"name": "alice", "password": "secret"})
}

fn new_password() -> Value {
    json!({"old": "secret", "new": "another secret"})
}
