//! Who a member is when it starts for the first time.

use super::BootstrapError;
use crate::config::{Config, InitialState, Url};
use crate::membership::{self, Member};

/// What a new cluster begins with.
#[derive(Debug)]
pub(super) struct Founding {
    pub(super) cluster_id: u64,
    pub(super) member_id: u64,
    /// Ascending by id.
    pub(super) members: Vec<Member>,
}

impl Founding {
    /// Finds this member among the founders.
    pub(super) fn of(config: &Config) -> Result<Founding, BootstrapError> {
        let cluster = &config.cluster;
        if cluster.initial_state == InitialState::Existing {
            return Err(BootstrapError::JoinExisting);
        }
        let mut members: Vec<Member> = cluster
            .initial
            .iter()
            .map(|(name, urls)| {
                let peer_urls: Vec<String> = urls.iter().map(Url::to_string).collect();
                let id = membership::bootstrap_member_id(&peer_urls, &cluster.token);
                Member { id, peer_urls, name: name.clone(), ..Member::default() }
            })
            .collect();
        members.sort_by_key(|member| member.id);
        let own = members.iter().find(|member| member.name == config.name);
        let own = own.ok_or_else(|| BootstrapError::NotInCluster(config.name.clone()))?;
        let mut advertised: Vec<String> = cluster.advertise_peer_urls.iter().map(Url::to_string).collect();
        advertised.sort();
        let mut listed = own.peer_urls.clone();
        listed.sort();
        if advertised != listed {
            return Err(BootstrapError::PeerUrlsDiffer(config.name.clone()));
        }
        if members.len() > 1 {
            return Err(BootstrapError::MoreThanOneMember(members.len()));
        }
        let ids: Vec<u64> = members.iter().map(|member| member.id).collect();
        Ok(Founding { cluster_id: membership::cluster_id(&ids), member_id: own.id, members })
    }
}
