//! The cluster's version, which is the leader's to decide, and downgrades.
//!
//! A downgrade is a permission: while it is in force the cluster calls itself by the target version, so that members of
//! that release could take over one by one, and it ends when all members are of that release, which is looked after every
//! `--downgrade-check-time`, or when it is cancelled. All releases of Keyport so far serve the same version, so here it always ends
//! by being cancelled.

use std::time::Duration;

use futures_util::future::join_all;
use keyport_api::error::Error;
use keyport_api::membershippb::{ClusterVersionSetRequest, DowngradeInfoSetRequest};
use serde::Deserialize;
use tokio::time::MissedTickBehavior;

use super::Node;
use crate::gate::Pass;
use crate::membership::{Member, Release, decide, is_downgraded};
use crate::version;

const CHECK_EVERY: Duration = Duration::from_secs(4);
/// How long one member may take to say its version.
const ASK: Duration = Duration::from_secs(2);

/// What `/version` says, as far as it is of interest.
#[derive(Deserialize)]
struct Versions {
    etcdserver: String,
}

impl Node {
    /// The leader keeps the cluster's version in step with its members. Runs for as long as the node.
    pub(crate) async fn watch_versions(self) {
        let mut leaders = self.state().leadership.subscribe();
        let mut every = tokio::time::interval(CHECK_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = every.tick() => {}
                changed = leaders.changed() => if changed.is_err() { return },
            }
            if let Some(term) = self.office() {
                self.keep_versions(term).await;
            }
        }
    }

    /// A member alone decides at once, before it serves: there is nobody to ask.
    pub(crate) async fn found_version(&self) {
        let membership = &self.state().membership;
        let alone = membership.version().is_none() && membership.list().len() == 1;
        if let Some(term) = self.office().filter(|_| alone) {
            self.keep_versions(term).await;
        }
    }

    /// The leader ends a downgrade once all members are of its release. Runs for as long as the node.
    pub(crate) async fn watch_downgrade(self, interval: Duration) {
        let start = tokio::time::Instant::now() + interval;
        let mut every = tokio::time::interval_at(start, interval);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            if let Some((term, target)) = self.office().zip(self.downgrade_target()) {
                self.check_downgraded(term, target).await;
            }
        }
    }

    /// What the cluster is being downgraded to, if it is.
    fn downgrade_target(&self) -> Option<Release> {
        let downgrade = self.state().membership.downgrade();
        downgrade.enabled.then(|| downgrade.target_version.parse().ok()).flatten()
    }

    async fn check_downgraded(&self, term: u64, target: Release) {
        let releases = self.releases().await;
        if !is_downgraded(target, releases.as_deref()) {
            tracing::info!(target_version = %target, "not all members are of the release that the cluster is downgraded to");
            return;
        }
        tracing::info!(cluster_version = %target, "the cluster has been downgraded");
        if let Err(error) = self.end_downgrade(Some(term), &versions()).await {
            tracing::warn!(%error, "failed to end the downgrade");
        }
    }

    async fn keep_versions(&self, term: u64) {
        let _alone = self.0.versions.lock().await;
        let current = self.cluster_release();
        let target = self.downgrade_target();
        let lowest = self.releases().await.and_then(|releases| releases.into_iter().min());
        if let Some(next) = decide(current, lowest, target) {
            let request = ClusterVersionSetRequest { ver: next.to_string() };
            let from = current.map(|current| current.to_string());
            match self.propose_in_term(term, &versions(), request).await {
                Ok(_) if from.is_none() => tracing::info!(version = %next, "set the initial cluster version"),
                Ok(_) => tracing::info!(from, to = %next, "updated cluster version"),
                Err(error) => tracing::warn!(%error, to = %next, "failed to update cluster version"),
            }
        }
    }

    /// The release of every member; none unless all say theirs.
    async fn releases(&self) -> Option<Vec<Release>> {
        let own = self.identity().member_id;
        let members = self.state().membership.list();
        let releases = members.iter().map(|member| async move {
            if member.id == own { version::ETCD_SERVER.parse().ok() } else { self.release_of(member).await }
        });
        join_all(releases).await.into_iter().collect()
    }

    async fn release_of(&self, member: &Member) -> Option<Release> {
        for url in &member.peer_urls {
            let remote_member_id = format!("{:x}", member.id);
            let answer = match self.peer_client().get(url, "/version", ASK).await {
                Ok(answer) => answer,
                Err(error) => {
                    tracing::warn!(remote_member_id, %error, "failed to get the version of a member");
                    continue;
                }
            };
            let versions = serde_json::from_slice::<Versions>(&answer.body).ok();
            match versions.and_then(|versions| versions.etcdserver.parse().ok()) {
                Some(release) => return Some(release),
                None => tracing::warn!(
                    remote_member_id,
                    url,
                    status = answer.status.as_u16(),
                    "a member's version cannot be read"
                ),
            }
        }
        None
    }

    fn cluster_release(&self) -> Option<Release> {
        self.state().membership.version().and_then(|version| version.parse().ok())
    }

    /// Whether the cluster may be downgraded to `target`; the cluster's version.
    ///
    /// # Errors
    /// `WrongDowngradeVersionFormat`, `ClusterVersionUnavailable`, `InvalidDowngradeTargetVersion`,
    /// `DowngradeInProcess`; those of a linearizable read.
    pub(crate) async fn validate_downgrade(&self, target: &str) -> Result<Release, Error> {
        self.check_downgrade(target).await.map(|(cluster, _)| cluster)
    }

    async fn check_downgrade(&self, target: &str) -> Result<(Release, Release), Error> {
        let target = Release::target(target).map_err(|_| Error::WrongDowngradeVersionFormat)?;
        self.cluster_release().ok_or(Error::ClusterVersionUnavailable)?;
        self.read_barrier().await?;
        let cluster = self.cluster_release().ok_or(Error::ClusterVersionUnavailable)?;
        if cluster.one_minor_lower() != Some(target) {
            return Err(Error::InvalidDowngradeTargetVersion);
        }
        if self.state().membership.downgrade().enabled {
            return Err(Error::DowngradeInProcess);
        }
        Ok((cluster, target))
    }

    /// Begins a downgrade; the cluster's version.
    ///
    /// # Errors
    /// As [`Node::validate_downgrade`], and those of a proposal.
    pub(crate) async fn enable_downgrade(&self, pass: &Pass, target: &str) -> Result<Release, Error> {
        let (cluster, target) = self.check_downgrade(target).await?;
        let request = DowngradeInfoSetRequest { enabled: true, ver: target.to_string() };
        self.propose(pass, request).await?;
        tracing::info!(target_version = %target, "downgrade enabled");
        Ok(self.cluster_release().unwrap_or(cluster))
    }

    /// Ends a downgrade; the cluster's version. That none is under way is no failure.
    pub(crate) async fn cancel_downgrade(&self, pass: &Pass) -> Result<Release, Error> {
        if let Err(error) = self.end_downgrade(None, pass).await {
            tracing::error!(%error, "failed to cancel downgrade");
        }
        self.cluster_release().ok_or(Error::ClusterVersionUnavailable)
    }

    /// As the leader of `term`, if it was not asked for.
    async fn end_downgrade(&self, term: Option<u64>, pass: &Pass) -> Result<(), Error> {
        self.read_barrier().await?;
        if !self.state().membership.downgrade().enabled {
            return Err(Error::NoInflightDowngrade);
        }
        let request = DowngradeInfoSetRequest { enabled: false, ver: String::new() };
        self.propose_own(term, pass, request).await.map(|_| ())
    }
}

fn versions() -> Pass {
    Pass::internal("versions")
}
