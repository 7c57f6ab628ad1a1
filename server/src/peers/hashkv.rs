//! `GET /members/hashkv`: the hash of a member's keys at a revision, for others to compare with theirs. The question is a
//! JSON body, as etcd has it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use bytes::Bytes;
use http::{Method, StatusCode};
use keyport_api::etcdserverpb::ResponseHeader;
use keyport_storage::mvcc::{HashKv, MvccError, Store};
use serde::{Deserialize, Serialize};

use super::client::{PeerCallError, PeerClient};
use crate::metrics::Metrics;
use crate::node::Node;

const PATH: &str = "/members/hashkv";
const COMPACTED: &str = "mvcc: required revision has been compacted";
const FUTURE: &str = "mvcc: required revision is a future revision";

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Question {
    revision: i64,
}

/// A `HashKVResponse`, in the JSON of etcd's peers: their field names, numbers as numbers.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Answer {
    header: Header,
    hash: u32,
    compact_revision: i64,
    hash_revision: i64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Header {
    cluster_id: u64,
    member_id: u64,
    revision: i64,
    raft_term: u64,
}

impl From<ResponseHeader> for Header {
    fn from(header: ResponseHeader) -> Header {
        let ResponseHeader { cluster_id, member_id, revision, raft_term } = header;
        Header { cluster_id, member_id, revision, raft_term }
    }
}

/// Why a peer has no hash to compare.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HashError {
    #[error("{FUTURE}")]
    Future,
    #[error("{COMPACTED}")]
    Compacted,
    #[error("cluster ID mismatch")]
    OtherCluster,
    #[error(transparent)]
    Call(#[from] PeerCallError),
    #[error("unknown error: {0}")]
    Unknown(String),
}

pub(super) fn routes() -> Router<Arc<Node>> {
    Router::new().route(PATH, get(answer))
}

async fn answer(State(node): State<Arc<Node>>, body: Bytes) -> Response {
    let Ok(question) = serde_json::from_slice::<Question>(&body) else {
        return (StatusCode::BAD_REQUEST, "error unmarshalling request\n").into_response();
    };
    match hash(Arc::clone(&node.state().store), node.metrics(), question.revision).await {
        Ok(found) => Json(Answer {
            header: node.header(found.current_revision).into(),
            hash: found.hash,
            compact_revision: found.compact_revision,
            hash_revision: found.hash_revision,
        })
        .into_response(),
        Err(error) => {
            let text = match error {
                MvccError::Compacted => COMPACTED.to_owned(),
                MvccError::FutureRevision => FUTURE.to_owned(),
                MvccError::Backend(error) => error.to_string(),
            };
            (StatusCode::BAD_REQUEST, text + "\n").into_response()
        }
    }
}

/// The hash of this member's own keys, computed where blocking is allowed; 0 stands for the current revision.
///
/// # Errors
/// The store's.
pub(crate) async fn hash(store: Arc<Store>, metrics: &Metrics, revision: i64) -> Result<HashKv, MvccError> {
    let timed = metrics.hash_rev_duration.start_timer();
    let found = tokio::task::spawn_blocking(move || store.hash_kv(revision)).await;
    timed.observe_duration();
    found.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))
}

/// Asks a peer, at the first of its URLs that answers.
///
/// # Errors
/// Why the last one did not.
pub(crate) async fn ask(
    client: &PeerClient,
    urls: &[String],
    revision: i64,
    timeout: Duration,
) -> Result<HashKv, HashError> {
    let mut outcome = Err(HashError::Unknown("the peer has no URL".to_owned()));
    for url in urls {
        outcome = ask_at(client, url, revision, timeout).await;
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

async fn ask_at(client: &PeerClient, url: &str, revision: i64, timeout: Duration) -> Result<HashKv, HashError> {
    let unknown = |error: serde_json::Error| HashError::Unknown(error.to_string());
    let question = serde_json::to_vec(&Question { revision }).map_err(unknown)?;
    let answer = client.send(Method::GET, url, PATH, ("application/json", question.into()), timeout).await?;
    let text = || String::from_utf8_lossy(&answer.body).trim_end().to_owned();
    match answer.status {
        StatusCode::OK => {
            let Answer { header, hash, compact_revision, hash_revision } =
                serde_json::from_slice(&answer.body).map_err(unknown)?;
            Ok(HashKv { hash, compact_revision, hash_revision, current_revision: header.revision })
        }
        StatusCode::BAD_REQUEST if text().contains(COMPACTED) => Err(HashError::Compacted),
        StatusCode::BAD_REQUEST if text().contains(FUTURE) => Err(HashError::Future),
        StatusCode::PRECONDITION_FAILED => Err(HashError::OtherCluster),
        _ => Err(HashError::Unknown(text())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::MethodRouter;

    /// A peer that answers every question alike; where it listens.
    async fn peer(answer: MethodRouter) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, Router::new().route(PATH, answer)).await });
        format!("http://{address}")
    }

    async fn ask(url: String) -> Result<HashKv, HashError> {
        super::ask(&PeerClient::new(), &[url], 5, Duration::from_secs(60)).await
    }

    #[tokio::test]
    async fn an_answer_of_etcd_is_understood() {
        let url = peer(get(|body: Bytes| async move {
            assert_eq!(&body[..], br#"{"revision":5}"#);
            r#"{"header":{"cluster_id":1,"member_id":2,"revision":9,"raft_term":3},"hash":4000000000,"hash_revision":5}"#
        }));
        let expected = HashKv { hash: 4_000_000_000, compact_revision: 0, hash_revision: 5, current_revision: 9 };
        assert_eq!(ask(url.await).await.unwrap(), expected);
    }

    #[tokio::test]
    async fn refusals_are_told_apart() {
        let refuse = |status: StatusCode, text: &'static str| peer(get(move || async move { (status, text) }));
        let bad = StatusCode::BAD_REQUEST;
        let future = "mvcc: required revision is a future revision\n";
        let compacted = "mvcc: required revision has been compacted\n";
        assert!(matches!(ask(refuse(bad, future).await).await, Err(HashError::Future)));
        assert!(matches!(ask(refuse(bad, compacted).await).await, Err(HashError::Compacted)));
        let mismatch = refuse(StatusCode::PRECONDITION_FAILED, "cluster ID mismatch\n");
        assert!(matches!(ask(mismatch.await).await, Err(HashError::OtherCluster)));
        assert!(matches!(ask(refuse(bad, "bad path").await).await, Err(HashError::Unknown(_))));
        assert!(matches!(ask(refuse(StatusCode::OK, "[").await).await, Err(HashError::Unknown(_))));
        assert!(matches!(ask("http://127.0.0.1:1".to_owned()).await, Err(HashError::Call(_))));
    }
}
