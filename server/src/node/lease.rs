//! Leases as the leader keeps them. Renewals do not go through the log, so a leader has to be sure that it still is one:
//! whoever was told that a lease lives on must find it with the next leader too.
//!
//! A leader that a quorum confirmed a moment ago is sure enough. Its successor gives every lease its whole time again
//! and an election timeout more, counted from an election that came after the confirmation; so what is renewed within an
//! election timeout of one lives as long as promised, whoever leads. One ReadIndex round in that time serves all renewals.

use std::time::{Duration, Instant};

use keyport_api::error::Error;
use keyport_api::etcdserverpb::{
    LeaseCheckpoint, LeaseCheckpointRequest, LeaseTimeToLiveRequest, LeaseTimeToLiveResponse,
};
use keyport_storage::lease::{LeaseError, Renewal, TimeToLive};
use tokio::time::timeout;

use super::{Node, raft_error};
use crate::apply::error;
use crate::gate::Pass;

/// How long what is committed may take to be applied before a lease call gives up.
const APPLY_WAIT: Duration = Duration::from_secs(1);

impl Node {
    /// The usual renewal, without waiting for anything: the TTL, 0 when there is no such lease. None when it takes more
    /// to know.
    pub(crate) fn renew_now(&self, id: i64) -> Option<i64> {
        let now = Instant::now();
        if !self.leads_for_sure(now) || !self.has_applied_what_others_know() {
            return None;
        }
        match self.state().lessor.renew(id, now) {
            Renewal::Renewed { ttl, has_checkpoint: false } => Some(ttl),
            Renewal::Unknown => Some(0),
            Renewal::Renewed { .. } | Renewal::Expired | Renewal::NotPrimary => None,
        }
    }

    /// Renews a lease as the leader and returns its TTL. A lease that has expired cannot come back: its holder hears so
    /// once it is revoked, for which this waits without a bound of its own.
    ///
    /// The answer waits until everything is applied that anybody can have heard of, the lease's revocation perhaps. With
    /// fast renewals that does not cost the lease its time: it starts anew before.
    ///
    /// # Errors
    /// `LeaseNotFound`; `NotPrimaryLessor` from a member that is not the leader, or cannot say so for sure;
    /// `TimeoutWaitAppliedIndex`.
    pub(crate) async fn renew_as_leader(&self, id: i64) -> Result<i64, Error> {
        let lessor = &self.state().lessor;
        let (mut is_certain, mut told) = (false, None);
        loop {
            let asked = Instant::now();
            if !self.leads_for_sure(asked) {
                self.confirm_leadership().await?;
            }
            let told = *told.get_or_insert_with(|| self.raft().told());
            if self.limits().fast_lease_keep_alive {
                lessor.renew(id, Instant::now());
                self.state().applied.reached(told).await;
            } else {
                self.applied_up_to(told).await?;
            }
            if asked.elapsed() > self.worth_of_a_confirmation() {
                continue;
            }
            match lessor.renew(id, Instant::now()) {
                Renewal::Renewed { ttl, has_checkpoint: false } => return Ok(ttl),
                Renewal::Renewed { ttl, .. } => return self.clear_checkpoint(id).await.map(|()| ttl),
                Renewal::Expired => lessor.settled(id).await,
                Renewal::Unknown if is_certain => return Err(Error::LeaseNotFound),
                Renewal::NotPrimary if is_certain => return Err(Error::NotPrimaryLessor),
                // It may have been granted, or this member elected, a moment ago.
                Renewal::Unknown | Renewal::NotPrimary => {
                    let index = self.confirm_leadership().await?;
                    self.applied_up_to(index).await?;
                    is_certain = true;
                }
            }
        }
    }

