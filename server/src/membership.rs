//! Who is in the cluster: members, their attributes, the cluster version and a downgrade under way; replicated, and
//! kept in the backend under etcd's own rows.
//!
//! [`Roster`] is the data and its rules, [`Membership`] what the node looks at: a roster as of the applied index, its
//! rows, and a notice to whoever waits for a change. The Raft thread keeps a roster of its own that is ahead of it.

mod change;
mod ids;
mod load;
pub(crate) mod peer_urls;
mod quorum;
mod release;
mod roster;

use keyport_api::error::Error;
use keyport_api::raftpb::ConfChange;
use keyport_storage::backend::schema::STORAGE_VERSION_KEY;
use keyport_storage::backend::{Backend, BackendError, Batch, Bucket, Changes};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::version;
pub(crate) use change::Change;
pub(crate) use ids::{added_member_id, bootstrap_member_id, cluster_id};
pub(crate) use quorum::quorum;
pub(crate) use release::{Release, decide, is_downgraded};
pub(crate) use roster::{Effect, Roster};

/// The row's key in bucket `cluster`.
pub(crate) const CLUSTER_VERSION: &[u8] = b"clusterVersion";
const DOWNGRADE: &[u8] = b"downgrade";

/// One member, in the JSON shape that etcd keeps in its `members` rows and in the context of a conf change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Member {
    pub(crate) id: u64,
    #[serde(rename = "peerURLs", deserialize_with = "null_as_empty")]
    pub(crate) peer_urls: Vec<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_learner: bool,
    /// Empty until the member has started and published itself.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) name: String,
    #[serde(rename = "clientURLs", skip_serializing_if = "Vec::is_empty", deserialize_with = "null_as_empty")]
    pub(crate) client_urls: Vec<String>,
}

fn null_as_empty<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Member {
    fn row_key(id: u64) -> String {
        format!("{id:x}")
    }

    /// What a conf change that adds this member carries.
    pub(crate) fn context(&self) -> bytes::Bytes {
        // What cannot be is refused as a change without a member.
        self.row().unwrap_or_default().into()
    }

    /// # Errors
    /// When it has no JSON form, which a struct of strings and numbers always has.
    fn row(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }
}

/// Leaves out what a cluster has agreed on, and another one may not.
pub(crate) fn without_versions(changes: Changes) -> Changes {
    changes.remove(Bucket::Cluster, CLUSTER_VERSION).remove(Bucket::Cluster, DOWNGRADE)
}

/// For a copy of the database that another cluster may start from: it decides on its version anew. This is that of the storage.
pub(crate) fn of_version(changes: Changes, storage: &'static str) -> Changes {
    without_versions(changes).put(Bucket::Meta, STORAGE_VERSION_KEY, storage)
}

/// Leaves out who is in a cluster, and what it has agreed on.
pub(crate) fn without_members(changes: Changes) -> Changes {
    without_versions(changes).empty(Bucket::Members).empty(Bucket::MembersRemoved)
}

/// A downgrade that operators have asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct Downgrade {
    /// `X.Y.0`; empty when none is under way.
    pub(crate) target_version: String,
    pub(crate) enabled: bool,
}

