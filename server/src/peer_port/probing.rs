//! `/raft/probing`: how etcd's members find out whether this one is there, and what its clock says.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

#[derive(Serialize)]
struct Health {
    #[serde(rename = "OK")]
    ok: bool,
    /// They take the difference to their own clocks.
    #[serde(rename = "Now")]
    now: String,
}

/// As text, as etcd has it.
pub(super) async fn answer() -> Response {
    let written = OffsetDateTime::now_utc().format(&Rfc3339).ok();
    let health = written.and_then(|now| serde_json::to_string(&Health { ok: true, now }).ok());
    match health {
        Some(health) => (health + "\n").into_response(),
        // A clock that is set to a year with five digits.
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
