//! `GET /members/standing`: how this member is, for another one that is asked how all are.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};

use crate::asking::paths;
use crate::node::Node;

pub(super) fn routes() -> Router<Arc<Node>> {
    Router::new().route(paths::STANDING, get(answer))
}

async fn answer(State(node): State<Arc<Node>>) -> Response {
    Json(node.own_standing()).into_response()
}
