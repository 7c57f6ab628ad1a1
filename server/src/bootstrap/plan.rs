//! A cluster as it is meant to be, and what a member is at its beginning.

use std::fmt;

use keyport_raft::InitialMember;
use keyport_raft::wal::Metadata;

use super::BootstrapError;
use crate::config::Url;
use crate::membership::{self, Member};

/// Who this member is and what its log begins with; decided at the first start only.
#[derive(Debug)]
pub(super) struct Founding {
    pub(super) cluster_id: u64,
    pub(super) member_id: u64,
    /// Everyone known so far, this member included; ascending by id.
    pub(super) members: Vec<Member>,
    /// What the log begins with; nothing for a member that joins a cluster and hears all from it.
    pub(super) initial: Vec<InitialMember>,
}

impl Founding {
    pub(super) fn metadata(&self) -> Metadata {
        Metadata { node_id: self.member_id, cluster_id: self.cluster_id }
    }
}

/// A cluster as the settings describe it: URLs by name.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) members: Vec<(String, Vec<Url>)>,
    pub(super) token: String,
}

impl Plan {
    /// The URLs listed for this member.
    pub(super) fn own(&self, name: &str) -> Result<&[Url], BootstrapError> {
        let own = self.members.iter().find(|(listed, _)| listed == name);
        own.map(|(_, urls)| urls.as_slice()).ok_or_else(|| BootstrapError::NotInCluster(name.to_owned()))
    }

    /// No two members may claim the same address.
    pub(super) fn check_duplicates(&self) -> Result<(), BootstrapError> {
        let mut urls: Vec<&Url> = self.members.iter().flat_map(|(_, urls)| urls).collect();
        let count = urls.len();
        urls.sort_by_cached_key(|url| url.to_string());
        urls.dedup();
        if urls.len() < count { Err(BootstrapError::DuplicateUrl(self.to_string())) } else { Ok(()) }
    }

    /// The members with the ids that founders have.
    pub(super) fn members(&self) -> Result<Vec<Member>, BootstrapError> {
        let mut members: Vec<Member> = Vec::new();
        for (name, urls) in &self.members {
            let peer_urls: Vec<String> = urls.iter().map(Url::to_string).collect();
            let id = membership::bootstrap_member_id(&peer_urls, &self.token);
            // Raft's name for nobody, and hashes that meet: as unlikely as each other.
            if id == 0 || members.iter().any(|member| member.id == id) {
                return Err(BootstrapError::UnusableId { id, name: name.clone() });
            }
            members.push(Member { id, peer_urls, name: name.clone(), ..Member::default() });
        }
        Ok(members)
    }

    pub(super) fn find<'a>(&self, members: &'a [Member], name: &str) -> Result<&'a Member, BootstrapError> {
        let own = members.iter().find(|member| member.name == name);
        own.ok_or_else(|| BootstrapError::NotInCluster(name.to_owned()))
    }

    /// Where the other members are said to be.
    pub(super) fn others(&self, name: &str) -> Vec<String> {
        let others = self.members.iter().filter(|(listed, _)| listed != name);
        let mut urls: Vec<String> = others.flat_map(|(_, urls)| urls).map(Url::to_string).collect();
        urls.sort();
        urls
    }
}

impl fmt::Display for Plan {
    /// As `--initial-cluster` has it, sorted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = self.members.iter().flat_map(|(name, urls)| urls.iter().map(move |url| format!("{name}={url}")));
        let mut pairs: Vec<String> = pairs.collect();
        pairs.sort();
        f.write_str(&pairs.join(","))
    }
}
