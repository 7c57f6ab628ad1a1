//! `/debug/log`: what is written to the log.

use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use keyport_api::error::Problem;
use serde::Deserialize;
use serde_json::json;

use crate::config::LogLevel;
use crate::http::refusal::problem_document;
use crate::logging::{self, ControlError, Verbosity};

/// What is to be written; also as old releases of etcd took it, `{"Level": "DEBUG"}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(alias = "Level")]
    level: Option<String>,
    targets: Option<String>,
}

pub(super) async fn show() -> Response {
    logging::verbosity().map_or_else(|error| refused(&error), |verbosity| document(&verbosity))
}

pub(super) async fn change(body: Bytes) -> Response {
    let Wanted { level, targets } = match serde_json::from_slice(&body) {
        Ok(wanted) => wanted,
        Err(error) => return problem(StatusCode::BAD_REQUEST, format!("the body is not what is wanted here: {error}")),
    };
    let before = match logging::verbosity() {
        Ok(before) => before,
        Err(error) => return refused(&error),
    };
    let level = match level.map(|text| LogLevel::parse(&text).filter(|_| !text.is_empty()).ok_or(text)).transpose() {
        Ok(level) => level,
        Err(text) => return problem(StatusCode::BAD_REQUEST, format!("unrecognized level: {text:?}")),
    };
    if level.is_none() && targets.is_none() {
        return problem(StatusCode::BAD_REQUEST, "neither a level nor targets are named".to_owned());
    }
    // A level that is asked for is meant to count.
    let verbosity = Verbosity { level: level.unwrap_or(before.level), targets: targets.unwrap_or_default() };
    if let Err(error) = logging::set_verbosity(verbosity.clone()) {
        return refused(&error);
    }
    // At a level that is hardly ever left out.
    tracing::warn!(
        level_now = verbosity.level.as_str(),
        targets = verbosity.targets,
        level_before = before.level.as_str(),
        targets_before = before.targets,
        "changed what is written to the log"
    );
    document(&verbosity)
}

fn document(Verbosity { level, targets }: &Verbosity) -> Response {
    let document = super::document(&json!({ "level": level.as_str(), "targets": targets }));
    ([(header::CACHE_CONTROL, "no-store")], document).into_response()
}

fn refused(error: &ControlError) -> Response {
    let status = match error {
        ControlError::TooLong(_) | ControlError::Targets(_) => StatusCode::BAD_REQUEST,
        ControlError::NotOurs | ControlError::Gone(_) => StatusCode::NOT_IMPLEMENTED,
    };
    problem(status, error.to_string())
}

fn problem(status: StatusCode, detail: String) -> Response {
    problem_document(&Problem::http(status, detail))
}
