//! Applies committed entries, one after the other, and answers those who wait for them.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use keyport_api::error::Error;
use keyport_api::raftpb::SnapshotMetadata;
use keyport_raft::peers::Peers;
use keyport_raft::{Committed, CommittedKind, Configuration, LeaderState};
use keyport_storage::ThreadPanic;
use keyport_storage::backend::{Applied, Batch};
use keyport_storage::watch::RevisionEvents;
use tokio::sync::mpsc;

use super::chain::{Chain, Verdict};
use super::fault::{Failure, Fault};
use super::summary::Summary;
use super::waiters::{Answer, Outcome, Waiters};
use super::{Proposal, Reply, execute};
use crate::membership::Effect;
use crate::metrics::Metrics;
use crate::state::{SnapshotFiles, State, conf_state};
use crate::steps::Steps;

/// What the applied log tells the rest of the node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Notice {
    /// A request did not fit the quota: the NOSPACE alarm is due.
    OutOfSpace,
    /// Leadership changed.
    Leader(LeaderState),
    /// The Raft thread has ended.
    Stopped(Ended),
    /// An entry could not be applied, or a snapshot not be put in place: this member has to end.
    Broken,
}

/// How a member came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    AsAsked,
    /// The log has what was the matter.
    Failed,
    /// Its log ends at `last`, though it had acknowledged `index`.
    LogLost {
        index: u64,
        last: u64,
    },
}

/// Applies entries to the state, one batch at a time.
pub(crate) struct Replica {
    pub(crate) state: Arc<State>,
    pub(crate) waiters: Arc<Waiters>,
    pub(crate) chain: Chain,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) notices: mpsc::Sender<Notice>,
    /// Links to the other members, kept in step with the membership.
    pub(crate) peers: Peers,
    /// Where received snapshots are.
    pub(crate) snapshots: SnapshotFiles,
    /// Longer applies are logged.
    pub(crate) slow: Duration,
    /// Why nothing is applied any more.
    pub(crate) failure: OnceLock<String>,
}

impl Replica {
    /// Applies entries up to the first one that cannot be applied: that ends this member.
    pub(super) fn apply(&self, committed: Vec<Committed>) {
        if self.failure.get().is_some() {
            return;
        }
        let mut last = self.state.applied.applied();
        let mut outcomes = Vec::with_capacity(committed.len());
        let mut published = Vec::new();
        let mut failure = None;
        for Committed { index, term, kind } in committed {
            let entry = Applied { index, term };
            match self.apply_entry(kind, entry, last, &mut published) {
                Ok(outcome) => outcomes.extend(outcome),
                Err(reason) => {
                    failure = Some(reason);
                    break;
                }
            }
            last = entry;
        }
        // Watchers first: whoever gets an answer may expect its event to be on the way.
        if !published.is_empty() {
            self.state.hub.publish(&published);
        }
        self.state.applied.advance(last.index, last.term);
        self.waiters.complete(outcomes);
        if let Some(failure) = failure {
            self.fail(&failure);
        }
    }

    /// Nothing is applied any more. Whoever waits is told at once, and the rest of the node to end.
    pub(super) fn fail(&self, failure: &Failure) {
        let Failure { entry, command, fault } = failure;
        tracing::error!(
            index = entry.index,
            term = entry.term,
            command,
            error = %fault,
            "cannot apply what the cluster has decided; this member ends"
        );
        self.failure.get_or_init(|| failure.to_string());
        self.waiters.stop();
        // There is nobody left to tell if the node is ending anyway.
        let _ = self.notices.blocking_send(Notice::Broken);
    }

    /// Applies the entry that follows on `last`: all of it, or nothing.
    fn apply_entry(
        &self,
        kind: CommittedKind,
        entry: Applied,
        last: Applied,
        published: &mut Vec<RevisionEvents>,
    ) -> Result<Option<(u64, Outcome)>, Failure> {
        let mut command = "unknown";
        let applied = ThreadPanic::catch(|| {
            if entry.index != last.index + 1 {
                return Err(Fault::Gap(last.index));
            }
            match kind {
                CommittedKind::Normal(data) => self.apply_request(&data, entry, &mut command, published),
                CommittedKind::ConfChange { change, accepted, conf_state } => {
                    command = "ConfChange";
                    let mut batch = Batch::new();
                    let outcome = self.reconfigure(&change, accepted, &mut batch)?;
                    conf_state::put(&conf_state, &mut batch)?;
                    self.state.backend.commit(batch, Some(entry));
                    Ok(outcome)
                }
            }
        });
        let applied = applied.map_err(Fault::from).flatten();
        applied.map_err(|fault| Failure { entry, command, fault })
    }

