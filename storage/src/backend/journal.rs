//! What has changed in the file, for whoever copies it meanwhile.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::layer::Layer;
use super::schema::{CONSISTENT_INDEX, TERM};
use super::{Bucket, RowKey};

/// Keys alone: their rows are read when they are needed. New rows of history are not in it, for they are at its end.
#[derive(Debug, Default)]
pub(super) struct Journal {
    pub(super) removed: Vec<RowKey>,
    pub(super) other: BTreeSet<(Bucket, Bytes)>,
}

impl Journal {
    /// What a transaction with these rows changes.
    pub(super) fn of(layer: &Layer) -> Journal {
        let mut other: BTreeSet<_> = layer.other.keys().cloned().collect();
        if layer.applied.is_some() {
            other.extend([CONSISTENT_INDEX, TERM].map(|key| (Bucket::Meta, Bytes::from_static(key))));
        }
        Journal { removed: layer.removed.iter().copied().collect(), other }
    }

    /// Adds what a later transaction has changed.
    pub(super) fn append(&mut self, mut later: Journal) {
        self.removed.append(&mut later.removed);
        self.other.append(&mut later.other);
    }
}
