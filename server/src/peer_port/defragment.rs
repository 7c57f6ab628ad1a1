//! `/members/defragment`: the leader asks whether this member is being defragmented or is due (GET), and says that it is its turn
//! (POST).

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;

use super::whole_body::WholeBody;
use crate::asking::paths;
use crate::node::{Node, TurnQuestion};

pub(super) fn routes() -> Router<Arc<Node>> {
    Router::new().route(paths::DEFRAGMENT, get(standing).post(begin))
}

async fn standing(State(node): State<Arc<Node>>, WholeBody(body): WholeBody) -> Response {
    let Ok(TurnQuestion { term }) = serde_json::from_slice(&body) else { return not_understood() };
    match node.standing(term) {
        Some(standing) => Json(standing).into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "this member does not know of that term\n").into_response(),
    }
}

async fn begin(State(node): State<Arc<Node>>, WholeBody(body): WholeBody) -> Response {
    let Ok(TurnQuestion { term }) = serde_json::from_slice(&body) else { return not_understood() };
    match node.begin_turn(term) {
        true => StatusCode::OK.into_response(),
        false => (StatusCode::CONFLICT, "it is not this member's turn\n").into_response(),
    }
}

fn not_understood() -> Response {
    (StatusCode::BAD_REQUEST, "error unmarshalling request\n").into_response()
}
