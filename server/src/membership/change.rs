//! One change of the membership: what a conf change says, and how a conf change is made that says it.

use keyport_api::raftpb::{ConfChange, ConfChangeType};
use serde::{Deserialize, Serialize};

use super::Member;

/// What etcd allows by default; also what a change counts with that does not say.
const DEFAULT_MAX_LEARNERS: usize = 1;

/// A change of the membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A new member, voter or learner. The limit travels with the change, so that every member judges by the same
    /// one, whatever its own setting is.
    Add {
        member: Member,
        max_learners: usize,
    },
    /// A learner becomes a voter.
    Promote(u64),
    Update {
        id: u64,
        peer_urls: Vec<String>,
    },
    Remove(u64),
}

/// The JSON in the context of a conf change: etcd's, and the limit.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Context {
    #[serde(flatten)]
    member: Member,
    #[serde(rename = "isPromote", skip_serializing_if = "std::ops::Not::not")]
    is_promote: bool,
    #[serde(rename = "maxLearners", skip_serializing_if = "Option::is_none")]
    max_learners: Option<usize>,
}

impl Change {
    /// What a committed conf change asks for.
    ///
    /// # Errors
    /// When its context is not the JSON of a member.
    pub(crate) fn read(change: &ConfChange) -> Result<Change, serde_json::Error> {
        let id = change.node_id();
        if change.r#type() == ConfChangeType::ConfChangeRemoveNode {
            return Ok(Change::Remove(id));
        }
        let Context { member, is_promote, max_learners } = serde_json::from_slice(change.context())?;
        if change.r#type() == ConfChangeType::ConfChangeUpdateNode {
            return Ok(Change::Update { id, peer_urls: member.peer_urls });
        }
        if is_promote {
            return Ok(Change::Promote(id));
        }
        // What Raft counts is the type, so that decides.
        let is_learner = change.r#type() == ConfChangeType::ConfChangeAddLearnerNode;
        let max_learners = max_learners.unwrap_or(DEFAULT_MAX_LEARNERS);
        Ok(Change::Add { member: Member { id, is_learner, ..member }, max_learners })
    }

    /// The conf change that says it; `request_id` tells its proposer when it comes back.
    pub(crate) fn into_conf_change(self, request_id: u64) -> ConfChange {
        let id = self.id();
        let (kind, context) = match self {
            Change::Add { member, max_learners } => {
                let kind = match member.is_learner {
                    true => ConfChangeType::ConfChangeAddLearnerNode,
                    false => ConfChangeType::ConfChangeAddNode,
                };
                let max_learners = member.is_learner.then_some(max_learners);
                (kind, Some(Context { member, max_learners, ..Context::default() }))
            }
            Change::Promote(id) => {
                let member = Member { id, ..Member::default() };
                (ConfChangeType::ConfChangeAddNode, Some(Context { member, is_promote: true, ..Context::default() }))
            }
            Change::Update { id, peer_urls } => {
                let member = Member { id, peer_urls, ..Member::default() };
                (ConfChangeType::ConfChangeUpdateNode, Some(Context { member, ..Context::default() }))
            }
            Change::Remove(_) => (ConfChangeType::ConfChangeRemoveNode, None),
        };
        ConfChange {
            id: Some(request_id),
            r#type: Some(kind.into()),
            node_id: Some(id),
            // A struct of strings and numbers always has a JSON form.
            context: context.map(|context| serde_json::to_vec(&context).unwrap_or_default().into()),
        }
    }

    /// The member that it is about.
    pub(crate) fn id(&self) -> u64 {
        match self {
            Change::Add { member, .. } => member.id,
            Change::Promote(id) | Change::Update { id, .. } | Change::Remove(id) => *id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: u64, url: &str) -> Member {
        Member { id, peer_urls: vec![url.to_owned()], ..Member::default() }
    }

    #[test]
    fn changes_survive_the_log() {
        let changes = [
            Change::Add { member: member(1, "http://a:1"), max_learners: 1 },
            Change::Add { member: Member { is_learner: true, ..member(2, "http://b:1") }, max_learners: 3 },
            Change::Promote(2),
            Change::Update { id: 1, peer_urls: vec!["http://c:1".to_owned()] },
            Change::Remove(1),
        ];
        for change in changes {
            assert_eq!(Change::read(&change.clone().into_conf_change(7)).unwrap(), change);
        }
    }

    /// As etcd writes it.
    #[test]
    fn contexts_of_etcd() {
        let read = |kind: ConfChangeType, context: &'static str| {
            let context = (!context.is_empty()).then(|| context.into());
            Change::read(&ConfChange { id: Some(1), r#type: Some(kind.into()), node_id: Some(5), context }).unwrap()
        };
        let promote = r#"{"id":5,"peerURLs":null,"isPromote":true}"#;
        assert_eq!(read(ConfChangeType::ConfChangeAddNode, promote), Change::Promote(5));
        let add = r#"{"id":5,"peerURLs":["http://a:1"],"isLearner":true}"#;
        let member = Member { is_learner: true, ..member(5, "http://a:1") };
        let kind = ConfChangeType::ConfChangeAddLearnerNode;
        assert_eq!(read(kind, add), Change::Add { member, max_learners: 1 });
        assert_eq!(read(ConfChangeType::ConfChangeRemoveNode, ""), Change::Remove(5));
    }

    #[test]
    fn what_is_no_member_is_refused() {
        let kind = Some(ConfChangeType::ConfChangeAddNode.into());
        for context in [None, Some("[]".into()), Some("{\"id\":".into())] {
            assert!(Change::read(&ConfChange { id: None, r#type: kind, node_id: Some(5), context }).is_err());
        }
    }
}
