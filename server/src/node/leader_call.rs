//! Calls that only the leader can answer, from wherever they come in: here if this member leads, else over the peer port of
//! the one that does, whoever that is by the time it answers.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use keyport_api::error::{Error, promote_forwarding_failed};
use keyport_api::etcdserverpb::{
    LeaseKeepAliveRequest, LeaseKeepAliveResponse, LeaseTimeToLiveRequest, LeaseTimeToLiveResponse,
};
use keyport_api::leasepb::{LeaseInternalRequest, LeaseInternalResponse};
use prost::Message;
use tokio::time::{sleep, timeout};
use tonic::Status;

use super::Node;
use crate::asking::client::PeerResponse;
use crate::asking::paths;
use crate::gate::Pass;
use crate::membership::Member;

/// Before the next attempt, when a leader could not be reached or did not answer well.
const RETRY: Duration = Duration::from_millis(50);

/// What a leader is asked.
struct Question {
    path: String,
    content: (&'static str, Bytes),
}

impl Question {
    fn protobuf(path: &str, message: &impl Message) -> Question {
        Question { path: path.to_owned(), content: ("application/protobuf", message.encode_to_vec().into()) }
    }
}

impl Node {
    /// Renews a lease and returns its TTL; 0 when there is no such lease.
    ///
    /// # Errors
    /// `NoLeader` or `Timeout` after the request timeout; what [`Node::renew_as_leader`] says otherwise.
    pub(crate) async fn renew(&self, id: i64) -> Result<i64, Error> {
        let question = Question::protobuf(paths::RENEW_LEASE, &LeaseKeepAliveRequest { id });
        let renewed = self.by_the_leader(&question, lease_answer::<LeaseKeepAliveResponse>, move || async move {
            let outcome = self.renew_as_leader(id).await;
            self.unless_not_the_lessor(outcome.map(|ttl| LeaseKeepAliveResponse { header: None, id, ttl }))
        });
        match renewed.await? {
            Err(Error::LeaseNotFound) => Ok(0),
            outcome => outcome.map(|answer| answer.ttl),
        }
    }

    /// What the leader knows of a lease; without a header.
    ///
    /// # Errors
    /// `LeaseNotFound`; `NoLeader` or `Timeout` after the request timeout; what [`Node::time_to_live_as_leader`] says
    /// otherwise.
    pub(crate) async fn time_to_live(&self, request: LeaseTimeToLiveRequest) -> Result<LeaseTimeToLiveResponse, Error> {
        let message = LeaseInternalRequest { lease_time_to_live_request: Some(request) };
        let question = Question::protobuf(paths::LEASE_TIME_TO_LIVE, &message);
        let found = self.by_the_leader(&question, lease_answer::<LeaseInternalResponse>, move || async move {
            let outcome = self.time_to_live_as_leader(request).await;
            self.unless_not_the_lessor(
                outcome.map(|found| LeaseInternalResponse { lease_time_to_live_response: Some(found) }),
            )
        });
        found.await?.map(|answer| answer.lease_time_to_live_response.unwrap_or_default())
    }

    /// Makes a learner a voter, here or through the leader: only that one knows how far the learner has come.
    ///
    /// # Errors
    /// As [`Node::promote_here`]; `NoLeader`, `Timeout`.
    pub(crate) async fn promote_member(&self, pass: &Pass, id: u64) -> Result<Vec<Member>, Status> {
        let question =
            Question { path: format!("{}{id}", paths::PROMOTE), content: ("application/json", Bytes::new()) };
        let promoted = self.by_the_leader(&question, promotion_answer, move || async move {
            match self.promote_and_count(pass, id).await {
                Err(Error::NotLeader) => None,
                outcome => Some(outcome.map_err(Status::from)),
            }
        });
        // The leader may be another member, and then it is there that the change is proposed.
        if let Some(trail) = pass.caller().trail() {
            trail.change_begins();
        }
        let promoted = promoted.await.map_err(Status::from).flatten();
        if let Some(trail) = pass.caller().trail() {
            trail.change_ends(match &promoted {
                Ok(_) => Ok(None),
                Err(status) => Err(Error::from_status(status).unwrap_or(Error::Timeout)),
            });
        }
        promoted
    }

    /// None from a member that has ceased to lead meanwhile.
    fn unless_not_the_lessor<T>(&self, outcome: Result<T, Error>) -> Option<Result<T, Error>> {
        match outcome {
            Err(Error::NotPrimaryLessor) if !self.is_leader() => None,
            outcome => Some(outcome),
        }
    }

