//! `GET /members/hashkv`: the hash of this member's keys at a revision, for others to compare with theirs.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use keyport_storage::mvcc::MvccError;

use super::whole_body::WholeBody;
use crate::asking::hashkv::{Answer, COMPACTED, FUTURE, Question};
use crate::asking::paths;
use crate::node::Node;

pub(super) fn routes() -> Router<Arc<Node>> {
    Router::new().route(paths::HASH_KV, get(answer))
}

async fn answer(State(node): State<Arc<Node>>, WholeBody(body): WholeBody) -> Response {
    let Ok(question) = serde_json::from_slice::<Question>(&body) else {
        return (StatusCode::BAD_REQUEST, "error unmarshalling request\n").into_response();
    };
    match node.hash_kv(question.revision).await {
        Ok(found) => Json(Answer::new(node.header(found.current_revision), &found)).into_response(),
        Err(error) => {
            let text = match error {
                MvccError::Compacted => COMPACTED.to_owned(),
                MvccError::FutureRevision => FUTURE.to_owned(),
                error @ (MvccError::Backend(_) | MvccError::Interrupted) => error.to_string(),
            };
            (StatusCode::BAD_REQUEST, text + "\n").into_response()
        }
    }
}