/// Why the membership rows could not be read, or are not acceptable.
#[derive(Debug, thiserror::Error)]
pub enum MembershipError {
    #[error(transparent)]
    Backend(#[from] BackendError),
    #[error("{bucket} row {key:?} is not readable: {source}")]
    Row { bucket: &'static str, key: String, source: serde_json::Error },
    #[error("membership: too many learner members in cluster ({count}, --max-learners is {max_learners})")]
    TooManyLearners { count: usize, max_learners: usize },
}

/// Why a change that was accepted could not be carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChangeError {
    #[error("the members disagree with the configuration about it: {0}")]
    Refused(#[from] Error),
    #[error("a member has no JSON form: {0}")]
    Row(#[from] serde_json::Error),
}

/// The membership as of the applied index.
#[derive(Debug)]
pub(crate) struct Membership {
    inner: RwLock<Inner>,
    /// Counts the changes of members.
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Inner {
    roster: Roster,
    /// `X.Y.Z`; none before a leader has decided.
    version: Option<String>,
    downgrade: Downgrade,
}

impl Membership {
    /// # Errors
    /// When rows cannot be read.
    pub(crate) fn load(backend: &Backend) -> Result<Membership, MembershipError> {
        Ok(Membership { inner: RwLock::new(Inner::load(backend)?), changed: watch::Sender::new(0) })
    }

    /// Takes everything from the backend again, which now holds another state.
    ///
    /// # Errors
    /// When rows cannot be read; nothing has changed then.
    pub(crate) fn reload(&self, backend: &Backend) -> Result<(), MembershipError> {
        *self.inner.write() = Inner::load(backend)?;
        self.tell();
        Ok(())
    }

    /// The members as plain data.
    pub(crate) fn roster(&self) -> Roster {
        self.inner.read().roster.clone()
    }

    /// Looks at the members without a copy.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Roster) -> T) -> T {
        look(&self.inner.read().roster)
    }

    /// Sorted by id.
    pub(crate) fn list(&self) -> Vec<Member> {
        self.look(|roster| roster.members().cloned().collect())
    }

    pub(crate) fn get(&self, id: u64) -> Option<Member> {
        self.look(|roster| roster.get(id).cloned())
    }

    /// Whether a member can never return.
    pub(crate) fn is_removed(&self, id: u64) -> bool {
        self.look(|roster| roster.is_removed(id))
    }

    /// Whether a member is one that does not vote.
    pub(crate) fn is_learner(&self, id: u64) -> bool {
        self.look(|roster| roster.get(id).is_some_and(|member| member.is_learner))
    }

    /// Ids that can never return.
    pub(crate) fn removed_ids(&self) -> Vec<u64> {
        self.look(|roster| roster.removed().collect())
    }

    pub(crate) fn voters(&self) -> usize {
        self.look(|roster| roster.voters().count())
    }

    pub(crate) fn version(&self) -> Option<String> {
        self.inner.read().version.clone()
    }

    /// The version of the cluster, if it is one that this release does not know.
    pub(crate) fn newer_version(&self) -> Option<String> {
        self.version().filter(|version| {
            let found = version.parse::<Release>().ok().zip(version::ETCD_CLUSTER.parse().ok());
            found.is_some_and(|(found, known)| found.cluster() > known)
        })
    }

    pub(crate) fn downgrade(&self) -> Downgrade {
        self.inner.read().downgrade.clone()
    }

    /// Returns once `id` was removed; for as long as it was not, the future waits.
    pub(crate) async fn removed(&self, id: u64) {
        let mut changes = self.changed.subscribe();
        // A change between the subscription and this look is seen by one of the two.
        while !self.is_removed(id) {
            if changes.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Carries out a committed change that is allowed: see [`Membership::check`].
    ///
    /// # Errors
    /// When it is not after all, or there is no row for it.
    pub(crate) fn apply(&self, change: &ConfChange, batch: &mut Batch) -> Result<Effect, ChangeError> {
        let effect = self.inner.write().roster.apply(change)?;
        match &effect {
            Effect::Set(member) => batch.put(Bucket::Members, Member::row_key(member.id), member.row()?),
            Effect::Removed(id) => {
                batch.delete(Bucket::Members, Member::row_key(*id));
                batch.put(Bucket::MembersRemoved, Member::row_key(*id), "removed");
            }
        }
        self.tell();
        Ok(effect)
    }

    /// Why a committed change took no effect.
    pub(crate) fn check(&self, change: &ConfChange) -> Result<(), Error> {
        self.look(|roster| roster.check(change))
    }

    /// What a started member says of itself; of an unknown one nothing is kept.
    ///
    /// # Errors
    /// When there is no row for it, which there always is for strings and numbers.
    pub(crate) fn publish(
        &self,
        id: u64,
        name: String,
        client_urls: Vec<String>,
        batch: &mut Batch,
    ) -> Result<(), serde_json::Error> {
        let mut inner = self.inner.write();
        if let Some(member) = inner.roster.publish(id, name, client_urls) {
            batch.put(Bucket::Members, Member::row_key(id), member.row()?);
        }
        drop(inner);
        self.tell();
        Ok(())
    }

    pub(crate) fn set_version(&self, version: String, batch: &mut Batch) {
        batch.put(Bucket::Cluster, CLUSTER_VERSION, version.clone());
        self.inner.write().version = Some(version);
    }

    /// # Errors
    /// When there is no row for it, which there always is for a string and a boolean.
    pub(crate) fn set_downgrade(&self, downgrade: Downgrade, batch: &mut Batch) -> Result<(), serde_json::Error> {
        batch.put(Bucket::Cluster, DOWNGRADE, serde_json::to_vec(&downgrade)?);
        self.inner.write().downgrade = downgrade;
        Ok(())
    }

    fn tell(&self) {
        self.changed.send_modify(|count| *count += 1);
    }
}
