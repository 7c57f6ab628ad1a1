//! Founders that find each other: by SRV records, or at another cluster.

pub(super) mod service;
pub(super) mod srv;
#[cfg(test)]
mod tests;

use super::plan::Plan;
use crate::config::{Config, DiscoveryService, parse_members};

/// Why the founders were not found.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    #[error("error setting up initial cluster: {0}")]
    Dns(String),
    #[error("error setting up initial cluster: cannot find local etcd member {0:?} in SRV records")]
    NotInDns(String),
    #[error("failed to join discovery cluster ({0})")]
    Service(#[from] service::ServiceError),
    #[error("failed to join discovery cluster (discovery: invalid peer URL: {0})")]
    Members(String),
    #[error("discovery cluster {0} has duplicate url")]
    Duplicate(String),
    #[error("discovery URL should not be set when joining existing initial cluster")]
    Existing,
}

/// Registers this member at the service and waits until the cluster is complete.
pub(super) async fn register(
    config: &Config,
    service: &DiscoveryService,
    own: &Plan,
    id: u64,
) -> Result<Plan, DiscoveryError> {
    let text = service::register(service, id, &own.to_string()).await?;
    let plan = Plan { members: parse_members(&text).map_err(DiscoveryError::Members)?, token: own.token.clone() };
    if plan.check_duplicates().is_err() {
        return Err(DiscoveryError::Duplicate(plan.to_string()));
    }
    tracing::info!(name = config.name, initial_cluster = %plan, "the cluster is complete");
    Ok(plan)
}
