//! The thread that owns a member.
//!
//! It takes everything that waits in its queue, steps Raft once with all proposals together, writes and syncs once,
//! applies, and starts over; what arrives during the sync is the next batch. There are no timers but the tick.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use crate::driver::DriverError;
use crate::handle::{Input, Joiner, RaftHandle};
use crate::member::{Member, Parts};
use crate::observer::Observer;
use crate::state_machine::{StateMachine, StopReason};
use crate::status::SharedStatus;
use crate::transport::Transport;

/// Inputs taken before a turn, so that a turn always comes.
const MAX_INPUTS: usize = 4_096;

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
    let queue_bytes = parts.config.queue_bytes;
    let (sender, inputs) = bounded(parts.config.queue_len);
    let status = Arc::new(SharedStatus::new(parts.config.id));
    let member = Member::new(parts, Arc::clone(&status))?;
    let mut node = Node { member, inputs, tick, max_batch_bytes };
    let thread = std::thread::Builder::new()
        .name("raft".into())
        .spawn(move || {
            let reason = node.run();
            if !matches!(reason, StopReason::Requested) {
                tracing::error!(%reason, "the raft node ends");
            }
            node.member.state_machine.stopped(&reason);
        })
        .map_err(StartError::Thread)?;
    let joiner = Arc::new(Joiner(parking_lot::Mutex::new(Some(thread))));
    Ok(RaftHandle { inputs: sender, status, queue_bytes, joiner })
}

struct Node<S, T, O> {
    member: Member<S, T, O>,
    inputs: Receiver<Input>,
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
        loop {
            let open = match self.inputs.recv_deadline(next_tick) {
                Ok(input) => self.take(input),
                Err(RecvTimeoutError::Timeout) => true,
                Err(RecvTimeoutError::Disconnected) => false,
            };
            if !open {
                return self.member.stop();
            }
            let now = Instant::now();
            if now >= next_tick {
                self.member.tick();
                // Ticks missed while the disk was slow are not made up for: peers would see a burst of heartbeats.
                next_tick = (next_tick + self.tick).max(now);
            }
            self.member.turn()?;
        }
    }

    /// Takes an input and what waits behind it, up to a full batch; false at the end.
    fn take(&mut self, first: Input) -> bool {
        let mut next = Some(first);
        let mut taken = 0;
        while let Some(input) = next {
            if matches!(input, Input::Stop) {
                return false;
            }
            self.member.input(input);
            taken += 1;
            let full = taken >= MAX_INPUTS || self.member.batch_bytes() >= self.max_batch_bytes;
            next = if full { None } else { self.inputs.try_recv().ok() };
        }
        true
    }
}

pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}
