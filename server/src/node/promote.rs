//! Promoting a learner through any member: only the leader knows how far the learner has come, so the others ask it.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use keyport_api::error::{Error, promote_forwarding_failed};
use tokio::time::{Instant, timeout_at};
use tonic::Status;

use super::Node;
use crate::membership::Member;
use crate::peers::client::PeerResponse;

/// The leader's path for it, the id in decimal behind.
pub(crate) const PROMOTE_PATH: &str = "/members/promote/";
/// Before a leader that could not be reached, or is not one any more, is asked again.
const RETRY: Duration = Duration::from_millis(100);

impl Node {
    /// Makes a learner a voter, here or through the leader.
    ///
    /// # Errors
    /// As [`Node::promote_here`]; `NoLeader`, `Timeout`.
    pub(crate) async fn promote_member(&self, id: u64) -> Result<Vec<Member>, Status> {
        let deadline = Instant::now() + self.limits().request_timeout;
        let mut leaders = self.state().leadership.subscribe();
        while Instant::now() < deadline {
            match self.promote_and_count(id).await {
                Err(Error::NotLeader) => {}
                outcome => return outcome.map_err(Status::from),
            }
            match timeout_at(deadline, leaders.wait_for(|leader| leader.id != 0)).await {
                Ok(Ok(_)) => {}
                Ok(Err(_)) => return Err(Error::Stopped.into()),
                Err(_) => return Err(Error::NoLeader.into()),
            }
            for url in self.leader_urls().unwrap_or_default() {
                if let Some(outcome) = self.ask_leader(&url, id, deadline).await {
                    return outcome;
                }
            }
            tokio::time::sleep(RETRY).await;
        }
        Err(Error::Timeout.into())
    }

    /// As [`Node::promote_here`], with the metrics that only a leader moves.
    ///
    /// # Errors
    /// The same.
    pub(crate) async fn promote_and_count(&self, id: u64) -> Result<Vec<Member>, Error> {
        let outcome = self.promote_here(id).await;
        match &outcome {
            Ok(_) => self.metrics().learner_promote_successes.inc(),
            Err(Error::NotLeader) => {}
            Err(error) => self.metrics().learner_promote_failures.with_label_values(&[&reason(*error)]).inc(),
        }
        outcome
    }

    /// None when it is worth asking somebody else, or again.
    async fn ask_leader(&self, url: &str, id: u64, deadline: Instant) -> Option<Result<Vec<Member>, Status>> {
        let path = format!("{PROMOTE_PATH}{id}");
        let left = deadline.saturating_duration_since(Instant::now());
        let content = ("application/json", Bytes::new());
        match self.peer_client().send(Method::POST, url, &path, content, left).await {
            Ok(answer) => read_answer(&answer),
            Err(error) => {
                tracing::warn!(%error, "cannot ask the leader to promote a member");
                None
            }
        }
    }
}

/// The label that etcd gives a refusal: the text before it is put into an API's words.
fn reason(error: Error) -> String {
    match error {
        Error::MemberNotFound => "membership: ID not found".to_owned(),
        Error::MemberNotLearner => "membership: can only promote a learner member".to_owned(),
        error => error.to_string(),
    }
}

fn read_answer(answer: &PeerResponse) -> Option<Result<Vec<Member>, Status>> {
    if answer.status == StatusCode::OK {
        let members = serde_json::from_slice(&answer.body);
        return Some(members.map_err(promote_forwarding_failed));
    }
    let text = String::from_utf8_lossy(&answer.body);
    let text = text.trim();
    match Error::from_message(text) {
        Some(Error::NotLeader) => None,
        Some(error) => Some(Err(error.into())),
        None => Some(Err(promote_forwarding_failed(text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;
    use tonic::Code;

    fn read(status: u16, body: &'static str) -> Option<Result<Vec<Member>, Status>> {
        let status = StatusCode::from_u16(status).unwrap();
        read_answer(&PeerResponse { status, headers: HeaderMap::new(), body: Bytes::from_static(body.as_bytes()) })
    }

    #[test]
    fn answers_of_a_leader() {
        let members = read(200, r#"[{"id":5,"peerURLs":["http://a:1"]}]"#).unwrap().unwrap();
        assert_eq!((members.len(), members[0].id), (1, 5));
        assert_eq!(read(200, "nonsense").unwrap().unwrap_err().code(), Code::Unknown);
        let refused = read(412, "etcdserver: can only promote a learner member which is in sync with leader\n");
        assert_eq!(refused.unwrap().unwrap_err().code(), Code::FailedPrecondition);
        assert!(read(503, "etcdserver: not leader\n").is_none());
        let unknown = read(500, "what\n").unwrap().unwrap_err();
        assert_eq!(unknown.message(), "member promote: unknown error(what)");
    }
}
