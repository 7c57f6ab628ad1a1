//! What the rest of the process holds: a cheap, cloneable way to the node's thread.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use bytes::Bytes;
use keyport_api::raftpb::{ConfChange, ConfChangeV2, Message};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::inbox::{Inbox, Input, ProposeError};
use crate::state_machine::Configuration;
use crate::status::{Progress, SharedStatus, Status};

/// Why a read barrier could not be set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadIndexError {
    /// The queue is full.
    #[error("raft node is overloaded")]
    Busy,
    /// The node has ended.
    #[error("raft node stopped")]
    Stopped,
}

/// A handle to a running node, which ends when it is told to, or when the last handle is dropped.
#[derive(Debug, Clone)]
pub struct RaftHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    inbox: Arc<Inbox>,
    status: Arc<SharedStatus>,
    /// For whoever waits first.
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.inbox.close();
    }
}

impl RaftHandle {
    pub(crate) fn new(inbox: Arc<Inbox>, status: Arc<SharedStatus>, thread: JoinHandle<()>) -> RaftHandle {
        RaftHandle(Arc::new(Shared { inbox, status, thread: Mutex::new(Some(thread)) }))
    }

    /// The queue alone, which does not keep the node running.
    pub(crate) fn inbox(&self) -> Arc<Inbox> {
        Arc::clone(&self.0.inbox)
    }

    /// Queues a normal entry. `Ok` only means queued: the outcome is the entry coming back through
    /// [`crate::StateMachine::apply`], or [`crate::StateMachine::dropped`].
    pub fn propose(&self, data: Bytes) -> Result<(), ProposeError> {
        self.offer_entry(Input::Propose(data))
    }

    /// Queues an entry that this member decided on as the leader of `term`. Unlike any other it never waits for a leader
    /// and is never passed on to one: once that term is over it comes back through [`crate::StateMachine::dropped`].
    pub fn propose_in_term(&self, term: u64, data: Bytes) -> Result<(), ProposeError> {
        self.offer_entry(Input::ProposeInTerm { term, data })
    }

    /// Queues a membership change; the same holds, with [`crate::StateMachine::conf_change_dropped`]. `id` inside the
    /// change tells the caller which it was.
    pub fn propose_conf_change(&self, change: ConfChange) -> Result<(), ProposeError> {
        self.offer(Input::ProposeConfChange(Configuration::Simple(change)))
    }

    /// Queues several membership changes at once, carried out through a joint configuration; without any: the end of
    /// one that is not left by itself. `context` tells the caller which it was.
    pub fn propose_joint_change(&self, change: ConfChangeV2) -> Result<(), ProposeError> {
        self.offer(Input::ProposeConfChange(Configuration::Joint(change)))
    }

    /// Hands over a message from a peer. When the queue is full the message is lost, as on a bad network.
    pub fn step(&self, message: Message) -> Result<(), ProposeError> {
        self.offer(Input::Message(Box::new(message)))
    }

    /// The index that must be applied before a read that starts now is linearizable. Waiters share a round. Waits for
    /// as long as there is no leader: callers bring their own deadline.
    pub async fn read_index(&self) -> Result<u64, ReadIndexError> {
        if let Some(index) = self.read_index_now() {
            return Ok(index);
        }
        let (answer, wait) = oneshot::channel();
        self.offer(Input::ReadIndex(answer)).map_err(|error| match error {
            ProposeError::Busy => ReadIndexError::Busy,
            ProposeError::Stopped => ReadIndexError::Stopped,
        })?;
        wait.await.map_err(|_| ReadIndexError::Stopped)
    }

    /// The same, where it takes no round: this member is the only voter, leads, and has committed in its term.
    pub fn read_index_now(&self) -> Option<u64> {
        self.0.status.sole_voter_index()
    }

    /// How far each member's log is known to agree with this one's; none when this member does not lead.
    pub async fn progress(&self) -> Result<Option<Vec<Progress>>, ProposeError> {
        let (answer, wait) = oneshot::channel();
        self.offer(Input::Progress(answer))?;
        wait.await.map_err(|_| ProposeError::Stopped)
    }

