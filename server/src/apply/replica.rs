//! Takes committed entries from the Raft thread and answers those who wait for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use keyport_api::error::Error;
use keyport_api::raftpb::Snapshot;
use keyport_raft::peers::Peers;
use keyport_raft::{Committed, CommittedKind, Configuration, DropReason, LeaderState, StateMachine, StopReason};
use keyport_storage::backend::{Applied, Batch};
use keyport_storage::watch::RevisionEvents;
use tokio::sync::mpsc;

use super::chain::{Chain, Verdict};
use super::{Proposal, Reply, conf_state, execute};
use crate::membership::{Effect, Roster};
use crate::metrics::Metrics;
use crate::node::waiters::{Outcome, Waiters};
use crate::state::{SnapshotFiles, State};

/// Bytes of entries that may wait for the apply thread before no more are taken.
const MAX_WAITING: usize = 64 << 20;
/// What an entry takes in the queue besides its bytes, so that small ones count too.
const ENTRY_OVERHEAD: usize = 256;

/// Batches of at most this many entries are applied where they are: a thread more would cost more than it does.
/// Larger ones go to the apply thread, which works while the next batch is being synced.
const INLINE_ENTRIES: usize = 32;

/// What the applied log tells the rest of the node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Notice {
    /// A request did not fit the quota: the NOSPACE alarm is due.
    OutOfSpace,
    /// Leadership changed.
    Leader(LeaderState),
    /// The Raft thread has ended; without having been asked to if it says so.
    Stopped { failed: bool },
    /// A snapshot could not be put in place: this member's state is not to be used any more.
    Broken,
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
}

impl Replica {
    fn apply(&self, committed: Vec<Committed>) {
        let Some(last) = committed.last() else { return };
        let (index, term) = (last.index, last.term);
        let mut outcomes = Vec::with_capacity(committed.len());
        let mut published = Vec::new();
        for entry in committed {
            let applied = Applied { index: entry.index, term: entry.term };
            match entry.kind {
                CommittedKind::Normal(data) => outcomes.extend(self.apply_entry(data, applied, &mut published)),
                CommittedKind::ConfChange { change, accepted, conf_state } => {
                    let mut batch = Batch::new();
                    outcomes.extend(self.reconfigure(&change, accepted, &mut batch));
                    conf_state::put(&conf_state, &mut batch);
                    self.state.backend.commit(batch, Some(applied));
                }
            }
        }
        // Watchers first: whoever gets an answer may expect its event to be on the way.
        if !published.is_empty() {
            self.state.hub.publish(&published);
        }
        self.state.applied.advance(index, term);
        self.waiters.complete(outcomes);
    }

    /// Puts the snapshot at `index` in place of the whole state.
    fn install(&self, index: u64) {
        let file = self.snapshots.path(index);
        tracing::info!(index, file = %file.display(), "installing the snapshot that the leader sent");
        self.metrics.snapshot_apply_in_progress.inc();
        let installed = self.state.install(&file);
        self.metrics.snapshot_apply_in_progress.dec();
        match installed {
            Ok(()) => {
                let membership = &self.state.membership;
                let urls = membership.list().into_iter().map(|member| (member.id, member.peer_urls));
                self.peers.set(urls.collect(), membership.removed_ids());
                tracing::info!(index, "installed the snapshot");
            }
            Err(error) => {
                tracing::error!(index, %error, "cannot install the snapshot");
                let _ = self.notices.blocking_send(Notice::Broken);
            }
        }
    }

