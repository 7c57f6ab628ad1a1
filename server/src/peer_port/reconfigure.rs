//! What members ask each other about the membership: promotions, forwarded to the leader, and downgrades.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use keyport_api::error::Error;

use crate::asking::paths;
use crate::gate::Pass;
use crate::node::Node;

pub(super) fn routes() -> Router<Arc<Node>> {
    Router::new()
        .route(&format!("{}{{id}}", paths::PROMOTE), post(promote))
        .route("/downgrade/enabled", get(downgrade_enabled))
}

/// `POST /members/promote/<decimal id>`: only a leader does it; a member that is none says so.
async fn promote(State(node): State<Arc<Node>>, Path(id): Path<String>) -> Response {
    let Ok(number) = id.parse() else {
        return (StatusCode::NOT_FOUND, format!("member {id} not found in cluster\n")).into_response();
    };
    match node.promote_and_count(&Pass::internal("another member"), number).await {
        Ok(members) => Json(members).into_response(),
        Err(error) => (status(error), format!("{error}\n")).into_response(),
    }
}

fn status(error: Error) -> StatusCode {
    match error {
        Error::MemberNotFound => StatusCode::NOT_FOUND,
        Error::MemberNotLearner | Error::LearnerNotReady => StatusCode::PRECONDITION_FAILED,
        Error::Timeout | Error::TimeoutWaitAppliedIndex => StatusCode::REQUEST_TIMEOUT,
        Error::NotLeader | Error::Stopped => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// `GET /downgrade/enabled`: as the whole cluster knows it.
async fn downgrade_enabled(State(node): State<Arc<Node>>) -> Response {
    match node.read_barrier().await {
        Ok(()) => node.state().membership.downgrade().enabled.to_string().into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("failed linearized read: {error}\n")).into_response(),
    }
}