    fn apply_request(
        &self,
        data: &bytes::Bytes,
        applied: Applied,
        name: &mut &'static str,
        published: &mut Vec<RevisionEvents>,
    ) -> Result<Option<(u64, Outcome)>, Fault> {
        if data.is_empty() {
            // The entry with which a new leader opens its term.
            self.state.backend.commit(Batch::new(), Some(applied));
            self.state.term_opened(applied.term);
            return Ok(None);
        }
        let proposal = Proposal::decode(data)?;
        *name = proposal.command.name();
        let start = Instant::now();
        let mut steps = Steps::of_slow(self.slow);
        let Proposal { id, .. } = proposal;
        let outcome = steps.within(|| self.judge_and_execute(proposal, applied, published))?;
        let took = start.elapsed();
        // What was compacted before is as etcd would have it.
        let is_success = matches!(outcome, Ok(_) | Err(Error::Compacted));
        self.metrics.observe_apply(name, took, is_success);
        if took > self.slow {
            self.tell_slow(name, data, took, &steps, &outcome);
        }
        Ok((id != 0).then_some((id, outcome)))
    }

    fn judge_and_execute(
        &self,
        proposal: Proposal,
        applied: Applied,
        published: &mut Vec<RevisionEvents>,
    ) -> Result<Outcome, Fault> {
        let verdict = self.chain.verdict(&proposal);
        let Proposal { command, .. } = proposal;
        match verdict {
            Verdict::Apply => execute::execute(&self.state, command, applied, published),
            Verdict::Refuse(error) => {
                self.state.backend.commit(Batch::new(), Some(applied));
                Ok(Err(error))
            }
            Verdict::ApplyThenFail(error) => {
                // Said again with the next request, should the queue be full.
                let _ = self.notices.try_send(Notice::OutOfSpace);
                Ok(execute::execute(&self.state, command, applied, published)?.and(Err(error)))
            }
        }
    }

    /// Puts a received snapshot in place of the whole state.
    pub(super) fn install(&self, snapshot: &SnapshotMetadata) {
        if self.failure.get().is_some() {
            return;
        }
        let index = snapshot.index();
        self.metrics.snapshot_apply_in_progress.inc();
        let installed = ThreadPanic::catch(|| self.put_in_place(snapshot)).map_err(Fault::from).flatten();
        self.metrics.snapshot_apply_in_progress.dec();
        match installed {
            Ok(()) => tracing::info!(index, "installed the snapshot"),
            Err(fault) => {
                let entry = Applied { index, term: self.state.applied.term() };
                self.fail(&Failure { entry, command: "Snapshot", fault });
            }
        }
    }

    fn put_in_place(&self, snapshot: &SnapshotMetadata) -> Result<(), Fault> {
        // Once more, for it has been lying there.
        let file = self.snapshots.find(snapshot, self.state.applied.applied())?;
        tracing::info!(
            index = snapshot.index(),
            file = %file.display(),
            "installing the snapshot that the leader sent"
        );
        self.state.install(&file)?;
        let membership = &self.state.membership;
        let urls = membership.list().into_iter().map(|member| (member.id, member.peer_urls));
        self.peers.set(urls.collect(), membership.removed_ids());
        Ok(())
    }

    /// Brings the member rows in step with a change that the log has decided, for its proposer to hear.
    fn reconfigure(
        &self,
        change: &Configuration,
        accepted: bool,
        batch: &mut Batch,
    ) -> Result<Option<(u64, Outcome)>, Fault> {
        // Nothing proposes several changes at once; such an entry changes the configuration alone.
        let Configuration::Simple(change) = change else { return Ok(None) };
        let membership = &self.state.membership;
        let outcome = if accepted {
            self.link(membership.apply(change, batch)?);
            Ok(())
        } else {
            // What no rule forbids was refused by Raft itself.
            membership.check(change).and(Err(Error::ProposalDropped))
        };
        let id = change.id();
        if let Err(error) = outcome {
            tracing::warn!(%error, member_id = format!("{:x}", change.node_id()), "refused a membership change");
        }
        Ok((id != 0).then(|| {
            (
                id,
                outcome.map(|()| Answer {
                    revision: self.state.store.revision(),
                    reply: Reply::Members(membership.list()),
                }),
            )
        }))
    }

    /// Brings Raft's links in step with the members.
    fn link(&self, effect: Effect) {
        match effect {
            Effect::Set(member) => {
                tracing::info!(
                    member_id = format!("{:x}", member.id),
                    name = member.name,
                    peer_urls = member.peer_urls.join(","),
                    is_learner = member.is_learner,
                    "added or changed a member"
                );
                self.peers.add(member.id, member.peer_urls);
            }
            Effect::Removed(id) => {
                tracing::info!(member_id = format!("{id:x}"), "removed a member");
                self.peers.remove(id);
            }
        }
    }

    fn tell_slow(&self, name: &str, data: &bytes::Bytes, took: Duration, steps: &Steps, outcome: &Outcome) {
        self.metrics.slow_applies.inc();
        let request = Proposal::decode(data).map(|proposal| Summary(&proposal.command).to_string()).unwrap_or_default();
        tracing::warn!(
            op = name,
            ?took,
            expected_duration = ?self.slow,
            request,
            steps = %steps,
            error = outcome.as_ref().err().map(ToString::to_string),
            "apply request took too long"
        );
    }
}

#[cfg(test)]
mod tests;
