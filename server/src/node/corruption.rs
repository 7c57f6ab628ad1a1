//! Whether the members still have the same data: three checks, all of which compare hashes of the keys.
//!
//! - before a member serves, with its peers at its own revision: it does not start on other data than theirs;
//! - every so often, by the leader, at its current revision;
//! - every so often, by the leader, at the revisions of compactions, whose hashes every member computes anyway.
//!
//! The leader raises the alarm CORRUPT for whoever differs from the majority; then nobody changes data any more.

mod verdict;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use keyport_api::error::Error;
use keyport_api::etcdserverpb::alarm_request::AlarmAction;
use keyport_api::etcdserverpb::{AlarmRequest, AlarmType};
use keyport_storage::mvcc::{HashKv, MvccError};

use super::Node;
use super::hash::hash_kv;
use crate::asking::PeerClient;
use crate::asking::hashkv::{self, HashError};
use crate::gate::Pass;
use crate::kv::KvError;
use crate::membership::Member;
use crate::state::State;
use verdict::{Verdict, compare};

/// Why a member does not start.
#[derive(Debug, thiserror::Error)]
pub enum CorruptionError {
    #[error("{member:016x} failed to fetch hash ({source})")]
    Unreadable { member: u64, source: MvccError },
    #[error("{member:016x} found data inconsistency with peers")]
    Inconsistent { member: u64 },
}

/// What the members that could be asked have.
struct Answers {
    /// By member id.
    hashes: Vec<(u64, HashKv)>,
    /// How many did not answer, or have no hash of this revision.
    missing: usize,
}

/// Compares this member's data with its peers', before it takes part in anything.
///
/// # Errors
/// When a peer has other data at the same revision, compacted at the same one.
pub(crate) async fn check_before_start(
    state: &State,
    client: &PeerClient,
    own_id: u64,
    patience: Duration,
) -> Result<(), CorruptionError> {
    let own = hash_kv(Arc::clone(&state.store), &state.metrics, 0).await;
    let own = own.map_err(|source| CorruptionError::Unreadable { member: own_id, source })?;
    tracing::info!(timeout = ?patience, revision = own.hash_revision, "starting initial corruption check");
    let peers = ask_peers(&state.membership.list(), client, own_id, own.hash_revision, patience).await;
    let mut inconsistent = false;
    for (peer, hash) in peers.hashes {
        let differs = hash.hash != own.hash;
        inconsistent |= differs && hash.compact_revision == own.compact_revision;
        if differs {
            tracing::warn!(
                remote_peer_id = format!("{peer:x}"),
                local_revision = own.hash_revision,
                local_compact_revision = own.compact_revision,
                local_hash = own.hash,
                remote_compact_revision = hash.compact_revision,
                remote_hash = hash.hash,
                "found different hash values from remote peer"
            );
        }
    }
    if inconsistent {
        return Err(CorruptionError::Inconsistent { member: own_id });
    }
    tracing::info!("initial corruption checking passed; no corruption");
    Ok(())
}

impl Node {
    /// Compares current data every `interval`. Runs for as long as the node.
    pub(crate) async fn check_corruption(self, interval: Duration) {
        tracing::info!(?interval, "enabled corruption checking");
        let mut every = ticks(interval);
        loop {
            every.tick().await;
            if let Some(term) = self.office()
                && let Err(error) = self.compare_current(term).await
            {
                tracing::warn!(%error, "failed to check hash KV");
            }
        }
    }

    /// Compares the hashes of compactions every `interval`. Runs for as long as the node.
    pub(crate) async fn check_compactions(self, interval: Duration) {
        tracing::info!(?interval, "enabled compact hash check");
        let mut every = ticks(interval);
        let mut checked = i64::MIN;
        loop {
            every.tick().await;
            if let Some(term) = self.office() {
                self.compare_compactions(term, &mut checked).await;
            }
        }
    }

    async fn compare_current(&self, term: u64) -> Result<(), Error> {
        let first = self.own_hash().await?;
        let peers = self.peers_hashes(first.hash_revision).await;
        // From here on this member knows of everything that the peers knew when they answered.
        self.read_barrier().await?;
        let second = self.own_hash().await?;

        let own_id = self.identity().member_id;
        let same_view =
            (first.hash_revision, first.compact_revision) == (second.hash_revision, second.compact_revision);
        if same_view && first.hash != second.hash {
            tracing::warn!(
                revision = first.hash_revision,
                hash_1 = first.hash,
                hash_2 = second.hash,
                "found hash mismatch"
            );
            self.raise_corrupt(term, own_id).await;
            return Ok(());
        }
        for &(peer, hash) in &peers.hashes {
            if hash.current_revision > second.current_revision || hash.compact_revision > second.compact_revision {
                tracing::warn!(
                    follower_peer_id = format!("{peer:x}"),
                    leader_revision = second.current_revision,
                    follower_revision = hash.current_revision,
                    leader_compact_revision = second.compact_revision,
                    follower_compact_revision = hash.compact_revision,
                    "a follower must not be ahead of its leader"
                );
                self.raise_corrupt(term, peer).await;
                return Ok(());
            }
        }
        let members = peers.hashes.len() + peers.missing + 1;
        match compare((own_id, &first), &peers.hashes, members) {
            Verdict::Same { .. } => {}
            Verdict::Odd(odd) => self.raise_corrupt_for(term, &first, &odd).await,
            // Nobody has a majority: as etcd, the leader is believed.
            Verdict::Undecided { unlike_own } => self.raise_corrupt_for(term, &first, &unlike_own).await,
        }
        tracing::info!(number_of_peers_checked = peers.hashes.len(), "finished peer corruption check");
        Ok(())
    }

