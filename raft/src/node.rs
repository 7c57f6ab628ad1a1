//! The thread that owns a member.
//!
//! It takes everything that waits in its queue, steps Raft once with all proposals together, writes and syncs once,
//! applies, and starts over; what arrives during the sync is the next batch. There are no timers but the tick.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use crate::driver::DriverError;
use crate::handle::RaftHandle;
use crate::inbox::{Inbox, Input, Taken};
use crate::member::{Member, Parts};
use crate::observer::Observer;
use crate::state_machine::{StateMachine, StopReason};
use crate::status::SharedStatus;
use crate::transport::Transport;

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// What the log holds is not acceptable.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// No thread.
    #[error("start the raft thread: {0}")]
    Thread(#[source] std::io::Error),
}

/// Starts a member. A sole voter becomes leader at once; everything committed before is applied first.
pub fn start<S: StateMachine, T: Transport, O: Observer>(parts: Parts<S, T, O>) -> Result<RaftHandle, StartError> {
    let (tick, max_batch_bytes) = (parts.config.tick, parts.config.max_batch_bytes);
    let inbox = Arc::new(Inbox::new(parts.config.queue_len, parts.config.queue_bytes));
    let status = Arc::new(SharedStatus::new(parts.config.id));
    let member = Member::new(parts, Arc::clone(&status))?;
    let mut node = Node { member, inbox: Arc::clone(&inbox), tick, max_batch_bytes };
    let thread = std::thread::Builder::new()
        .name("raft".into())
        .spawn(move || {
            let reason = node.run();
            if !matches!(reason, StopReason::Requested) {
                tracing::error!(%reason, "the raft node ends");
            }
            // From here on nobody may think that something will come of what they ask.
            node.inbox.abandon();
            node.member.state_machine.stopped(&reason);
        })
        .map_err(StartError::Thread)?;
    Ok(RaftHandle::new(inbox, status, thread))
}

struct Node<S, T, O> {
    member: Member<S, T, O>,
    inbox: Arc<Inbox>,
    tick: std::time::Duration,
    max_batch_bytes: usize,
}

impl<S: StateMachine, T: Transport, O: Observer> Node<S, T, O> {
    fn run(&mut self) -> StopReason {
        // raft-rs panics where it finds its own state broken; then only the log counts.
        match catch_unwind(AssertUnwindSafe(|| self.run_until_stopped())) {
            Ok(Ok(())) => StopReason::Requested,
            Ok(Err(reason)) => reason,
            Err(panic) => StopReason::Panicked(panic_message(panic.as_ref())),
        }
    }

    fn run_until_stopped(&mut self) -> Result<(), StopReason> {
        self.member.start()?;
        let mut next_tick = Instant::now() + self.tick;
        let mut inputs = VecDeque::new();
        loop {
            match self.inbox.take(&mut inputs, next_tick) {
                Taken::Inputs => self.turns(&mut inputs)?,
                Taken::Nothing => {}
                Taken::End => return self.member.stop(),
            }
            let now = Instant::now();
            if now >= next_tick {
                // A heartbeat a whole interval late, as etcd counts it.
                if now >= next_tick + self.tick {
                    self.member.late(now - next_tick);
                }
                self.member.tick();
                self.member.turn()?;
                // Ticks missed while the disk was slow are not made up for: peers would see a burst of heartbeats.
                next_tick = (next_tick + self.tick).max(now);
            }
        }
    }

    /// Puts everything in, with a turn for each full batch.
    fn turns(&mut self, inputs: &mut VecDeque<Input>) -> Result<(), StopReason> {
        while let Some(input) = inputs.pop_front() {
            self.member.input(input);
            if self.member.batch_bytes() >= self.max_batch_bytes {
                self.member.turn()?;
            }
        }
        self.member.turn()
    }
}

pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}
