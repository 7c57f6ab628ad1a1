//! Who a member is when it starts for the first time, and what it is told at every later start.
//!
//! The checks, their order and their texts are etcd's: what its operators have seen before, they see here.

use keyport_raft::InitialMember;
use keyport_raft::wal::Metadata;
use tokio::time::Instant;

use super::discovery::{self, DiscoveryError, srv};
use super::plan::{Founding, Plan};
use super::{BootstrapError, existing};
use crate::asking::PeerClient;
use crate::config::{Config, Discovery, InitialState, Url};
use crate::membership::{self, Member, Membership};
use crate::net::{Names, RESOLVE};

/// Finds out who this member is: a founder of a new cluster, or one that an existing cluster has been told of.
///
/// # Errors
/// When settings and peers contradict each other. Nothing has been written then, here or elsewhere.
pub(super) async fn found(config: &Config, client: &PeerClient) -> Result<Founding, BootstrapError> {
    let cluster = &config.cluster;
    let names = match &cluster.discovery {
        Some(Discovery::Srv { .. }) => Names::dns().map_err(DiscoveryError::Dns)?,
        Some(Discovery::Service(_)) | None => Names::System,
    };
    let plan = match &cluster.discovery {
        Some(Discovery::Srv { domain, name }) => srv::find(config, &names, domain, name).await?,
        // A service is asked only once it is clear who asks.
        Some(Discovery::Service(_)) | None => Plan { members: cluster.initial.clone(), token: cluster.token.clone() },
    };
    match cluster.initial_state {
        InitialState::New => found_new(config, plan, &names, client).await,
        InitialState::Existing => existing::join(config, &plan, &names, client).await,
    }
}

async fn found_new(
    config: &Config,
    plan: Plan,
    names: &Names,
    client: &PeerClient,
) -> Result<Founding, BootstrapError> {
    let listed = plan.own(&config.name)?;
    check_advertised(&config.name, &config.cluster.advertise_peer_urls, listed, names).await?;
    plan.check_duplicates()?;
    let mut members = plan.members()?;
    let own_id = plan.find(&members, &config.name)?.id;
    let peers = plan.others(&config.name);
    if existing::is_bootstrapped(client, &peers, own_id).await {
        return Err(BootstrapError::AlreadyBootstrapped(own_id));
    }
    if let Some(Discovery::Service(service)) = &config.cluster.discovery {
        members = discovery::register(config, service, &plan, own_id).await?.members()?;
    }
    Ok(founding_of(own_id, members))
}

/// What a member says of itself must be what is said of it.
async fn check_advertised(name: &str, advertised: &[Url], listed: &[Url], names: &Names) -> Result<(), BootstrapError> {
    let Err(reason) = names.same_urls(advertised, listed, Instant::now() + RESOLVE).await else { return Ok(()) };
    Err(not_advertised(name, advertised, listed, reason))
}

/// What is said of a member that it does not say itself, or the other way round.
pub(super) fn not_advertised(name: &str, advertised: &[Url], listed: &[Url], reason: String) -> BootstrapError {
    let list = |urls: &mut dyn Iterator<Item = &Url>, head: &str| {
        urls.map(|url| format!("{head}{url}")).collect::<Vec<_>>().join(",")
    };
    let head = format!("{name}=");
    let only_listed = list(&mut listed.iter().filter(|url| !advertised.contains(url)), &head);
    if only_listed.is_empty() {
        return BootstrapError::NotListed {
            advertised: list(&mut advertised.iter().filter(|url| !listed.contains(url)), ""),
            listed: list(&mut listed.iter(), &head),
        };
    }
    BootstrapError::NotAdvertised { listed: only_listed, advertised: list(&mut advertised.iter(), ""), reason }
}

pub(super) fn founding_of(member_id: u64, mut members: Vec<Member>) -> Founding {
    members.sort_by_key(|member| member.id);
    let ids: Vec<u64> = members.iter().map(|member| member.id).collect();
    let initial = members.iter().map(|member| InitialMember { id: member.id, context: member.context() }).collect();
    Founding { cluster_id: membership::cluster_id(&ids), member_id, members, initial }
}

/// What is checked when a data directory is there already. The settings that describe a cluster have no say any more.
///
/// # Errors
/// When this member was removed from its cluster, or the cluster has more learners than allowed.
pub(super) fn check_restart(
    config: &Config,
    metadata: Metadata,
    membership: &Membership,
) -> Result<(), BootstrapError> {
    let id = metadata.node_id;
    if membership.is_removed(id) {
        return Err(BootstrapError::Removed { id, data_dir: config.data_dir.clone() });
    }
    membership.look(|roster| roster.check_learners(config.cluster.max_learners))?;
    if let Some(own) = membership.get(id) {
        warn_of_ignored(config, &own, membership.list().len());
    }
    Ok(())
}

/// A member that has been given other flags than it was founded with goes on as what it is.
fn warn_of_ignored(config: &Config, own: &Member, members: usize) {
    let cluster = &config.cluster;
    if cluster.discovery.is_some() {
        tracing::warn!("discovery is ignored since cluster already initialized; valid logs are found");
    }
    let mut advertised: Vec<String> = cluster.advertise_peer_urls.iter().map(Url::to_string).collect();
    let mut known = own.peer_urls.clone();
    advertised.sort();
    known.sort();
    if cluster.has_advertise_peer_urls && advertised != known {
        tracing::warn!(
            initial_advertise_peer_urls = advertised.join(","),
            peer_urls = known.join(","),
            "--initial-advertise-peer-urls is ignored since cluster already initialized; see `etcdctl member update`"
        );
    }
    // The other way round is what every cluster that has grown looks like.
    if cluster.has_initial && cluster.initial.len() > members {
        tracing::warn!(
            initial_cluster = cluster.initial.len(),
            members,
            "--initial-cluster is ignored since cluster already initialized; see `etcdctl member add`"
        );
    }
}

#[cfg(test)]
mod tests;
