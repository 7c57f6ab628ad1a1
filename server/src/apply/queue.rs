//! Takes committed entries from the Raft thread to where they are applied.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};
use keyport_api::error::Error;
use keyport_api::raftpb::{Snapshot, SnapshotMetadata};
use keyport_raft::{Committed, CommittedKind, Configuration, DropReason, LeaderState, StateMachine, StopReason};
use keyport_storage::ThreadPanic;
use keyport_storage::backend::ClosedFile;

use super::fault::Failure;
use super::{Ended, Notice, Proposal, Replica};
use crate::membership::{MembershipError, Roster};
use crate::memory::burst_bytes;

/// What an entry takes in the queue besides its bytes, so that small ones count too.
const ENTRY_OVERHEAD: usize = 256;

/// Batches of at most this many entries are applied where they are: a thread more would cost more than it does.
/// Larger ones go to the apply thread, which works while the next batch is being synced.
const INLINE_ENTRIES: usize = 32;

/// What the apply thread does, in this order.
enum Work {
    Apply(Vec<Committed>),
    Install(SnapshotMetadata),
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
            Work::Install(_) => ENTRY_OVERHEAD,
        }
    }
}

/// Where the Raft thread hands entries over: a few are applied at once while this node is alone and nothing is queued;
/// otherwise the apply thread takes them, so that Raft never waits for the store.
pub(crate) struct ReplicaQueue {
    replica: Arc<Replica>,
    /// Work, and what it weighs. Nobody when it ends.
    queue: Option<Sender<(Work, usize)>>,
    /// The weight of what the apply thread has not done yet.
    waiting: Arc<AtomicUsize>,
    /// Of how much weight no more is taken.
    max_waiting: usize,
    /// The members after everything handed over so far: ahead of what is applied.
    roster: Roster,
    thread: Option<thread::JoinHandle<()>>,
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
        Ok(ReplicaQueue {
            replica,
            queue: Some(queue),
            waiting,
            max_waiting: burst_bytes(),
            roster,
            thread: Some(thread),
        })
    }

    fn keep_roster(&mut self, committed: &[Committed]) {
        for entry in committed {
            if let CommittedKind::ConfChange { change: Configuration::Simple(change), accepted: true, .. } = &entry.kind
            {
                // It was checked when it was accepted. Should it be refused now, applying it finds that too.
                let _ = self.roster.apply(change);
            }
        }
    }

    fn enqueue(&self, work: Work) {
        let weight = work.weight();
        self.waiting.fetch_add(weight, Ordering::Release);
        // The thread lives as long as this sender.
        if let Some(queue) = &self.queue {
            let _ = queue.send((work, weight));
        }
    }
}

impl Drop for ReplicaQueue {
    /// Everything handed over is applied afterwards, unless applying fails.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic was reported by its own hook.
            let _ = thread.join();
        }
    }
}

fn roster_in(file: &Path) -> Result<Roster, MembershipError> {
    Roster::read(&ClosedFile::open(file)?)
}

fn work(replica: &Replica, works: &Receiver<(Work, usize)>, waiting: &AtomicUsize) {
    for (work, weight) in works {
        let done = ThreadPanic::catch(|| match work {
            Work::Apply(committed) => replica.apply(committed),
            Work::Install(snapshot) => replica.install(&snapshot),
        });
        if let Err(panic) = done {
            // With its entries applied and not answered, which comes to the same.
            replica.fail(&Failure { entry: replica.state.applied.applied(), command: "none", fault: panic.into() });
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

    fn failure(&self) -> Option<String> {
        self.replica.failure.get().cloned()
    }

    fn understands(&self, data: &bytes::Bytes) -> bool {
        Proposal::decode(data).is_ok()
    }

    fn has_room(&self) -> bool {
        self.waiting.load(Ordering::Acquire) < self.max_waiting
    }

    fn check_conf_change(&mut self, change: &Configuration) -> bool {
        match change {
            Configuration::Simple(change) => self.roster.check(change).is_ok(),
            // Not proposed by this release or etcd, so there are no rules for it.
            Configuration::Joint(_) => false,
        }
    }

    fn install_snapshot(&mut self, snapshot: Snapshot) -> std::io::Result<()> {
        let snapshot = snapshot.metadata.unwrap_or_default();
        // Read from the file, which is not in place yet: the next change may be judged before it is. It is closed again before
        // it is put in place.
        self.roster = roster_in(&self.replica.snapshots.path(snapshot.index())).map_err(std::io::Error::other)?;
        self.enqueue(Work::Install(snapshot));
        Ok(())
    }

    fn applied_index(&self) -> u64 {
        self.replica.state.applied.index()
    }

    fn durable_index(&self) -> u64 {
        self.replica.state.backend.durable_applied().index
    }

    fn dropped(&mut self, data: bytes::Bytes, reason: DropReason) {
        let Ok(Proposal { id, .. }) = Proposal::decode(&data) else { return };
        self.replica.waiters.complete([(id, Err(given_up(reason)))]);
    }

    fn conf_change_dropped(&mut self, change: Configuration, reason: DropReason) {
        let Configuration::Simple(change) = change else { return };
        self.replica.waiters.complete([(change.id(), Err(given_up(reason)))]);
    }

    fn stopped(&mut self, reason: &StopReason) {
        self.replica.waiters.stop();
        let ended = match reason {
            StopReason::Requested => Ended::AsAsked,
            StopReason::LogLost { index, last } => Ended::LogLost { index: *index, last: *last },
            _ => Ended::Failed,
        };
        let _ = self.replica.notices.blocking_send(Notice::Stopped(ended));
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
