//! The keys of one lease.

use std::collections::BTreeSet;

use bytes::Bytes;

/// A set of keys, in order, without a tree as long as there is one.
#[derive(Debug)]
pub(super) enum Attached {
    One(Box<[u8]>),
    Many(BTreeSet<Box<[u8]>>),
}

impl Default for Attached {
    fn default() -> Attached {
        Attached::Many(BTreeSet::new())
    }
}

impl Attached {
    pub(super) fn insert(&mut self, key: &[u8]) {
        match self {
            Attached::One(known) if &known[..] == key => {}
            Attached::One(known) => *self = Attached::Many([std::mem::take(known), key.into()].into()),
            Attached::Many(keys) if keys.is_empty() => *self = Attached::One(key.into()),
            Attached::Many(keys) => _ = keys.insert(key.into()),
        }
    }

    /// Says whether none is left.
    pub(super) fn remove(&mut self, key: &[u8]) -> bool {
        match self {
            Attached::One(known) => &known[..] == key,
            Attached::Many(keys) => {
                keys.remove(key);
                keys.is_empty()
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Attached::One(_) => 1,
            Attached::Many(keys) => keys.len(),
        }
    }

    pub(super) fn to_sorted(&self) -> Vec<Bytes> {
        match self {
            Attached::One(key) => vec![Bytes::copy_from_slice(key)],
            Attached::Many(keys) => keys.iter().map(|key| Bytes::copy_from_slice(key)).collect(),
        }
    }

    pub(super) fn into_sorted(self) -> Vec<Bytes> {
        match self {
            Attached::One(key) => vec![key.into()],
            Attached::Many(keys) => keys.into_iter().map(Bytes::from).collect(),
        }
    }
}
