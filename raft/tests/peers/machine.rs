//! A state machine that remembers what was applied, and moves it in snapshots.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use keyport_api::raftpb::{ConfState, Snapshot, SnapshotMetadata};
use keyport_raft::peers::{SnapshotRead, SnapshotStore, SnapshotWrite};
use keyport_raft::{Committed, CommittedKind, StateMachine};
use parking_lot::{Condvar, Mutex};

use crate::harness::PATIENCE;

/// What was applied, shared with whoever wants to see it.
#[derive(Clone, Default)]
pub(crate) struct State(Arc<(Mutex<Inner>, Condvar)>);

#[derive(Clone, Default)]
pub(crate) struct Inner {
    pub(crate) data: Vec<Bytes>,
    pub(crate) index: u64,
    pub(crate) term: u64,
    pub(crate) conf_state: ConfState,
    /// Snapshots that arrived whole, by index.
    pub(crate) images: BTreeMap<u64, Vec<Bytes>>,
    /// Snapshots that were dropped unfinished.
    pub(crate) discarded: usize,
    /// Snapshots installed.
    pub(crate) installed: usize,
    /// What goes wrong.
    pub(crate) fault: Fault,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Fault {
    #[default]
    None,
    /// The image breaks off when it is read.
    Read,
    /// The image cannot be written.
    Write,
    /// Writing waits until this is taken back.
    Hold,
}

impl State {
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Inner) -> R) -> R {
        look(&self.0.0.lock())
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Inner)) {
        change(&mut self.0.0.lock());
        self.0.1.notify_all();
    }
}

impl StateMachine for State {
    fn apply(&mut self, committed: Vec<Committed>) {
        self.change(|inner| {
            for entry in committed {
                assert_eq!(entry.index, inner.index + 1);
                (inner.index, inner.term) = (entry.index, entry.term);
                match entry.kind {
                    CommittedKind::Normal(data) if data.is_empty() => {}
                    CommittedKind::Normal(data) => inner.data.push(data),
                    CommittedKind::ConfChange { conf_state, .. } => inner.conf_state = conf_state,
                }
            }
        });
    }

    fn install_snapshot(&mut self, snapshot: Snapshot) -> io::Result<()> {
        let metadata = snapshot.metadata.unwrap();
        self.change(|inner| {
            inner.data = inner.images.get(&metadata.index()).unwrap().clone();
            (inner.index, inner.term) = (metadata.index(), metadata.term());
            inner.conf_state = metadata.conf_state.unwrap();
            inner.installed += 1;
        });
        Ok(())
    }

    fn applied_index(&self) -> u64 {
        self.look(|inner| inner.index)
    }

    fn durable_index(&self) -> u64 {
        self.look(|inner| inner.index)
    }
}

impl SnapshotStore for State {
    fn read(&self) -> io::Result<Box<dyn SnapshotRead>> {
        Ok(self.look(|inner| {
            let metadata = SnapshotMetadata {
                conf_state: Some(inner.conf_state.clone()),
                index: Some(inner.index),
                term: Some(inner.term),
            };
            Box::new(Reader { metadata, chunks: inner.data.clone().into(), state: self.clone() })
        }))
    }

    fn write(&self, metadata: &SnapshotMetadata) -> io::Result<Box<dyn SnapshotWrite>> {
        let write = Writer { index: metadata.index(), chunks: Vec::new(), state: self.clone(), finished: false };
        Ok(Box::new(write))
    }
}

struct Reader {
    metadata: SnapshotMetadata,
    chunks: VecDeque<Bytes>,
    state: State,
}

impl SnapshotRead for Reader {
    fn metadata(&self) -> SnapshotMetadata {
        self.metadata.clone()
    }

    fn next(&mut self) -> io::Result<Option<Bytes>> {
        if self.state.look(|inner| inner.fault == Fault::Read) && self.chunks.len() < 3 {
            return Err(io::Error::other("the disk is broken"));
        }
        Ok(self.chunks.pop_front())
    }
}

struct Writer {
    index: u64,
    chunks: Vec<Bytes>,
    state: State,
    finished: bool,
}

impl SnapshotWrite for Writer {
    fn write(&mut self, chunk: Bytes) -> io::Result<()> {
        let (inner, changed) = &*self.state.0;
        let mut inner = inner.lock();
        // A test that fails meanwhile is not kept from ending.
        let held = changed.wait_while_for(&mut inner, |inner| inner.fault == Fault::Hold, PATIENCE);
        assert!(!held.timed_out(), "held for ever");
        if inner.fault == Fault::Write {
            return Err(io::Error::other("the disk is full"));
        }
        self.chunks.push(chunk);
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.finished = true;
        let chunks = std::mem::take(&mut self.chunks);
        self.state.change(|inner| drop(inner.images.insert(self.index, chunks)));
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.finished {
            self.state.change(|inner| inner.discarded += 1);
        }
    }
}
