//! What wakes the thread that brings watchers up to date.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::groups::StreamId;

/// How long to leave history alone after it could not be read.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Signal {
    asked: Mutex<Asked>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Asked {
    stop: bool,
    work: bool,
    /// Streams whose parked watchers may go on.
    with_room: Vec<StreamId>,
}

impl Signal {
    /// There are watchers behind.
    pub(super) fn work(&self) {
        self.asked.lock().work = true;
        self.changed.notify_one();
    }

    /// A stream with parked watchers has been read.
    pub(super) fn has_room(&self, stream: StreamId) {
        self.asked.lock().with_room.push(stream);
        self.changed.notify_one();
    }

    pub(super) fn stop(&self) {
        self.asked.lock().stop = true;
        self.changed.notify_one();
    }

    /// None when it is time to stop.
    pub(super) fn wait(&self, after: Round) -> Option<Vec<StreamId>> {
        let mut asked = self.asked.lock();
        if after == Round::Stuck && !asked.stop {
            self.changed.wait_for(&mut asked, RETRY_AFTER);
        }
        while after == Round::Idle && !asked.stop && !asked.work && asked.with_room.is_empty() {
            self.changed.wait(&mut asked);
        }
        asked.work = false;
        (!asked.stop).then(|| std::mem::take(&mut asked.with_room))
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.asked.lock().stop
    }
}

/// What a round leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Round {
    Idle,
    /// Some are still behind.
    More,
    /// Some are still behind, and nobody got on.
    Stuck,
}