    /// Has the leader, and its successors, answer until one does. `here` is how this member answers if it leads, `read`
    /// understands an answer of another one; both say None when it is worth asking somebody else, or again.
    ///
    /// # Errors
    /// `NoLeader` or `Timeout` after the request timeout.
    async fn by_the_leader<T, F>(
        &self,
        question: &Question,
        read: impl Fn(&PeerResponse) -> Option<T>,
        here: impl Fn() -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Option<T>>,
    {
        let answered = async {
            loop {
                if self.is_leader()
                    && let Some(answer) = here().await
                {
                    break answer;
                }
                if let Some(answer) = self.ask_others(question, &read).await {
                    break answer;
                }
            }
        };
        match timeout(self.limits().request_timeout, answered).await {
            Ok(answer) => Ok(answer),
            Err(_) if self.raft().leader() == 0 => Err(Error::NoLeader),
            Err(_) => Err(Error::Timeout),
        }
    }

    /// None when this member has become the leader. The caller limits the time.
    async fn ask_others<T>(&self, question: &Question, read: impl Fn(&PeerResponse) -> Option<T>) -> Option<T> {
        let Question { path, content } = question;
        let mut changes = self.state().leadership.subscribe();
        loop {
            // It can only fail when the node is gone, and with it whoever asks.
            let leader = changes.wait_for(|leader| leader.id != 0).await.ok()?.id;
            if leader == self.identity().member_id {
                return None;
            }
            let urls = self.state().membership.get(leader).map(|member| member.peer_urls).unwrap_or_default();
            for url in urls {
                let call = async {
                    let _one_of_few = self.forwards().acquire().await;
                    let patience = self.limits().request_timeout;
                    self.peer_client().send(Method::POST, &url, path, content.clone(), patience).await
                };
                let answer = tokio::select! {
                    answer = call => answer,
                    // The old one may never answer.
                    _ = changes.wait_for(|now| now.id != leader) => break,
                };
                match answer {
                    Ok(answer) => match read(&answer) {
                        Some(answer) => return Some(answer),
                        None => tracing::debug!(
                            url,
                            path,
                            status = answer.status.as_u16(),
                            answer = %String::from_utf8_lossy(&answer.body),
                            "the leader refused a call, or its answer is not understood"
                        ),
                    },
                    Err(error) => tracing::debug!(url, path, %error, "the leader did not answer a call"),
                }
            }
            sleep(RETRY).await;
        }
    }
}

fn lease_answer<T: Message + Default>(answer: &PeerResponse) -> Option<Result<T, Error>> {
    match answer.status {
        StatusCode::OK => T::decode(answer.body.clone()).ok().map(Ok),
        StatusCode::NOT_FOUND => Some(Err(Error::LeaseNotFound)),
        _ => None,
    }
}

fn promotion_answer(answer: &PeerResponse) -> Option<Result<Vec<Member>, Status>> {
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

    fn answer(status: u16, body: &'static str) -> PeerResponse {
        let status = StatusCode::from_u16(status).unwrap();
        PeerResponse { status, headers: HeaderMap::new(), body: Bytes::from_static(body.as_bytes()) }
    }

    #[test]
    fn answers_to_a_promotion() {
        let read = |status, body| promotion_answer(&answer(status, body));
        let members = read(200, r#"[{"id":5,"peerURLs":["http://a:1"]}]"#).unwrap().unwrap();
        assert_eq!((members.len(), members[0].id), (1, 5));
        assert_eq!(read(200, "nonsense").unwrap().unwrap_err().code(), Code::Unknown);
        let refused = read(412, "etcdserver: can only promote a learner member which is in sync with leader\n");
        assert_eq!(refused.unwrap().unwrap_err().code(), Code::FailedPrecondition);
        assert!(read(503, "etcdserver: not leader\n").is_none());
        let unknown = read(500, "what\n").unwrap().unwrap_err();
        assert_eq!(unknown.message(), "member promote: unknown error(what)");
    }

    #[test]
    fn answers_to_a_renewal() {
        let read = |status, body| lease_answer::<LeaseKeepAliveResponse>(&answer(status, body));
        assert_eq!(read(200, "\x18\x05").unwrap().unwrap().ttl, 5);
        assert_eq!(read(404, "").unwrap().unwrap_err(), Error::LeaseNotFound);
        assert!(read(200, "\u{1}").is_none() && read(408, "").is_none());
    }
}
