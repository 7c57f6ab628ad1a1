//! Who is in the cluster: members, their attributes, the cluster version; replicated, and kept in the backend under
//! etcd's own rows.

mod ids;

use std::collections::{BTreeMap, BTreeSet};

use keyport_storage::backend::{Backend, BackendError, Batch, Bucket};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

pub(crate) use ids::{bootstrap_member_id, cluster_id};

const CLUSTER_VERSION: &[u8] = b"clusterVersion";

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
        self.row().into()
    }

    fn row(&self) -> Vec<u8> {
        // A struct of strings and numbers always has a JSON form.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// Why the membership rows could not be read.
#[derive(Debug, thiserror::Error)]
pub enum MembershipError {
    #[error(transparent)]
    Backend(#[from] BackendError),
    #[error("member row {key:?} is not readable: {source}")]
    Row { key: String, source: serde_json::Error },
}

/// The membership as of the applied index.
#[derive(Debug, Default)]
pub(crate) struct Membership {
    inner: RwLock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    members: BTreeMap<u64, Member>,
    /// Ids that can never return.
    removed: BTreeSet<u64>,
    /// `X.Y.Z`; none before a leader has decided.
    version: Option<String>,
}

impl Membership {
    pub(crate) fn load(backend: &Backend) -> Result<Membership, MembershipError> {
        let mut inner = Inner::default();
        let mut bad_row = None;
        backend.scan(Bucket::Members, &[], None, &mut |key, row| match serde_json::from_slice::<Member>(row) {
            Ok(member) => {
                inner.members.insert(member.id, member);
                ControlFlow::Continue(())
            }
            Err(source) => {
                bad_row = Some(MembershipError::Row { key: String::from_utf8_lossy(key).into_owned(), source });
                ControlFlow::Break(())
            }
        })?;
        if let Some(error) = bad_row {
            return Err(error);
        }
        backend.scan(Bucket::MembersRemoved, &[], None, &mut |key, _| {
            let id = std::str::from_utf8(key).ok().and_then(|text| u64::from_str_radix(text, 16).ok());
            inner.removed.extend(id);
            ControlFlow::Continue(())
        })?;
        let version = backend.get(Bucket::Cluster, CLUSTER_VERSION)?;
        inner.version = version.and_then(|text| String::from_utf8(text.to_vec()).ok());
        Ok(Membership { inner: RwLock::new(inner) })
    }

    /// Sorted by id.
    pub(crate) fn list(&self) -> Vec<Member> {
        self.inner.read().members.values().cloned().collect()
    }

    pub(crate) fn get(&self, id: u64) -> Option<Member> {
        self.inner.read().members.get(&id).cloned()
    }

    pub(crate) fn voters(&self) -> usize {
        self.inner.read().members.values().filter(|member| !member.is_learner).count()
    }

    pub(crate) fn version(&self) -> Option<String> {
        self.inner.read().version.clone()
    }

    /// Adds a member or replaces what is known of it, attributes it published included.
    pub(crate) fn insert(&self, member: Member, batch: &mut Batch) {
        batch.put(Bucket::Members, Member::row_key(member.id), member.row());
        self.inner.write().members.insert(member.id, member);
    }

    pub(crate) fn remove(&self, id: u64, batch: &mut Batch) {
        batch.delete(Bucket::Members, Member::row_key(id));
        batch.put(Bucket::MembersRemoved, Member::row_key(id), "removed");
        let mut inner = self.inner.write();
        inner.members.remove(&id);
        inner.removed.insert(id);
    }

    /// What a started member says of itself; of an unknown one nothing is kept.
    pub(crate) fn publish(&self, id: u64, name: String, client_urls: Vec<String>, batch: &mut Batch) {
        if let Some(member) = self.get(id) {
            self.insert(Member { name, client_urls, ..member }, batch);
        }
    }

    pub(crate) fn set_version(&self, version: String, batch: &mut Batch) {
        batch.put(Bucket::Cluster, CLUSTER_VERSION, version.clone());
        self.inner.write().version = Some(version);
    }
}
