//! What a group looks at, and finding it in a page of history.

use std::sync::Arc;

use super::{EventFilters, RevisionEvents, SelectedEvent};
use crate::{Event, KeyRange, RangeEnd};

/// Watchers with equal selectors are told the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Selector {
    pub(super) ranges: Box<[KeyRange]>,
    pub(super) filters: EventFilters,
    pub(super) prev_kv: bool,
}

/// What a watcher looks at; shared with the others that look at the same.
#[derive(Clone, Debug)]
pub struct Watched(pub(super) Arc<Selector>);

impl Watched {
    /// Its keys.
    pub fn ranges(&self) -> &[KeyRange] {
        &self.0.ranges
    }
}

impl Selector {
    /// The event as its watchers see it; none if it is filtered out. The key must be known to match.
    pub(super) fn admit(&self, revision: i64, index: usize, event: &Event) -> Option<SelectedEvent> {
        if !self.filters.admits(event.kind) {
            return None;
        }
        let prev_kv = if self.prev_kv { event.prev_kv.clone() } else { None };
        let event = Event { kind: event.kind, kv: event.kv.clone(), prev_kv };
        Some(SelectedEvent { revision, index: u32::try_from(index).unwrap_or(u32::MAX), event })
    }
}

/// Revisions as they were read or published, ordered by key beside, so that each of many selectors finds its own
/// without a scan.
#[derive(Debug)]
pub(super) struct KeyedEvents<'a> {
    revisions: &'a [RevisionEvents],
    /// (key, position in `revisions`, position in its events), in that order.
    by_key: Vec<(&'a [u8], usize, usize)>,
}

impl<'a> KeyedEvents<'a> {
    pub(super) fn new(revisions: &'a [RevisionEvents]) -> KeyedEvents<'a> {
        let mut by_key: Vec<_> = revisions
            .iter()
            .enumerate()
            .flat_map(|(r, revision)| revision.events.iter().enumerate().map(move |(e, event)| (event.kv.key(), r, e)))
            .collect();
        by_key.sort_unstable();
        KeyedEvents { revisions, by_key }
    }

    /// The selector's events of revisions not below `from`, in the order of history.
    pub(super) fn select(&self, selector: &Selector, from: i64) -> Vec<SelectedEvent> {
        let mut found: Vec<(usize, usize)> = Vec::new();
        for range in &selector.ranges {
            let start = self.by_key.partition_point(|(key, ..)| *key < &range.start[..]);
            let rest = self.by_key.get(start..).unwrap_or_default();
            let matching = match &range.end {
                RangeEnd::Unbounded => rest.len(),
                RangeEnd::Single => rest.partition_point(|(key, ..)| *key == &range.start[..]),
                RangeEnd::Before(end) => rest.partition_point(|(key, ..)| *key < &end[..]),
            };
            found.extend(rest.iter().take(matching).map(|&(_, r, e)| (r, e)));
        }
        found.sort_unstable();
        found.dedup();
        found
            .into_iter()
            .filter_map(|(r, e)| {
                let revision = self.revisions.get(r).filter(|revision| revision.revision >= from)?;
                selector.admit(revision.revision, e, revision.events.get(e)?)
            })
            .collect()
    }
}