    fn apply_entry(
        &self,
        data: bytes::Bytes,
        applied: Applied,
        published: &mut Vec<RevisionEvents>,
    ) -> Option<(u64, Outcome)> {
        if data.is_empty() {
            // The entry with which a new leader opens its term.
            self.state.backend.commit(Batch::new(), Some(applied));
            self.state.term_opened(applied.term);
            return None;
        }
        let Proposal { id, command } = match Proposal::decode(data) {
            Ok(proposal) => proposal,
            Err(error) => {
                // Committed by the cluster, so skipping it alike on every member is the one consistent way.
                tracing::error!(%error, index = applied.index, "log entry is not a request; skipped");
                self.state.backend.commit(Batch::new(), Some(applied));
                return None;
            }
        };
        let (name, start) = (command.name(), Instant::now());
        let outcome = match self.chain.verdict(&command) {
            Verdict::Apply => execute::execute(&self.state, command, applied, published),
            Verdict::Refuse(error) => {
                self.state.backend.commit(Batch::new(), Some(applied));
                Err(error)
            }
            Verdict::ApplyThenFail(error) => {
                let _ = self.notices.try_send(Notice::OutOfSpace);
                execute::execute(&self.state, command, applied, published).and(Err(error))
            }
        };
        self.observe(name, start.elapsed(), &outcome);
        (id != 0).then_some((id, outcome))
    }

    /// Brings the member rows in step with a change that the log has decided, for its proposer to hear.
    fn reconfigure(&self, change: &Configuration, accepted: bool, batch: &mut Batch) -> Option<(u64, Outcome)> {
        // Nothing proposes several changes at once; such an entry changes the configuration alone.
        let Configuration::Simple(change) = change else { return None };
        let membership = &self.state.membership;
        let outcome = if accepted {
            membership.apply(change, batch).map(|effect| self.link(effect))
        } else {
            // What no rule forbids was refused by Raft itself.
            membership.check(change).and(Err(Error::ProposalDropped))
        };
        let id = change.id();
        if let Err(error) = outcome {
            tracing::warn!(%error, member_id = format!("{:x}", change.node_id()), "refused a membership change");
        }
        (id != 0).then(|| (id, outcome.map(|()| Reply::Members(membership.list()))))
    }

    /// Brings Raft's links in step with the members.
    fn link(&self, effect: Effect) {
        tracing::info!(?effect, "membership changed");
        match effect {
            Effect::Set(member) => self.peers.add(member.id, member.peer_urls),
            Effect::Removed(id) => self.peers.remove(id),
        }
    }

    fn observe(&self, name: &'static str, took: Duration, outcome: &Result<super::Reply, Error>) {
        self.metrics.observe_apply(name, took, outcome.is_ok());
        if took > self.slow {
            self.metrics.slow_applies.inc();
            tracing::warn!(op = name, ?took, expected = ?self.slow, "apply request took too long");
        }
    }
}

/// What the apply thread does, in this order.
enum Work {
    Apply(Vec<Committed>),
    Install { index: u64 },
}

impl Work {
    /// What it counts while it waits; never nothing.
    fn weight(&self) -> usize {
        let weight = |entry: &Committed| match &entry.kind {
            CommittedKind::Normal(data) => data.len() + ENTRY_OVERHEAD,
            CommittedKind::ConfChange { .. } => ENTRY_OVERHEAD,
        };
        match self {
            Work::Apply(committed) => committed.iter().map(weight).sum(),
            Work::Install { .. } => ENTRY_OVERHEAD,
        }
    }
}

/// Where the Raft thread hands entries over: a few are applied at once while this node is alone and nothing is queued;
/// otherwise the apply thread takes them, so that Raft never waits for the store.
pub(crate) struct ReplicaQueue {
    replica: Arc<Replica>,
    /// Work, and what it weighs.
    queue: Sender<(Work, usize)>,
    /// The weight of what the apply thread has not done yet.
    waiting: Arc<AtomicUsize>,
    /// The members after everything handed over so far: ahead of what is applied.
    roster: Roster,
    _thread: thread::JoinHandle<()>,
}