    /// Returns once the node's thread has come to this question, and so is done with what was in its queue before. However much
    /// that is, there is room for the question: who asks is not to ask often.
    ///
    /// # Errors
    /// When the node has ended.
    pub async fn attend(&self) -> Result<(), ProposeError> {
        let (answer, wait) = oneshot::channel();
        self.0.inbox.force(Input::Progress(answer))?;
        wait.await.map(drop).map_err(|_| ProposeError::Stopped)
    }

    /// Whether this member leads.
    pub fn is_leader(&self) -> bool {
        self.leader() == self.0.status.id
    }

    /// Whether this member was told, as the leader of this term, to hand over. From then on another one may win an
    /// election without waiting for anything, even if the hand-over seems to have come to nothing.
    pub fn is_handing_over(&self) -> bool {
        self.0.status.handed_over.load(Ordering::Acquire) == self.term()
    }

    /// Whether this member is one that does not vote.
    pub fn is_learner(&self) -> bool {
        self.0.status.is_learner.load(Ordering::Acquire)
    }

    /// The leader's id, 0 when unknown.
    pub fn leader(&self) -> u64 {
        self.0.status.leader.load(Ordering::Acquire)
    }

    /// Current term.
    pub fn term(&self) -> u64 {
        self.0.status.term.load(Ordering::Acquire)
    }

    /// Where the leader has applied this, it has applied everything that anybody has answered for so far: nobody else
    /// hears from it that an entry is committed before this says so.
    pub fn told(&self) -> u64 {
        self.0.status.told.load(Ordering::Acquire)
    }

    /// Highest committed index known here.
    pub fn commit(&self) -> u64 {
        self.0.status.commit.load(Ordering::Acquire)
    }

    /// Highest index handed to the state machine.
    pub fn applied(&self) -> u64 {
        self.0.status.applied.load(Ordering::Acquire)
    }

    /// Everything at once.
    pub fn status(&self) -> Status {
        self.0.status.read()
    }

    /// Proposals and messages waiting for the node's thread.
    pub fn queued(&self) -> usize {
        self.0.inbox.len()
    }

    /// Asks the leader to hand over to `to`.
    pub fn transfer_leader(&self, to: u64) -> Result<(), ProposeError> {
        self.offer(Input::TransferLeader(to))
    }

    /// Starts an election now.
    pub fn campaign(&self) -> Result<(), ProposeError> {
        self.offer(Input::Campaign)
    }

    /// Lets so many ticks pass at once, unless there is a leader: a member that has just started has waited for one while it
    /// was down.
    pub fn advance_ticks(&self, ticks: usize) -> Result<(), ProposeError> {
        self.offer(Input::AdvanceTicks(ticks))
    }

    /// The transport could not reach a peer.
    pub fn report_unreachable(&self, peer: u64) {
        // A lost report only delays the leader's next probe.
        let _ = self.offer(Input::ReportUnreachable(peer));
    }

    /// The transport has delivered a snapshot, or given up. Must not be lost: the leader sends that peer nothing else
    /// until then, so this is taken even when the queue is full.
    pub fn report_snapshot(&self, to: u64, delivered: bool) -> Result<(), ProposeError> {
        self.0.inbox.force(Input::ReportSnapshot { to, delivered })
    }

    /// Ends the node: what is queued before is still written and applied. Returns when the thread has ended; blocks,
    /// so call it from a blocking context.
    pub fn stop(&self) {
        self.0.inbox.close();
        let thread = self.0.thread.lock().take();
        if let Some(thread) = thread {
            // A panic was reported by its own hook.
            let _ = thread.join();
        }
    }

    /// What makes the log longer, unless the state machine has no room for it.
    fn offer_entry(&self, input: Input) -> Result<(), ProposeError> {
        if self.0.status.is_full.load(Ordering::Acquire) {
            return Err(ProposeError::Busy);
        }
        self.offer(input)
    }

    fn offer(&self, input: Input) -> Result<(), ProposeError> {
        self.0.inbox.offer(input)
    }
}
