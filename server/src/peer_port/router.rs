//! What is served on the peer port.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use http::{HeaderValue, StatusCode};

use super::places::{Place, Standing};
use super::{defragment, hashkv, leases, pages, probing, reconfigure, standing};
use crate::asking::paths::CLUSTER_ID_HEADER;
use crate::http::layers::{CheckLayer, Hosts, WellFormed};
use crate::http::plain::not_found;
use crate::node::Node;
use crate::version::Versions;

/// Everything for the peer listeners, which answer to the names in `hosts` and in the members' URLs.
pub(crate) fn router(node: Node, hosts: Hosts) -> Router {
    Router::new()
        .route("/raft/probing", any(probing::answer))
        .route("/version", get(version))
        .route("/members", get(members))
        .merge(leases::routes())
        .merge(hashkv::routes())
        .merge(defragment::routes())
        .merge(reconfigure::routes())
        .merge(standing::routes())
        // Raft reads theirs, as they come.
        .route("/raft/stream", get(stream))
        .route("/raft/snapshot", post(snapshot))
        .fallback(not_found)
        .layer(middleware::from_fn_with_state(node.clone(), same_cluster))
        // Before anything is said of this cluster.
        .layer(middleware::from_fn_with_state((node.clone(), hosts), pages::turn_away))
        .layer(CheckLayer(WellFormed))
        .with_state(Arc::new(node))
}

/// Refuses members of other clusters, and says in every answer which cluster this is.
async fn same_cluster(State(node): State<Node>, request: Request, next: Next) -> Response {
    let own = format!("{:x}", node.identity().cluster_id);
    let claimed = request.headers().get(CLUSTER_ID_HEADER).map(HeaderValue::as_bytes);
    let mut response = match claimed {
        Some(claimed) if claimed != own.as_bytes() => {
            tracing::warn!(
                local_cluster_id = own,
                remote_cluster_id = %String::from_utf8_lossy(claimed),
                path = request.uri().path(),
                "refused a peer of another cluster"
            );
            (StatusCode::PRECONDITION_FAILED, "cluster ID mismatch\n").into_response()
        }
        claimed => {
            if claimed.is_some() {
                rise(&request, Standing::Named);
            }
            next.run(request).await
        }
    };
    if let Ok(own) = HeaderValue::from_str(&own) {
        response.headers_mut().insert(CLUSTER_ID_HEADER, own);
    }
    response
}

/// The connection of this request has shown so much.
fn rise(request: &Request, standing: Standing) {
    if let Some(place) = request.extensions().get::<Place>() {
        place.rise(standing);
    }
}

/// A peer's messages of Raft, for as long as the connection lasts.
async fn stream(State(node): State<Arc<Node>>, request: Request) -> Response {
    node.peers().accept_stream(request).into_response()
}

/// The state of a member that this one is too far behind to follow by log.
async fn snapshot(State(node): State<Arc<Node>>, request: Request) -> Response {
    if node.peers().is_member(request.headers()) {
        rise(&request, Standing::Member);
    }
    node.peers().accept_snapshot(request).await.into_response()
}

async fn version(State(node): State<Arc<Node>>) -> Response {
    Json(Versions::in_cluster(node.state().membership.version())).into_response()
}

/// The members as this one knows them: what a joining member starts from.
async fn members(State(node): State<Arc<Node>>) -> Response {
    Json(node.state().membership.list()).into_response()
}
