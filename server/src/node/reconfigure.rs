//! Changes of the membership: from a request to its outcome, through the log; and the end of a member that was removed.
//!
//! With `--strict-reconfig-check` a change is refused before it reaches the log if the cluster would be, or might already
//! be, without a quorum. Whether a change in the log takes effect is the [`Roster`](crate::membership::Roster)'s verdict.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use keyport_api::error::Error;

use super::propose::told;
use super::{Node, raft_error};
use crate::apply::Reply;
use crate::apply::waiters::Answer;
use crate::gate::Pass;
use crate::membership::{Change, Member, added_member_id, peer_urls, quorum};

/// A peer counts as connected once its stream has been up for this long.
const HEALTHY_AFTER: Duration = Duration::from_secs(5);
/// How long a promotion waits for what is committed to be applied.
const APPLY_WAIT: Duration = Duration::from_secs(1);
/// A learner may be promoted once it has this many tenths of the leader's log.
const READY_TENTHS: u128 = 9;
/// A removed member waits at most so many election timeouts for another voter to confirm that.
const REMOVED_PATIENCE: u32 = 10;

impl Node {
    /// Adds a member; its id, and everyone after that.
    ///
    /// # Errors
    /// `MemberBadUrls`, `MemberNotEnoughStarted`, `Unhealthy`, the roster's verdict, and those of a proposal.
    pub(crate) async fn add_member(
        &self,
        pass: &Pass,
        urls: Vec<String>,
        is_learner: bool,
    ) -> Result<(Member, Vec<Member>), Error> {
        let peer_urls = peer_urls::checked(&urls)?;
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let id = added_member_id(&peer_urls, since_epoch.as_secs());
        let member = Member { id, peer_urls, is_learner, ..Member::default() };
        self.check_addition(&member)?;
        let max_learners = self.limits().max_learners;
        let members = self.reconfigure(pass, Change::Add { member: member.clone(), max_learners }).await?;
        Ok((member, members))
    }

    /// Removes a member for good.
    ///
    /// # Errors
    /// `MemberNotEnoughStarted`, `Unhealthy`, the roster's verdict, and those of a proposal.
    pub(crate) async fn remove_member(&self, pass: &Pass, id: u64) -> Result<Vec<Member>, Error> {
        self.check_removal(id)?;
        self.replace_leader(id).await;
        self.reconfigure(pass, Change::Remove(id)).await
    }

    /// Gives a member other peer URLs. (etcd takes any, and its other members then end when they cannot be read.)
    ///
    /// # Errors
    /// `MemberNotFound`, `MemberBadUrls`, the roster's verdict, and those of a proposal.
    pub(crate) async fn update_member(
        &self,
        pass: &Pass,
        id: u64,
        peer_urls: Vec<String>,
    ) -> Result<Vec<Member>, Error> {
        if let Err(error) = peer_urls::checked(&peer_urls) {
            // Of an unknown member nothing else is said; with proper URLs the roster says it.
            let is_known = self.state().membership.look(|roster| roster.get(id).is_some());
            return Err(if is_known { error } else { Error::MemberNotFound });
        }
        self.reconfigure(pass, Change::Update { id, peer_urls }).await
    }

    /// Makes a learner a voter, if this member leads.
    ///
    /// # Errors
    /// `NotLeader`; `LearnerNotReady`, `MemberNotEnoughStarted`, the roster's verdict, and those of a proposal.
    pub(crate) async fn promote_here(&self, pass: &Pass, id: u64) -> Result<Vec<Member>, Error> {
        self.check_promotion(id).await?;
        self.reconfigure(pass, Change::Promote(id)).await
    }

    /// Proposes a change and waits for the verdict. Dropping the future gives up the answer, not the change.
    async fn reconfigure(&self, pass: &Pass, change: Change) -> Result<Vec<Member>, Error> {
        tracing::info!(caller = %pass.caller(), "changing the membership");
        let node = &*self.0;
        let id = node.ids.next();
        let outcome = node.waiters.register(id);
        if let Err(error) = node.raft.propose_conf_change(change.into_conf_change(id)) {
            node.waiters.forget(id);
            node.metrics.proposals_failed.inc();
            return Err(raft_error::proposing(error));
        }
        let trail = pass.caller().trail();
        if let Some(trail) = trail {
            trail.change_begins();
        }
        let outcome = told(outcome).await;
        if let Some(trail) = trail {
            // Membership has no revision.
            trail.change_ends(outcome.as_ref().map(|_| None).map_err(|error| *error));
        }
        let Answer { reply, .. } = outcome?;
        if let Reply::Members(members) = reply { Ok(members) } else { Err(Error::ReplyMismatch) }
    }

