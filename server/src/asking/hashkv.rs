//! The hash of another member's keys at a revision, to be compared with this one's. The question is a JSON body of a GET, as
//! etcd has it.

use std::time::Duration;

use http::{Method, StatusCode};
use keyport_api::etcdserverpb::ResponseHeader;
use keyport_storage::mvcc::HashKv;
use serde::{Deserialize, Serialize};

use super::client::{PeerCallError, PeerClient};
use super::paths::HASH_KV;

/// Refusals, in the words by which members tell them apart.
pub(crate) const COMPACTED: &str = "mvcc: required revision has been compacted";
pub(crate) const FUTURE: &str = "mvcc: required revision is a future revision";

/// At which revision.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Question {
    pub(crate) revision: i64,
}

/// A `HashKVResponse`, in the JSON of etcd's peers: their field names, numbers as numbers.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Answer {
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

impl Answer {
    /// What was found, under the header of who answers.
    pub(crate) fn new(header: ResponseHeader, found: &HashKv) -> Answer {
        let HashKv { hash, compact_revision, hash_revision, .. } = *found;
        Answer { header: header.into(), hash, compact_revision, hash_revision }
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
    let answer = client.send(Method::GET, url, HASH_KV, ("application/json", question.into()), timeout).await?;
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
    use axum::Router;
    use axum::routing::{MethodRouter, get};
    use bytes::Bytes;

    /// A peer that answers every question alike; where it listens.
    async fn peer(answer: MethodRouter) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, Router::new().route(HASH_KV, answer)).await });
        format!("http://{address}")
    }

    async fn ask(url: String) -> Result<HashKv, HashError> {
        super::ask(&PeerClient::without_files(), &[url], 5, Duration::from_secs(60)).await
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
