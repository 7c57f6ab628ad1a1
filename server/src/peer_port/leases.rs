//! Lease calls that other members hand on to the leader, under etcd's paths.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::{StatusCode, header};
use keyport_api::error::Error;
use keyport_api::etcdserverpb::{LeaseKeepAliveRequest, LeaseKeepAliveResponse};
use keyport_api::leasepb::{LeaseInternalRequest, LeaseInternalResponse};
use prost::Message;
use tokio::time::timeout;

use super::whole_body::WholeBody;
use crate::asking::paths;
use crate::node::Node;

pub(super) fn routes() -> Router<Arc<Node>> {
    Router::new().route(paths::RENEW_LEASE, post(renew)).route(paths::LEASE_TIME_TO_LIVE, post(time_to_live))
}

async fn renew(State(node): State<Arc<Node>>, WholeBody(body): WholeBody) -> Response {
    let Ok(LeaseKeepAliveRequest { id }) = Message::decode(body) else { return not_understood() };
    match in_time(&node, node.renew_as_leader(id)).await {
        // The member that was asked has a header of its own.
        Ok(ttl) => protobuf(&LeaseKeepAliveResponse { header: None, id, ttl }),
        Err(error) => refused(error),
    }
}

async fn time_to_live(State(node): State<Arc<Node>>, WholeBody(body): WholeBody) -> Response {
    let Ok(LeaseInternalRequest { lease_time_to_live_request: Some(request) }) = Message::decode(body) else {
        return not_understood();
    };
    match in_time(&node, node.time_to_live_as_leader(request)).await {
        Ok(found) => protobuf(&LeaseInternalResponse { lease_time_to_live_response: Some(found) }),
        Err(error) => refused(error),
    }
}

/// Whoever asked has given up by then.
async fn in_time<T>(node: &Node, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(node.limits().request_timeout, call).await.unwrap_or(Err(Error::Timeout))
}

fn protobuf(message: &impl Message) -> Response {
    ([(header::CONTENT_TYPE, "application/protobuf")], message.encode_to_vec()).into_response()
}

fn not_understood() -> Response {
    (StatusCode::BAD_REQUEST, "error unmarshalling request\n").into_response()
}

fn refused(error: Error) -> Response {
    let status = match error {
        Error::LeaseNotFound => StatusCode::NOT_FOUND,
        Error::TimeoutWaitAppliedIndex | Error::Timeout => StatusCode::REQUEST_TIMEOUT,
        _ => StatusCode::BAD_REQUEST,
    };
    (status, format!("{error}\n")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart_by_their_status() {
        for (error, status) in
            [(Error::LeaseNotFound, 404), (Error::TimeoutWaitAppliedIndex, 408), (Error::Stopped, 400)]
        {
            assert_eq!(refused(error).status().as_u16(), status, "{error}");
        }
    }
}