impl ReplicaQueue {
    /// # Errors
    /// When the thread cannot be started.
    pub(crate) fn start(replica: Replica) -> std::io::Result<ReplicaQueue> {
        let replica = Arc::new(replica);
        let waiting = Arc::new(AtomicUsize::new(0));
        let (queue, works) = crossbeam_channel::unbounded();
        let thread = thread::Builder::new().name("apply".to_owned()).spawn({
            let (replica, waiting) = (Arc::clone(&replica), Arc::clone(&waiting));
            move || work(&replica, &works, &waiting)
        })?;
        let roster = replica.state.membership.roster();
        Ok(ReplicaQueue { replica, queue, waiting, roster, _thread: thread })
    }

    fn keep_roster(&mut self, committed: &[Committed]) {
        for entry in committed {
            if let CommittedKind::ConfChange { change: Configuration::Simple(change), accepted: true, .. } = &entry.kind
            {
                // It was checked when it was accepted.
                let _ = self.roster.apply(change);
            }
        }
    }

    fn enqueue(&self, work: Work) {
        let weight = work.weight();
        self.waiting.fetch_add(weight, Ordering::Release);
        // The thread lives as long as this sender.
        let _ = self.queue.send((work, weight));
    }
}

fn work(replica: &Replica, works: &Receiver<(Work, usize)>, waiting: &AtomicUsize) {
    for (work, weight) in works {
        match work {
            Work::Apply(committed) => replica.apply(committed),
            Work::Install { index } => replica.install(index),
        }
        waiting.fetch_sub(weight, Ordering::Release);
    }
}

impl StateMachine for ReplicaQueue {
    fn apply(&mut self, committed: Vec<Committed>) {
        self.keep_roster(&committed);
        let alone = self.roster.voters().count() <= 1;
        let few = committed.len() <= INLINE_ENTRIES;
        if alone && few && self.waiting.load(Ordering::Acquire) == 0 {
            self.replica.apply(committed);
        } else {
            self.enqueue(Work::Apply(committed));
        }
    }

    fn has_room(&self) -> bool {
        self.waiting.load(Ordering::Acquire) < MAX_WAITING
    }

    fn check_conf_change(&mut self, change: &Configuration) -> bool {
        match change {
            Configuration::Simple(change) => self.roster.check(change).is_ok(),
            // Not proposed by this release or etcd, so there are no rules for it.
            Configuration::Joint(_) => false,
        }
    }

    fn install_snapshot(&mut self, snapshot: Snapshot) -> std::io::Result<()> {
        let index = snapshot.metadata.unwrap_or_default().index();
        // Read from the file, which is not in place yet: the next change may be judged before it is.
        let file = self.replica.snapshots.path(index);
        self.roster = Roster::in_file(&file).map_err(std::io::Error::other)?;
        self.enqueue(Work::Install { index });
        Ok(())
    }

    fn applied_index(&self) -> u64 {
        self.replica.state.applied.index()
    }

    fn durable_index(&self) -> u64 {
        self.replica.state.backend.durable_applied().index
    }

    fn dropped(&mut self, data: bytes::Bytes, reason: DropReason) {
        let Ok(Proposal { id, .. }) = Proposal::decode(data) else { return };
        self.replica.waiters.complete([(id, Err(given_up(reason)))]);
    }

    fn conf_change_dropped(&mut self, change: Configuration, reason: DropReason) {
        let Configuration::Simple(change) = change else { return };
        self.replica.waiters.complete([(change.id(), Err(given_up(reason)))]);
    }

    fn stopped(&mut self, reason: &StopReason) {
        self.replica.waiters.stop();
        let failed = !matches!(reason, StopReason::Requested);
        let _ = self.replica.notices.blocking_send(Notice::Stopped { failed });
    }

    fn leader_changed(&mut self, leader: LeaderState) {
        self.replica.state.leadership.tell(&leader, Instant::now());
        let _ = self.replica.notices.try_send(Notice::Leader(leader));
    }
}

fn given_up(reason: DropReason) -> Error {
    match reason {
        DropReason::NoLeader => Error::ContextDeadlineExceeded,
        DropReason::Refused => Error::ProposalDropped,
        DropReason::TermOver => Error::LeaderChanged,
    }
}