    /// What the leader knows of a lease; without a header.
    ///
    /// # Errors
    /// `LeaseNotFound`; `NotPrimaryLessor` as above; `TimeoutWaitAppliedIndex`; `LeaderChanged`.
    pub(crate) async fn time_to_live_as_leader(
        &self,
        request: LeaseTimeToLiveRequest,
    ) -> Result<LeaseTimeToLiveResponse, Error> {
        let LeaseTimeToLiveRequest { id, keys } = request;
        let index = self.confirm_leadership().await?;
        self.applied_up_to(index).await?;
        let lessor = &self.state().lessor;
        match lessor.time_to_live(id, keys, Instant::now()) {
            Ok(TimeToLive { ttl, granted_ttl, keys }) if lessor.is_primary() => {
                Ok(LeaseTimeToLiveResponse { header: None, id, ttl, granted_ttl, keys })
            }
            // Demoted meanwhile. The client may ask again, where for "not a primary lessor" it would not.
            Ok(_) | Err(LeaseError::NotPrimary) => Err(Error::LeaderChanged),
            Err(refused) => Err(error::lease(refused)),
        }
    }

    /// Asks a quorum whether this member leads, and returns the index up to which a leader must have applied to speak
    /// for everything that was committed before.
    ///
    /// # Errors
    /// `NotPrimaryLessor`, when it does not or there is no answer in time.
    pub(crate) async fn confirm_leadership(&self) -> Result<u64, Error> {
        let (raft, leadership) = (self.raft(), &self.state().leadership);
        let mut changes = leadership.subscribe();
        let (began, term, own) = (Instant::now(), raft.term(), self.identity().member_id);
        if !raft.is_leader() {
            return Err(Error::NotPrimaryLessor);
        }
        let answer = async {
            tokio::select! {
                index = raft.read_index() => index.map_err(raft_error::reading),
                _ = changes.wait_for(|leader| leader.id != own || leader.term != term) => Err(Error::NotPrimaryLessor),
            }
        };
        let Ok(index) = timeout(self.limits().request_timeout, answer).await else {
            tracing::warn!(term, "failed to check the current member's leadership");
            return Err(Error::NotPrimaryLessor);
        };
        let index = index?;
        // A later leader may have answered; or this one in a later term, which began after the question.
        if !raft.is_leader() || raft.term() != term {
            return Err(Error::NotPrimaryLessor);
        }
        leadership.confirm(term, began);
        Ok(index)
    }

    /// Whether this member leads and a quorum said so a moment ago. One that was told to hand over is never sure.
    pub(crate) fn leads_for_sure(&self, now: Instant) -> bool {
        let raft = self.raft();
        raft.read_index_now().is_some()
            || (raft.is_leader() && !raft.is_handing_over() && self.state().leadership.is_confirmed(raft.term(), now))
    }

    /// For so long after it was sure to lead, a member's renewals are kept by its successor: that one is elected an election
    /// timeout later at the earliest, unless this one hands over, and gives every lease an election timeout more. (What it
    /// was sure by may have been half a timeout old.)
    fn worth_of_a_confirmation(&self) -> Duration {
        let timeout = self.limits().election_timeout;
        if self.raft().is_handing_over() { timeout } else { timeout * 3 / 2 }
    }

    /// Whether there is nothing that another member may have answered for, and that is not applied here.
    fn has_applied_what_others_know(&self) -> bool {
        self.raft().told() <= self.state().applied.index()
    }

    async fn applied_up_to(&self, index: u64) -> Result<(), Error> {
        let applied = self.state().applied.reached(index);
        timeout(APPLY_WAIT, applied).await.map_err(|_| Error::TimeoutWaitAppliedIndex)
    }

    /// The next leader is to start from the whole TTL again, and whoever hears of the renewal may count on that.
    async fn clear_checkpoint(&self, id: i64) -> Result<(), Error> {
        let term = self.office().ok_or(Error::NotPrimaryLessor)?;
        let checkpoints = vec![LeaseCheckpoint { id, remaining_ttl: 0 }];
        let (pass, request) = (Pass::internal("a renewed lease"), LeaseCheckpointRequest { checkpoints });
        let offered = {
            let _order = self.0.checkpoints.lock();
            self.offer_in_term(term, &pass, request)
        };
        match offered.outcome().await {
            Ok(_) => Ok(()),
            Err(error) => {
                tracing::debug!(lease_id = format!("{id:016x}"), %error, "failed to clear a lease's checkpoint");
                // Whoever leads now may be asked.
                Err(if self.office() == Some(term) { error } else { Error::NotPrimaryLessor })
            }
        }
    }
}
