//! Lease calls that only the leader can answer, from wherever they come in: here if this member leads, else over the
//! peer port of the one that does, whoever that is by the time it answers.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use keyport_api::error::Error;
use keyport_api::etcdserverpb::{
    LeaseKeepAliveRequest, LeaseKeepAliveResponse, LeaseTimeToLiveRequest, LeaseTimeToLiveResponse,
};
use keyport_api::leasepb::{LeaseInternalRequest, LeaseInternalResponse};
use prost::Message;
use tokio::time::{sleep, timeout};

use crate::node::Node;
use crate::peers::leases;

/// Before the next attempt, when a leader could not be reached or did not answer well.
const RETRY: Duration = Duration::from_millis(50);

/// Renews a lease and returns its TTL; 0 when there is no such lease.
///
/// # Errors
/// `NoLeader` or `Timeout` after the request timeout; what [`Node::renew_as_leader`] says otherwise.
pub(super) async fn renew(node: &Node, id: i64) -> Result<i64, Error> {
    let request = LeaseKeepAliveRequest { id };
    let answered = in_time(node, async {
        loop {
            if node.is_leader() {
                match node.renew_as_leader(id).await {
                    Err(Error::NotPrimaryLessor) if !node.is_leader() => {}
                    outcome => break outcome,
                }
            }
            let asked = ask::<LeaseKeepAliveResponse>(node, leases::RENEW_PATH, request.encode_to_vec().into()).await;
            if let Some(answer) = asked {
                break answer.map(|answer| answer.ttl);
            }
        }
    });
    match answered.await {
        Err(Error::LeaseNotFound) => Ok(0),
        outcome => outcome,
    }
}

/// # Errors
/// `LeaseNotFound`; `NoLeader` or `Timeout` after the request timeout; what [`Node::time_to_live_as_leader`] says
/// otherwise.
pub(super) async fn time_to_live(
    node: &Node,
    request: LeaseTimeToLiveRequest,
) -> Result<LeaseTimeToLiveResponse, Error> {
    let message = LeaseInternalRequest { lease_time_to_live_request: Some(request) };
    in_time(node, async {
        loop {
            if node.is_leader() {
                match node.time_to_live_as_leader(request.id, request.keys).await {
                    Err(Error::NotPrimaryLessor) if !node.is_leader() => {}
                    outcome => break outcome.map(|found| leases::describe(request.id, found)),
                }
            }
            let asked = ask::<LeaseInternalResponse>(node, leases::INTERNAL_PATH, message.encode_to_vec().into()).await;
            if let Some(answer) = asked {
                break answer.map(|answer| answer.lease_time_to_live_response.unwrap_or_default());
            }
        }
    })
    .await
}

async fn in_time<T>(node: &Node, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match timeout(node.limits().request_timeout, call).await {
        Ok(outcome) => outcome,
        Err(_) if node.raft().leader() == 0 => Err(Error::NoLeader),
        Err(_) => Err(Error::Timeout),
    }
}

/// Asks the leader, and its successors, until one answers. None when this member has become leader. The caller limits
/// the time.
async fn ask<T: Message + Default>(node: &Node, path: &'static str, body: Bytes) -> Option<Result<T, Error>> {
    let mut changes = node.state().leadership.subscribe();
    loop {
        // It can only fail when the node is gone, and with it whoever asks.
        let leader = changes.wait_for(|leader| leader.id != 0).await.ok()?.id;
        if leader == node.identity().member_id {
            return None;
        }
        let urls = node.state().membership.get(leader).map(|member| member.peer_urls).unwrap_or_default();
        for url in urls {
            let content = ("application/protobuf", body.clone());
            let call = async {
                let _one_of_few = node.forwards().acquire().await;
                node.peer_client().send(Method::POST, &url, path, content, node.limits().request_timeout).await
            };
            let answer = tokio::select! {
                answer = call => answer,
                // The old one may never answer.
                _ = changes.wait_for(|now| now.id != leader) => break,
            };
            match answer {
                Ok(answer) if answer.status == StatusCode::OK => match T::decode(answer.body) {
                    Ok(answer) => return Some(Ok(answer)),
                    Err(error) => tracing::warn!(url, path, %error, "the leader's answer is not understood"),
                },
                Ok(answer) if answer.status == StatusCode::NOT_FOUND => return Some(Err(Error::LeaseNotFound)),
                Ok(answer) => tracing::debug!(
                    url,
                    path,
                    status = answer.status.as_u16(),
                    answer = %String::from_utf8_lossy(&answer.body),
                    "the leader refused a lease call"
                ),
                Err(error) => tracing::debug!(url, path, %error, "the leader did not answer a lease call"),
            }
        }
        sleep(RETRY).await;
    }
}