    /// From the newest compaction back to what was compared before, or until one was compared on all members.
    async fn compare_compactions(&self, term: u64, checked: &mut i64) {
        let mut hashes = self.store().compaction_hashes();
        hashes.sort_unstable_by_key(|hash| std::cmp::Reverse(hash.hash_revision));
        let own_id = self.identity().member_id;
        for own in hashes.into_iter().take_while(|hash| hash.hash_revision > *checked) {
            let peers = self.peers_hashes(own.hash_revision).await;
            let members = peers.hashes.len() + peers.missing + 1;
            if members == 1 {
                return;
            }
            match compare((own_id, &own), &peers.hashes, members) {
                Verdict::Same { everyone: true } => {
                    *checked = own.hash_revision;
                    tracing::info!(revision = own.hash_revision, "successfully checked hash on whole cluster");
                    return;
                }
                Verdict::Same { everyone: false } => {
                    tracing::warn!(
                        revision = own.hash_revision,
                        "skipped revision in compaction hash check; was not able to check all peers"
                    );
                }
                Verdict::Odd(odd) => return self.raise_corrupt_for(term, &own, &odd).await,
                // It concerns the cluster as a whole.
                Verdict::Undecided { .. } => return self.raise_corrupt_for(term, &own, &[0]).await,
            }
        }
    }

    async fn own_hash(&self) -> Result<HashKv, Error> {
        let hash = self.hash_kv(0).await;
        hash.map_err(|error| KvError::from(error).into())
    }

    async fn peers_hashes(&self, revision: i64) -> Answers {
        let members = self.state().membership.list();
        let patience = self.limits().request_timeout;
        ask_peers(&members, self.peer_client(), self.identity().member_id, revision, patience).await
    }

    async fn raise_corrupt_for(&self, term: u64, compared: &HashKv, members: &[u64]) {
        for &member in members {
            tracing::error!(
                member = format!("{member:x}"),
                revision = compared.hash_revision,
                compact_revision = compared.compact_revision,
                "detected hash mismatch"
            );
            self.raise_corrupt(term, member).await;
        }
    }

    async fn raise_corrupt(&self, term: u64, member: u64) {
        let raised = self.state().alarms.list(AlarmType::Corrupt.into());
        if raised.iter().any(|alarm| alarm.member_id == member) {
            return;
        }
        let request =
            AlarmRequest { action: AlarmAction::Activate.into(), member_id: member, alarm: AlarmType::Corrupt.into() };
        if let Err(error) = self.propose_in_term(term, &Pass::internal("corruption check"), request).await {
            tracing::warn!(member = format!("{member:x}"), %error, "failed to raise alarm CORRUPT");
        }
    }
}

async fn ask_peers(members: &[Member], client: &PeerClient, own_id: u64, revision: i64, patience: Duration) -> Answers {
    let peers = members.iter().filter(|member| member.id != own_id);
    let asked = peers.map(|peer| async move {
        let answer = hashkv::ask(client, &peer.peer_urls, revision, patience).await;
        (peer.id, answer)
    });
    let mut answers = Answers { hashes: Vec::new(), missing: 0 };
    for (peer, answer) in join_all(asked).await {
        match answer {
            Ok(hash) => answers.hashes.push((peer, hash)),
            Err(error) => {
                answers.missing += 1;
                let reason = match error {
                    HashError::Future => "cannot fetch hash from slow remote peer",
                    HashError::Compacted => "cannot fetch hash from remote peer; local member is behind",
                    HashError::OtherCluster => "cluster ID mismatch",
                    HashError::Call(_) | HashError::Unknown(_) => "failed hash kv request",
                };
                tracing::warn!(remote_peer_id = format!("{peer:x}"), revision, %error, reason, "no hash to compare");
            }
        }
    }
    answers
}

fn ticks(interval: Duration) -> tokio::time::Interval {
    let mut every = tokio::time::interval_at(tokio::time::Instant::now() + interval, interval);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    every
}