    fn check_addition(&self, member: &Member) -> Result<(), Error> {
        if !self.limits().strict_reconfig_check {
            return Ok(());
        }
        let membership = &self.state().membership;
        if !member.is_learner && !membership.look(|roster| roster.may_add_voter()) {
            let peer_urls = member.peer_urls.join(",");
            tracing::warn!(peer_urls, "rejecting member add request; not enough started members");
            return Err(Error::MemberNotEnoughStarted);
        }
        let (voters, connected) = self.connected_voters();
        if voters > 1 && connected < quorum(voters + 1) {
            tracing::warn!(
                voters,
                connected,
                peer_urls = member.peer_urls.join(","),
                "rejecting member add request; not connected to enough members for long enough"
            );
            return Err(Error::Unhealthy);
        }
        Ok(())
    }

    fn check_removal(&self, id: u64) -> Result<(), Error> {
        let membership = &self.state().membership;
        // A learner is no part of any quorum.
        if !self.limits().strict_reconfig_check || membership.is_learner(id) {
            return Ok(());
        }
        let member_id = format!("{id:x}");
        if !membership.look(|roster| roster.may_remove_voter(id)) {
            tracing::warn!(member_id, "rejecting member remove request; not enough started members");
            return Err(Error::MemberNotEnoughStarted);
        }
        // What is down is no part of the quorum that works.
        if id != self.identity().member_id && self.peers().active_since(id).is_none() {
            return Ok(());
        }
        let (voters, connected) = self.connected_voters();
        if connected.saturating_sub(1) < 1 + voters.saturating_sub(1) / 2 {
            tracing::warn!(member_id, voters, connected, "rejecting member remove request; not enough healthy members");
            return Err(Error::Unhealthy);
        }
        Ok(())
    }

    async fn check_promotion(&self, id: u64) -> Result<(), Error> {
        let caught_up = self.state().applied.reached(self.raft().commit());
        if tokio::time::timeout(APPLY_WAIT, caught_up).await.is_err() {
            return Err(Error::TimeoutWaitAppliedIndex);
        }
        let progress = self.raft().progress().await.map_err(raft_error::proposing)?;
        let progress = progress.ok_or(Error::NotLeader)?;
        let matched = |id| progress.iter().find(|progress| progress.id == id).map(|progress| progress.matched);
        let learner = matched(id).ok_or(Error::MemberNotFound)?;
        let own = matched(self.identity().member_id).ok_or(Error::NotLeader)?;
        if u128::from(learner) * 10 < u128::from(own) * READY_TENTHS {
            return Err(Error::LearnerNotReady);
        }
        if self.limits().strict_reconfig_check && !self.state().membership.look(|roster| roster.may_promote()) {
            tracing::warn!(
                member_id = format!("{id:x}"),
                "rejecting member promote request; not enough started members"
            );
            return Err(Error::MemberNotEnoughStarted);
        }
        Ok(())
    }

    /// All voters, and how many of them are this member or have been connected to it for long enough.
    fn connected_voters(&self) -> (usize, usize) {
        let (own, now) = (self.identity().member_id, Instant::now());
        let healthy =
            |id| self.peers().active_since(id).is_some_and(|since| now.duration_since(since) >= HEALTHY_AFTER);
        let voters = self.state().membership.look(|roster| roster.voters().map(|member| member.id).collect::<Vec<_>>());
        let connected = voters.iter().filter(|id| **id == own || healthy(**id)).count();
        (voters.len(), connected)
    }

    /// Returns when this member is to end because it was removed: when another voter says so. Having applied it is not
    /// enough, nor that a learner has: the voters may need this member's vote to find out that its removal is committed.
    pub(crate) async fn removed_from_cluster(&self) {
        let own = self.identity().member_id;
        let node = self.clone();
        let voter = self.peers().removed(move |id| !node.state().membership.is_learner(id));
        let anybody = async {
            tokio::select! {
                () = self.state().membership.removed(own) => {}
                () = self.peers().removed(|_| true) => {}
            }
            tracing::warn!(member_id = format!("{own:x}"), "this member was removed from the cluster; it will stop");
            tokio::time::sleep(self.limits().election_timeout * REMOVED_PATIENCE).await;
            tracing::warn!("no other voter is there to confirm the removal");
        };
        tokio::select! {
            () = anybody => {}
            () = voter => {}
        }
        tracing::info!(
            member_id = format!("{own:x}"),
            "the member has been removed from the cluster and ends; before it can join again its data directory must be removed"
        );
    }
}
