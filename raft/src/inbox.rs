//! The bounded queue in front of a node's thread.
//!
//! The thread takes everything at once, under one lock, and is woken only when it sleeps; so with many proposers a
//! proposal costs a short lock, and with one it costs one wake-up. Nobody spins.
//!
//! What clients ask for, here or through another member, has its own share of the room: however much of it waits,
//! heartbeats, votes and appended entries find their place.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use keyport_api::raftpb::{Message, MessageType};
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::state_machine::Configuration;
use crate::status::Progress;

/// Why a proposal was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// The queue is full, or the state machine behind: the caller answers "too many requests".
    #[error("raft node is overloaded")]
    Busy,
    /// The node has ended.
    #[error("raft node stopped")]
    Stopped,
}

/// What reaches the node's thread.
#[derive(Debug)]
pub(crate) enum Input {
    Propose(Bytes),
    ProposeInTerm { term: u64, data: Bytes },
    ProposeConfChange(Configuration),
    Message(Box<Message>),
    ReadIndex(oneshot::Sender<u64>),
    Progress(oneshot::Sender<Option<Vec<Progress>>>),
    TransferLeader(u64),
    Campaign,
    AdvanceTicks(usize),
    ReportUnreachable(u64),
    ReportDown(u64),
    ReportSnapshot { to: u64, delivered: bool },
}

impl Input {
    /// Payload that counts against the bound in bytes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Input::Propose(data) | Input::ProposeInTerm { data, .. } => data.len(),
            Input::Message(message) => {
                message.entries.iter().map(|entry| entry.data.as_ref().map_or(0, Bytes::len)).sum()
            }
            _ => 0,
        }
    }

    fn share(&self) -> Share {
        match self {
            Input::Message(message) => match message.r#type() {
                MessageType::MsgProp | MessageType::MsgReadIndex => Share::Requests,
                _ => Share::Raft,
            },
            Input::ReportUnreachable(_) | Input::ReportDown(_) | Input::ReportSnapshot { .. } => Share::Raft,
            _ => Share::Requests,
        }
    }
}

/// Whose room an input takes.
#[derive(Debug, Clone, Copy)]
enum Share {
    /// What somebody asks for.
    Requests,
    /// What Raft needs to go on.
    Raft,
}

/// What the thread found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// At least one input.
    Inputs,
    /// Nothing until the deadline.
    Nothing,
    /// The end: nothing more will come.
    End,
}

#[derive(Debug)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    arrived: Condvar,
    max_inputs: usize,
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct State {
    inputs: VecDeque<Input>,
    /// What of it each share takes.
    loads: [Load; 2],
    /// The thread sleeps.
    asleep: bool,
    closed: bool,
}

/// Inputs that wait, and their payload.
#[derive(Debug, Clone, Copy, Default)]
struct Load {
    inputs: usize,
    bytes: usize,
}

impl Inbox {
    /// Each share has room for so many inputs, and so many bytes.
    pub(crate) fn new(max_inputs: usize, max_bytes: usize) -> Inbox {
        Inbox { state: Mutex::default(), arrived: Condvar::new(), max_inputs, max_bytes }
    }

    /// Queues an input if there is room.
    pub(crate) fn offer(&self, input: Input) -> Result<(), ProposeError> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(ProposeError::Stopped);
        }
        if !self.has_room(&state, &input) {
            return Err(ProposeError::Busy);
        }
        state.push(input);
        self.wake(state);
        Ok(())
    }

    /// Queues messages of a peer, as far as there is room. Returns how many were lost.
    pub(crate) fn offer_messages(&self, messages: Vec<Message>) -> u64 {
        if messages.is_empty() {
            return 0;
        }
        let mut lost = 0;
        let mut state = self.state.lock();
        for message in messages {
            let input = Input::Message(Box::new(message));
            if !state.closed && self.has_room(&state, &input) {
                state.push(input);
            } else {
                lost += 1;
            }
        }
        self.wake(state);
        lost
    }

    /// Queues an input of which there are only a few, and which must not be lost.
    pub(crate) fn force(&self, input: Input) -> Result<(), ProposeError> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(ProposeError::Stopped);
        }
        state.push(input);
        self.wake(state);
        Ok(())
    }

    fn has_room(&self, state: &State, input: &Input) -> bool {
        let Load { inputs, bytes: waiting } = state.loads[input.share() as usize];
        let bytes = input.bytes();
        // A single payload is always taken, however large.
        let fits = bytes == 0 || waiting == 0 || waiting.saturating_add(bytes) <= self.max_bytes;
        fits && inputs < self.max_inputs
    }

    /// Wakes the thread if it sleeps and there is something to do.
    fn wake(&self, mut state: parking_lot::MutexGuard<'_, State>) {
        if state.inputs.is_empty() {
            return;
        }
        let wake = std::mem::take(&mut state.asleep);
        drop(state);
        if wake {
            self.arrived.notify_one();
        }
    }

    /// Lets nothing more in. What is queued is still handed out.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.arrived.notify_one();
    }

    /// Closes it and drops what is queued: the thread has ended, and whoever waits for an answer has to learn it.
    pub(crate) fn abandon(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        let left = std::mem::take(&mut state.inputs);
        drop(state);
        drop(left);
    }

    /// Moves everything into `inputs`, which is empty, waiting for something until the deadline.
    pub(crate) fn take(&self, inputs: &mut VecDeque<Input>, deadline: Instant) -> Taken {
        let mut state = self.state.lock();
        while state.inputs.is_empty() {
            if state.closed {
                return Taken::End;
            }
            state.asleep = true;
            if self.arrived.wait_until(&mut state, deadline).timed_out() && state.inputs.is_empty() {
                state.asleep = false;
                return Taken::Nothing;
            }
        }
        state.asleep = false;
        state.loads = Default::default();
        std::mem::swap(&mut state.inputs, inputs);
        Taken::Inputs
    }

    pub(crate) fn len(&self) -> usize {
        self.state.lock().inputs.len()
    }
}

