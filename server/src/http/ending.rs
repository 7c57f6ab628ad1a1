//! How a stream ended whose status cannot be seen from outside: lines of JSON and WebSockets have no trailers.

use std::mem;
use std::sync::Arc;

use parking_lot::Mutex;
use tonic::Code;

use crate::metrics;

/// An extension of an answer: whoever makes its stream tells how that ended, and so ends the call that is counted.
///
/// If nobody has told when the last of those who could is dropped, the caller went away; see [`metrics::Call`].
#[derive(Clone, Debug, Default)]
pub struct Ending(Arc<Mutex<State>>);

#[derive(Debug, Default)]
enum State {
    #[default]
    Open,
    Counted(metrics::Call),
    Told(Code),
}

impl Ending {
    /// Has `call` end when and as this does.
    pub(super) fn count(&self, call: metrics::Call) {
        let mut state = self.0.lock();
        match *state {
            State::Told(code) => call.finish(code),
            State::Open | State::Counted(_) => *state = State::Counted(call),
        }
    }

    /// Says how it ended. What is said first holds.
    pub(crate) fn tell(&self, code: Code) {
        let mut state = self.0.lock();
        if matches!(*state, State::Told(_)) {
            return;
        }
        if let State::Counted(call) = mem::replace(&mut *state, State::Told(code)) {
            call.finish(code);
        }
    }
}
