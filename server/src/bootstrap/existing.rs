//! What a member learns from a cluster that is there already.

use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, Stream, StreamExt};
use http::HeaderMap;
use serde::Deserialize;
use tokio::time::Instant;

use super::BootstrapError;
use super::discovery::DiscoveryError;
use super::plan::{Founding, Plan};
use crate::asking::PeerClient;
use crate::asking::client::PeerResponse;
use crate::asking::paths::CLUSTER_ID_HEADER;
use crate::config::{Config, Discovery, Url};
use crate::membership::{Member, MembershipError};
use crate::net::{Names, RESOLVE};
use crate::version;

/// How long a peer may take to say who is in the cluster; less when there probably is none yet.
const ASK: Duration = Duration::from_secs(10);
const ASK_FOUNDERS: Duration = Duration::from_secs(1);
/// The oldest cluster that may be joined.
const MIN_CLUSTER: [u64; 2] = [3, 0];

/// Why the peers' word was not to be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("could not retrieve cluster information from the given URLs")]
    NoAnswer,
    #[error("failed to get raft cluster member(s) from the given URLs")]
    NoMembers,
}

/// A cluster as one of its members describes it.
#[derive(Debug)]
struct Remote {
    cluster_id: u64,
    /// Ascending by id.
    members: Vec<Member>,
}

/// Joins a cluster that has been told of this member (`member add`) before.
pub(super) async fn join(
    config: &Config,
    plan: &Plan,
    names: &Names,
    client: &PeerClient,
) -> Result<Founding, BootstrapError> {
    plan.own(&config.name)?;
    plan.check_duplicates()?;
    if matches!(config.cluster.discovery, Some(Discovery::Service(_))) {
        return Err(DiscoveryError::Existing.into());
    }
    let (remote, member_id) = find(config, plan, names, client).await?;
    let others: Vec<&Member> = remote.members.iter().filter(|member| member.id != member_id).collect();
    check_peers(client, remote.cluster_id, &others, config.request_timeout()).await?;
    if has_served(client, &remote, &others, member_id, config.request_timeout()).await {
        return Err(BootstrapError::AlreadyBootstrapped(member_id));
    }
    let count = remote.members.iter().filter(|member| member.is_learner).count();
    let max_learners = config.cluster.max_learners;
    if count > max_learners {
        return Err(MembershipError::TooManyLearners { count, max_learners }.into());
    }
    Ok(Founding { cluster_id: remote.cluster_id, member_id, members: remote.members, initial: Vec::new() })
}

/// The cluster as the first describes it whose members are those of the plan, and the id of this one there. Whoever answers
/// first may not have applied yet that this one was added.
async fn find(
    config: &Config,
    plan: &Plan,
    names: &Names,
    client: &PeerClient,
) -> Result<(Remote, u64), BootstrapError> {
    let deadline = Instant::now() + RESOLVE;
    let peers = plan.others(&config.name);
    let mut answers = ask_all(client, &peers, ASK);
    let (mut refusal, mut failure) = (None, FetchError::NoAnswer);
    while let Some((address, answer)) = answers.next().await {
        match answer {
            Ok(remote) if remote.members.is_empty() => failure = FetchError::NoMembers,
            Ok(remote) => match find_own(&config.name, plan, names, &remote.members, deadline).await {
                Ok(member_id) => return Ok((remote, member_id)),
                Err(error) => _ = refusal.get_or_insert(error),
            },
            Err(error) => tracing::warn!(address, error, "failed to get cluster response"),
        }
    }
    Err(refusal.unwrap_or(BootstrapError::Fetch(failure)))
}

/// Whether a cluster is running in which this founder has served before. Then its data is gone, and a new log under the
/// same id would break promises that the old one gave.
pub(super) async fn is_bootstrapped(client: &PeerClient, peers: &[String], own_id: u64) -> bool {
    fetch(client, peers, ASK_FOUNDERS).await.is_some_and(|remote| remote.lists_as_served(own_id))
}

/// Whether any of the others knows that this member has served before; whoever answered first may not have heard of it.
async fn has_served(client: &PeerClient, first: &Remote, others: &[&Member], own_id: u64, timeout: Duration) -> bool {
    let known = join_all(others.iter().map(|member| fetch(client, &member.peer_urls, timeout))).await;
    let same_cluster = known.iter().flatten().filter(|remote| remote.cluster_id == first.cluster_id);
    same_cluster.chain([first]).any(|remote| remote.lists_as_served(own_id))
}

impl Remote {
    /// A member tells where clients reach it when it starts to serve, never before.
    fn lists_as_served(&self, id: u64) -> bool {
        self.members.iter().any(|member| member.id == id && !member.client_urls.is_empty())
    }
}

/// Asks all at once; who answers first comes first.
fn ask_all<'a>(
    client: &'a PeerClient,
    urls: &'a [String],
    timeout: Duration,
) -> impl Stream<Item = (&'a str, Result<Remote, String>)> + Unpin {
    let asked = urls.iter().map(move |url| async move {
        let answer = ask(client, url, "/members", timeout).await;
        (url.as_str(), answer.and_then(|answer| read_members(&answer.headers, &answer.body)))
    });
    asked.collect::<FuturesUnordered<_>>()
}

