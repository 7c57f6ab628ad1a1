//! Conf changes: what a committed change of the membership does to the member rows.

use keyport_api::raftpb::{ConfChange, ConfChangeType};
use keyport_storage::backend::Batch;
use serde::Deserialize;

use crate::membership::{Member, Membership};

/// The JSON in the context of a conf change.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Context {
    #[serde(flatten)]
    member: Member,
    #[serde(rename = "isPromote")]
    is_promote: bool,
}

/// Brings the member rows up to date with a change that the log has decided.
pub(crate) fn apply(membership: &Membership, change: &ConfChange, batch: &mut Batch) {
    let id = change.node_id();
    // Node id 0 stands for a change that was refused at apply time.
    if id == 0 {
        return;
    }
    match change.r#type() {
        ConfChangeType::ConfChangeRemoveNode => membership.remove(id, batch),
        ConfChangeType::ConfChangeAddNode
        | ConfChangeType::ConfChangeAddLearnerNode
        | ConfChangeType::ConfChangeUpdateNode => {
            let context = match serde_json::from_slice::<Context>(change.context()) {
                Ok(context) => context,
                Err(error) => {
                    tracing::error!(%error, member_id = format!("{id:x}"), "conf change without a readable member");
                    return;
                }
            };
            let known = membership.get(id);
            let member = match known {
                Some(known) if context.is_promote => Member { is_learner: false, ..known },
                Some(known) if change.r#type() == ConfChangeType::ConfChangeUpdateNode => {
                    Member { peer_urls: context.member.peer_urls, ..known }
                }
                _ => Member { id, ..context.member },
            };
            membership.insert(member, batch);
        }
    }
}