impl State {
    fn push(&mut self, input: Input) {
        let load = &mut self.loads[input.share() as usize];
        load.inputs += 1;
        load.bytes += input.bytes();
        self.inputs.push_back(input);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn propose(bytes: usize) -> Input {
        Input::Propose(Bytes::from(vec![0; bytes]))
    }

    #[test]
    fn it_is_bounded_in_number_and_bytes() {
        let inbox = Inbox::new(3, 100);
        inbox.offer(propose(200)).unwrap();
        assert_eq!(inbox.offer(propose(1)), Err(ProposeError::Busy));
        inbox.offer(propose(0)).unwrap();
        inbox.offer(Input::Campaign).unwrap();
        assert_eq!(inbox.offer(Input::Campaign), Err(ProposeError::Busy));
        inbox.force(Input::Campaign).unwrap();
        let mut taken = VecDeque::new();
        assert_eq!(inbox.take(&mut taken, Instant::now()), Taken::Inputs);
        assert_eq!((taken.len(), inbox.len()), (4, 0));
        inbox.offer(propose(100)).unwrap();
    }

    #[test]
    fn messages_come_in_as_far_as_there_is_room() {
        let message = |bytes: usize| {
            let data = (bytes > 0).then(|| Bytes::from(vec![0; bytes]));
            let entries = vec![keyport_api::raftpb::Entry { data, ..Default::default() }];
            Message { entries, ..Message::default() }
        };
        let inbox = Inbox::new(3, 100);
        assert_eq!(inbox.offer_messages(vec![message(60), message(60), message(40), message(0), message(0)]), 2);
        assert_eq!(inbox.len(), 3);
        inbox.close();
        assert_eq!(inbox.offer_messages(vec![message(0)]), 1);
    }

    #[test]
    fn what_clients_ask_for_takes_no_room_from_raft() {
        let inbox = Inbox::new(2, 100);
        let of = |kind: MessageType| Message { r#type: Some(kind.into()), ..Message::default() };
        inbox.offer(propose(100)).unwrap();
        assert_eq!(inbox.offer_messages(vec![of(MessageType::MsgReadIndex), of(MessageType::MsgProp)]), 1);
        assert_eq!(inbox.offer(Input::Campaign), Err(ProposeError::Busy));
        assert_eq!(inbox.offer_messages(vec![of(MessageType::MsgHeartbeat), of(MessageType::MsgVote)]), 0);
        // And the other way round.
        assert_eq!(inbox.offer_messages(vec![of(MessageType::MsgHeartbeat)]), 1);
        inbox.take(&mut VecDeque::new(), Instant::now());
        inbox.offer(propose(1)).unwrap();
    }

    #[test]
    fn what_is_queued_comes_before_the_end() {
        let inbox = Inbox::new(3, 100);
        let mut taken = VecDeque::new();
        assert_eq!(inbox.take(&mut taken, Instant::now()), Taken::Nothing);
        inbox.offer(propose(1)).unwrap();
        inbox.close();
        assert_eq!(inbox.offer(propose(1)), Err(ProposeError::Stopped));
        assert_eq!(inbox.take(&mut taken, Instant::now()), Taken::Inputs);
        taken.clear();
        assert_eq!(inbox.take(&mut taken, Instant::now()), Taken::End);
    }

    #[test]
    fn a_sleeper_is_woken() {
        let inbox = std::sync::Arc::new(Inbox::new(3, 100));
        let sleeper = std::sync::Arc::clone(&inbox);
        let thread = std::thread::spawn(move || {
            let mut taken = VecDeque::new();
            sleeper.take(&mut taken, Instant::now() + std::time::Duration::from_secs(60))
        });
        inbox.offer(propose(1)).unwrap();
        assert_eq!(thread.join().unwrap(), Taken::Inputs);
    }
}