/// What the first says who says something: some may be starting too, and answer nobody yet.
async fn fetch(client: &PeerClient, urls: &[String], timeout: Duration) -> Option<Remote> {
    let mut answers = ask_all(client, urls, timeout);
    while let Some((address, answer)) = answers.next().await {
        match answer {
            Ok(remote) if remote.members.is_empty() => {}
            Ok(remote) => return Some(remote),
            Err(error) => tracing::debug!(address, error, "failed to get cluster response"),
        }
    }
    None
}

async fn ask(client: &PeerClient, url: &str, path: &str, timeout: Duration) -> Result<PeerResponse, String> {
    let answer = client.get(url, path, timeout).await.map_err(|error| error.to_string())?;
    if answer.status.is_success() { Ok(answer) } else { Err(format!("answered with status {}", answer.status)) }
}

fn read_members(headers: &HeaderMap, body: &[u8]) -> Result<Remote, String> {
    let mut members: Vec<Member> =
        serde_json::from_slice(body).map_err(|error| format!("failed to unmarshal cluster response: {error}"))?;
    members.sort_by_key(|member| member.id);
    let cluster_id = cluster_id(headers).ok_or("failed to parse cluster ID")?;
    Ok(Remote { cluster_id, members })
}

fn cluster_id(headers: &HeaderMap) -> Option<u64> {
    u64::from_str_radix(headers.get(CLUSTER_ID_HEADER)?.to_str().ok()?, 16).ok()
}

/// Matches the cluster's members with the listed ones by their URLs; gives the id of the one with our name.
async fn find_own(
    name: &str,
    plan: &Plan,
    names: &Names,
    members: &[Member],
    deadline: Instant,
) -> Result<u64, BootstrapError> {
    if members.len() != plan.members.len() {
        return Err(BootstrapError::UnequalCount);
    }
    let mut own = None;
    for member in members {
        let urls = member.peer_urls.iter().map(|url| Url::parse(url)).collect::<Result<Vec<Url>, _>>();
        let mut reason = urls.as_ref().err().map(ToString::to_string).unwrap_or_default();
        let urls = urls.unwrap_or_default();
        // Equal texts first: names that cannot be resolved take their time.
        let exact = plan.members.iter().find(|(_, listed)| is_permutation(listed, &urls));
        let mut found = exact.map(|(listed_name, _)| listed_name);
        if found.is_none() && !urls.is_empty() {
            for (listed_name, listed) in &plan.members {
                match names.same_urls(&urls, listed, deadline).await {
                    Ok(()) => {
                        found = Some(listed_name);
                        break;
                    }
                    Err(error) => reason = error,
                }
            }
        }
        match found {
            Some(listed) if listed == name => own = Some(member.id),
            Some(_) => {}
            None => {
                return Err(BootstrapError::Unmatched { id: member.id, urls: member.peer_urls.join(" "), reason });
            }
        }
    }
    own.ok_or_else(|| BootstrapError::NotInCluster(name.to_owned()))
}

fn is_permutation(a: &[Url], b: &[Url]) -> bool {
    a.len() == b.len() && a.iter().all(|url| b.contains(url))
}

/// What `/version` says.
#[derive(Deserialize)]
struct Versions {
    etcdcluster: String,
}

/// At least one of the others must run, all that do must belong to the same cluster, and its version must be one that
/// this member can serve.
async fn check_peers(
    client: &PeerClient,
    cluster_id: u64,
    others: &[&Member],
    timeout: Duration,
) -> Result<(), BootstrapError> {
    let mut compatible = false;
    for (member, version) in others.iter().zip(join_all(others.iter().map(|m| ask_version(client, m, timeout))).await) {
        let Some((claimed, version)) = version else { continue };
        if let Some(claimed) = claimed.filter(|claimed| *claimed != cluster_id) {
            return Err(BootstrapError::ClusterIdMismatch { expected: cluster_id, member: member.id, found: claimed });
        }
        let Some(parsed) = parse_version(&version) else {
            let remote_member_id = format!("{:x}", member.id);
            tracing::warn!(remote_member_id, version, "failed to parse cluster version of remote member");
            continue;
        };
        let max = parse_version(version::ETCD_CLUSTER).unwrap_or(MIN_CLUSTER);
        if parsed < MIN_CLUSTER || parsed > max {
            let remote_member_id = format!("{:x}", member.id);
            tracing::warn!(
                remote_member_id,
                remote_member_cluster_version = version,
                maximum_cluster_version_supported = version::ETCD_CLUSTER,
                "cluster version of remote member is not compatible"
            );
            return Err(BootstrapError::Incompatible);
        }
        compatible = true;
    }
    if compatible { Ok(()) } else { Err(BootstrapError::Incompatible) }
}

/// Cluster id, where the peer names it, and cluster version.
async fn ask_version(client: &PeerClient, member: &Member, timeout: Duration) -> Option<(Option<u64>, String)> {
    for url in &member.peer_urls {
        let versions = ask(client, url, "/version", timeout).await.and_then(|answer| {
            let versions: Versions = serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
            Ok((cluster_id(&answer.headers), versions.etcdcluster))
        });
        match versions {
            Ok(versions) => return Some(versions),
            Err(error) => tracing::warn!(address = url, error, "failed to get version of remote member"),
        }
    }
    None
}

/// Major and minor number.
fn parse_version(text: &str) -> Option<[u64; 2]> {
    let mut parts = text.split('.').map(str::parse::<u64>);
    Some([parts.next()?.ok()?, parts.next()?.ok()?])
}

#[cfg(test)]
mod tests;
