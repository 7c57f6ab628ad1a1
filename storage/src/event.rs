//! What a watcher is told.

use crate::Record;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    Put,
    Delete,
}

/// One change of one key. Cheap to clone: it shares its records.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub kind: EventKind,
    /// The new version, or for a deletion the key and the revision alone ([`Record::deletion`]).
    pub kv: Record,
    /// What the key held one revision earlier; none if it did not exist then, or that revision is
    /// compacted, or this creates it anew right after deleting it.
    pub prev_kv: Option<Record>,
}
